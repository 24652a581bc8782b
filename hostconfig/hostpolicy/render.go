package hostpolicy

import (
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// judge validates the cluster and the role.
func (c Cluster) judge(role hostconfig.Role) error {
	err := c.Validate()
	if role == hostconfig.RoleControlPlane && c.Managed {
		err = errors.Join(err, &hostconfig.FieldError{Field: "role", Problem: "the control plane is the cloud's", Remedy: "render the policies of workers alone"})
	}
	if role != hostconfig.RoleControlPlane && role != hostconfig.RoleWorker {
		err = errors.Join(err, &hostconfig.FieldError{Field: "role", Problem: fmt.Sprintf("%q is not a role", role), Remedy: "write control-plane or worker"})
	}
	return err
}

// render gives the objects as one YAML stream with sorted keys.
func render(objects []any) (string, error) {
	documents := make([]string, 0, len(objects))
	for _, object := range objects {
		document, err := yaml.Marshal(object)
		if err != nil {
			return "", fmt.Errorf("host policy: %w", err)
		}
		documents = append(documents, string(document))
	}
	return strings.Join(documents, "---\n"), nil
}
