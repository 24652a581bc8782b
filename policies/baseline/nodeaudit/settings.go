package nodeaudit

import (
	"fmt"
	"regexp"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Settings say with what the records are sent.
type Settings struct {
	// Image is Fluent Bit from a registry that nodes reach, by its digest:
	// europe-west3-docker.pkg.dev/project/mirror/fluent-bit@sha256:… Required. It must
	// begin by itself with the configuration in /fluent-bit/etc, as the project's own
	// image does, and have the output "stackdriver".
	Image string `json:"image" jsonschema:"required"`
}

// Cluster is where the nodes are, as Cloud Logging names it.
type Cluster struct{ Name, Location string }

// pinned is a host with a dot or a port, a path, and a digest.
var pinned = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?@sha256:[0-9a-f]{64}$`)

// Validate reports what is wrong below a field.
func (s Settings) Validate(field string) error {
	if pinned.MatchString(s.Image) {
		return nil
	}
	return &hostconfig.FieldError{Field: field + ".image", Problem: fmt.Sprintf("%q is not an image with its digest", s.Image),
		Remedy: "copy Fluent Bit to a registry of your own, and write registry/path@sha256: and the 64 digits"}
}

// SystemNamespace is the namespace as the policies of the cluster know it: what it
// runs reaches into nodes, which no level of Pod Security but privileged allows.
func SystemNamespace() admission.SystemNamespace {
	return admission.SystemNamespace{Name: Namespace, Create: true, PodSecurity: "privileged", Reason: "the audit daemon of nodes is started through their systemd"}
}
