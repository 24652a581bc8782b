package local

import (
	"path/filepath"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// adminKubeconfig is the administrator's kubeconfig for a cluster with this
// authority. It holds no credential: it points to a certificate of 24 hours
// that the control plane's agent renews (M34), so the text never changes.
func (p plan) adminKubeconfig(authority string) (string, error) {
	file, err := hostconfig.AdminKubeconfig(p.kubeconfig(), p.args.Environment, p.endpoint, authority,
		filepath.Join(p.adminDir(), "client.crt"), filepath.Join(p.adminDir(), "client.key"))
	return file.Contents, err
}

// adminDir holds the administrator's certificate on the host; it is
// hostconfig's Paths.Admin inside the machine.
func (p plan) adminDir() string {
	if !p.args.Isolated {
		return p.paths(controlPlaneName).Admin()
	}
	return filepath.Join(p.args.StateDirectory, "admin")
}
