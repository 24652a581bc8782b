package admission

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Settings say how the policies hold in a cluster, in plain values, as settings of
// a stack give them.
type Settings struct {
	// Registries are what images may come from: a host, or a host and a path, such
	// as registry.example.org or registry.example.org/team. Required.
	Registries []string `json:"registries,omitempty"`
	// StorageClasses are those whose volumes are encrypted; "encrypted" by default.
	StorageClasses []string `json:"storageClasses,omitempty"`
	// SystemNamespaces run parts of the cluster beside those of Kubernetes: the
	// policies on workloads do not hold there.
	SystemNamespaces []SystemNamespace `json:"systemNamespaces,omitempty"`
	// BaselineNamespaces are of the class baseline: see the catalogue for what is
	// warned about there and refused elsewhere.
	BaselineNamespaces []string `json:"baselineNamespaces,omitempty"`
	// SystemUsers are identities, or their beginnings with a * at the end, under
	// which a provider looks after its own roles, bindings and namespaces.
	SystemUsers []string `json:"systemUsers,omitempty"`
	// Mode is the strictest mode of all policies: audit or warn while a cluster
	// that has workloads is looked at first. Less than deny needs an exception for
	// M25/enforcement.
	Mode Mode `json:"mode,omitempty"`
	// Modes are the modes of policies by their ids. Less than the default of a
	// policy needs an exception for M25/ and its id.
	Modes map[string]Mode `json:"modes,omitempty"`
	// Exceptions let some namespaces off one policy until a day.
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// SystemNamespace is a namespace of the system.
type SystemNamespace struct {
	Name string `json:"name" jsonschema:"required"`
	// PodSecurity is its level: restricted by default, baseline or privileged.
	PodSecurity string `json:"podSecurity,omitempty"`
	// Reason says why what runs there is part of the cluster, in a sentence.
	Reason string `json:"reason" jsonschema:"required"`
	// Create makes the namespace; without it, it must be there before the baseline.
	Create bool `json:"create,omitempty"`
}

// Exception lets namespaces, or objects that are in none, off a policy until a day. The API server lets nothing
// new in after that day, whether or not anybody brings the baseline up; a run
// that still finds it refuses it. Each use is in the audit log.
type Exception struct {
	// Exception has the control, which is M25/ and the id of a policy, the reason
	// and the day.
	hostconfig.Exception
	// Namespaces are those that are let off; there is no "*".
	Namespaces []string `json:"namespaces,omitempty"`
	// Names are the objects that are let off, where they are in no namespace.
	Names []string `json:"names,omitempty"`
}
