package local

import (
	"crypto/x509"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var certificateChecks = []check{
	{"M34_served_certificates_live_a_day_at_most", nothing, servedCertificatesAreShort},
	{"M34_certificates_on_disk_live_a_day_at_most", nothing, storedCertificatesAreShort},
	{"M34_served_certificates_are_those_on_disk", nothing, renewedCertificatesAreServed},
}

// dayAtMost is 24 h, and the minutes by which a signer dates a certificate back
// so that clocks may differ.
const dayAtMost = 24*time.Hour + 15*time.Minute

// assertShort demands a certificate that is valid now, for a day at most.
func assertShort(t *testing.T, certificate *x509.Certificate, what string) {
	t.Helper()
	assert.LessOrEqual(t, certificate.NotAfter.Sub(certificate.NotBefore), dayAtMost, what)
	assert.True(t, time.Now().After(certificate.NotBefore) && time.Now().Before(certificate.NotAfter),
		"%s is not valid now: %s to %s", what, certificate.NotBefore, certificate.NotAfter)
	// Renewal comes well before the end: less than an hour left means it failed.
	assert.Greater(t, time.Until(certificate.NotAfter), time.Hour, "%s was not renewed", what)
}

func servedCertificatesAreShort(t *testing.T, c *Cluster) {
	for _, server := range c.tlsServers(t) {
		if c.selfSigned(server.name) {
			continue
		}
		certificate, err := server.servingCertificate(t.Context(), c.DialFrom(server.from))
		require.NoError(t, err, server.name)
		assertShort(t, certificate, server.name)
		assert.NotContains(t, certificate.ExtKeyUsage, x509.ExtKeyUsageAny, server.name)
	}
}

// storedCertificatesAreShort reads every certificate file of every machine, the
// administrator's included. Authorities are exempt, and nothing else.
func storedCertificatesAreShort(t *testing.T, c *Cluster) {
	seen := 0
	for _, root := range append(c.machineDirs(), c.AdminDir()) {
		require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return skipAbsent(err)
			}
			if entry.Type()&fs.ModeSymlink != 0 || !strings.HasSuffix(path, ".crt") && !strings.HasSuffix(path, ".pem") {
				return nil
			}
			// The kubelet keeps earlier certificates beside the current one.
			if strings.Contains(path, "/var/lib/kubelet/pki/") && path != c.currentKubeletFile(path) {
				return nil
			}
			certificate, err := readCertificate(path)
			if err != nil {
				return skipAbsent(err)
			}
			if !certificate.IsCA {
				seen++
				assertShort(t, certificate, path)
			}
			return nil
		}))
	}
	assert.GreaterOrEqual(t, seen, 8, "too few certificates were found to believe the search")
}

// currentKubeletFile is what the "current" link beside a file of the kubelet
// points to.
func (c *Cluster) currentKubeletFile(path string) string {
	for _, node := range c.Nodes {
		for _, kind := range []string{"client", "server"} {
			current := c.Path(node.Name, "/var/lib/kubelet/pki/kubelet-"+kind+"-current.pem")
			if current == path {
				return current
			}
		}
	}
	return ""
}

// machineDirs are the folders of all machines, without what containers hold.
func (c *Cluster) machineDirs() []string {
	var dirs []string
	for _, machine := range c.Machines() {
		dirs = append(dirs, filepath.Join(c.MachineDir(machine), "etc"), c.Path(machine, "/var/lib/kubelet/pki"))
	}
	return dirs
}

// skipAbsent forgives a file that was renewed away while the walk looked at it.
func skipAbsent(err error) error {
	if err != nil && isAbsent(err) {
		return nil
	}
	return err
}

// renewedCertificatesAreServed proves that a renewal reaches the listeners
// without a restart: what is served is what is on disk.
func renewedCertificatesAreServed(t *testing.T, c *Cluster) {
	files := map[string]string{
		"kube-apiserver":          "/etc/kubernetes/pki/apiserver.crt",
		"etcd client":             "/etc/etcd/pki/server.crt",
		"kube-controller-manager": "/etc/kubernetes/pki/controller-manager-server.crt",
		"kube-scheduler":          "/etc/kubernetes/pki/scheduler-server.crt",
	}
	if c.booted != nil { // as kubeadm has them
		files = map[string]string{"kube-apiserver": files["kube-apiserver"], "etcd client": "/etc/kubernetes/pki/etcd/server.crt"}
	}
	for _, server := range c.tlsServers(t) {
		file, ok := files[server.name]
		if !ok {
			continue
		}
		onDisk, err := readCertificate(c.Path(c.ControlPlane.Name, file))
		require.NoError(t, err, server.name)
		served, err := server.servingCertificate(t.Context(), c.DialFrom(server.from))
		require.NoError(t, err, server.name)
		assert.Equal(t, onDisk.SerialNumber, served.SerialNumber, "%s serves another certificate than %s", server.name, file)
	}
}
