// Package admission holds the ValidatingAdmissionPolicies that every hardened
// cluster gets (M25): a catalogue of policies written in CEL, which the API
// server evaluates itself, so there is no webhook that can fail. The package is
// pure: settings in, objects out. It makes nothing in a cluster; the components of
// policies/baseline and the tests do.
//
// Who the platform is, the policies ask of the cluster's own authorizer: whoever
// may administer the resource "platform" of the API group [Group] may change what
// Redoubt made. No such resource is served; it exists in RBAC rules alone.
package admission

// Group is the API group of the virtual resources that rights of the platform are
// given on, and the prefix of Redoubt's labels and annotations.
const Group = "redoubt.dev"

// ResourcePlatform is the virtual resource of [Group] and VerbAdminister its verb:
// who is allowed it is the platform. ResourceBreakGlass and VerbUse are what an
// emergency binding of cluster-admin asks for; ResourceQuarantines is what
// quarantine asks for.
const (
	ResourcePlatform    = "platform"
	VerbAdminister      = "administer"
	ResourceBreakGlass  = "breakglass"
	VerbUse             = "use"
	ResourceQuarantines = "quarantines"
)

// Labels and annotations on namespaces, which only the platform may write. Lists
// are separated by commas; they narrow what the cluster allows, and widen nothing.
const (
	// AnnotationRegistries and AnnotationIngressHosts narrow a namespace to some
	// registries and to some hosts; a host "*.example.org" stands for names below it.
	AnnotationRegistries   = Group + "/registries"
	AnnotationIngressHosts = Group + "/ingress-hosts"
	// LabelConnect with the value "forbidden" refuses exec, attach, port-forward,
	// proxies and ephemeral containers in a namespace.
	LabelConnect = Group + "/connect"
	// LabelUserNamespaces with the value "required" demands hostUsers: false of the
	// namespace's pods, for nodes that can give pods user namespaces of their own.
	LabelUserNamespaces = Group + "/user-namespaces"
	// LabelPodRules with the value PodRulesOfCluster says that nothing on a namespace narrows
	// what its pods may do, neither registries nor pool nor user namespaces: its pods are judged
	// sooner. A namespace that has both is refused, see the policy pod-rules.
	LabelPodRules     = Group + "/pod-rules"
	PodRulesOfCluster = "cluster"
)

// LabelPool is a label and a taint on nodes of an isolation pool, and the label
// with which the platform gives a namespace to it.
const LabelPool = Group + "/pool"

// LabelManagedBy with the value ManagedBy is on every object of Redoubt: only the
// platform may change one.
const (
	LabelManagedBy = "app.kubernetes.io/managed-by"
	ManagedBy      = "redoubt"
	// LabelSystem is on namespaces of the system that the baseline makes, which are
	// no tenant's.
	LabelSystem = Group + "/system"
)
