package local

import (
	"path/filepath"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// adminKubeconfig is the administrator's kubeconfig. It holds no credential: it
// points to a certificate of 24 hours that the control plane's agent renews
// (M34), so the text never changes.
func (p plan) adminKubeconfig() (hostconfig.File, error) {
	file := func(name string) string { return filepath.Join(p.adminDir(), name) }
	return hostconfig.AdminKubeconfig(p.kubeconfig(), p.args.Environment, p.endpoint,
		file("ca.crt"), file("client.crt"), file("client.key"))
}

// adminDir holds the administrator's certificate on the host; it is
// hostconfig's Paths.Admin inside the machine.
func (p plan) adminDir() string {
	if !p.args.Isolated {
		return p.paths(controlPlaneName).Admin()
	}
	return filepath.Join(p.args.StateDirectory, "admin")
}
