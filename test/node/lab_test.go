//go:build linux

package node

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// patience bounds every wait; two busy cores need a fraction of it.
const patience = 60 * time.Second

// lab is etcd, a real API server that encrypts with the KMS plugin of redoubt-node,
// and a real controller-manager, on loopback addresses of their own.
type lab struct {
	*site
	directory string
	server    string
	admin     *kubernetes.Clientset
	apiserver *exec.Cmd
	start     func() *exec.Cmd // of the API server
	flags     []string         // of the API server
	// refusedLater is a token that was deleted, for a later look.
	refusedLater string
}

func newLab(t *testing.T, s *site, controlPlane string) *lab {
	t.Helper()
	bin := programs(t, "etcd", "kube-apiserver", "kube-controller-manager")
	ports := freePorts(t, 4)
	l := &lab{site: s, directory: t.TempDir(), server: fmt.Sprintf("https://127.0.0.1:%d", ports[0])}
	s.config.APIServer, s.config.Endpoint = l.server, l.server
	private, public, err := pki.NewServiceAccountKey()
	require.NoError(t, err)
	write(t, l.path("sa.key"), private)
	write(t, l.path("sa.pub"), public)
	l.leaf(t, "ca", "server", pki.LeafRequest{CommonName: "kube-apiserver", DNSNames: []string{"localhost"}, IPAddresses: []string{"127.0.0.1"}, Server: true})
	l.leaf(t, "etcd/ca", "etcd", pki.LeafRequest{CommonName: "etcd", IPAddresses: []string{"127.0.0.1"}, Server: true, Client: true})
	l.leaf(t, "ca", "manager", pki.LeafRequest{CommonName: "system:kube-controller-manager", Client: true})
	write(t, l.path("manager.conf"), fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: x, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: x, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
current-context: x
`, l.server, s.pki+"/ca.crt", l.path("manager.crt"), l.path("manager.key")))
	write(t, l.path("encryption.yaml"), fmt.Appendf(nil, `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - kms: {apiVersion: v2, name: %s, endpoint: "unix://%s", timeout: 3s}
`, nodeconfig.KMSName, s.config.KMS.Socket))

	etcd := fmt.Sprintf("https://127.0.0.1:%d", ports[1])
	l.run(t, filepath.Join(bin, "etcd"), "--data-dir="+l.path("etcd"), "--unsafe-no-fsync", "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", ports[2]), "--cert-file="+l.path("etcd.crt"), "--key-file="+l.path("etcd.key"),
		"--client-cert-auth", "--trusted-ca-file="+s.pki+"/etcd/ca.crt")
	l.flags = []string{"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--etcd-servers=" + etcd, "--etcd-cafile=" + s.pki + "/etcd/ca.crt",
		"--etcd-certfile=" + l.path("etcd.crt"), "--etcd-keyfile=" + l.path("etcd.key"), "--cert-dir=" + l.directory,
		"--tls-cert-file=" + l.path("server.crt"), "--tls-private-key-file=" + l.path("server.key"), "--client-ca-file=" + s.pki + "/ca.crt",
		"--service-account-issuer=https://test.invalid", "--service-account-key-file=" + l.path("sa.pub"),
		"--service-account-signing-key-file=" + l.path("sa.key"), "--service-cluster-ip-range=10.82.0.0/20",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--disable-admission-plugins=ServiceAccount",
		"--enable-bootstrap-token-auth", "--anonymous-auth=false", "--encryption-provider-config=" + l.path("encryption.yaml")}
	l.start = func() *exec.Cmd { return l.run(t, filepath.Join(bin, "kube-apiserver"), l.flags...) }
	l.apiserver = l.start()
	l.run(t, filepath.Join(bin, "kube-controller-manager"), "--kubeconfig="+l.path("manager.conf"),
		"--controllers=csrsigning", "--use-service-account-credentials", "--service-account-private-key-file="+l.path("sa.key"), "--leader-elect=false",
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[3]), "--cert-dir="+l.directory,
		"--cluster-signing-cert-file="+s.pki+"/ca.crt", "--cluster-signing-key-file="+s.pki+"/ca.key")
	l.admin = kubernetes.NewForConfigOrDie(l.as(t, "admin", "system:masters"))
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.directory, name) }

func (l *lab) leaf(t *testing.T, authority, name string, request pki.LeafRequest) {
	t.Helper()
	ca, err := pki.ReadAuthority(filepath.Join(l.pki, authority))
	require.NoError(t, err)
	request.Validity = 12 * time.Hour
	certificate, key, err := pki.Issue(ca, request)
	require.NoError(t, err)
	write(t, l.path(name+".crt"), certificate)
	write(t, l.path(name+".key"), key)
}

// as is the API server's client for whoever has a certificate of its authority.
func (l *lab) as(t *testing.T, user string, groups ...string) *rest.Config {
	t.Helper()
	ca, err := pki.ReadAuthority(filepath.Join(l.pki, "ca"))
	require.NoError(t, err)
	certificate, key, err := pki.Issue(ca, pki.LeafRequest{CommonName: user, Organizations: groups, Client: true, Validity: time.Hour})
	require.NoError(t, err)
	return l.with(certificate, key)
}

func (l *lab) with(certificate, key []byte) *rest.Config {
	return &rest.Config{Host: l.server, QPS: 100, Burst: 100, TLSClientConfig: rest.TLSClientConfig{CAFile: l.pki + "/ca.crt", CertData: certificate, KeyData: key}}
}

// holding is a client with a bootstrap token.
func (l *lab) holding(token string) *rest.Config {
	return &rest.Config{Host: l.server, BearerToken: token, QPS: 100, Burst: 100, TLSClientConfig: rest.TLSClientConfig{CAFile: l.pki + "/ca.crt"}}
}

// ready waits for the API server.
func (l *lab) ready(t *testing.T) {
	t.Helper()
	eventually(t, "the API server", func() error {
		return l.admin.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error()
	})
}

// run starts a program that ends with the test, even when the test is killed.
func (l *lab) run(t *testing.T, program string, arguments ...string) *exec.Cmd {
	t.Helper()
	return start(t, program, arguments...)
}

func start(t *testing.T, program string, arguments ...string) *exec.Cmd {
	t.Helper()
	command, output := exec.Command(program, arguments...), &logBuffer{}
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		kill(command)
		if t.Failed() {
			t.Logf("the last of %s's log:\n%s", filepath.Base(program), output.tail(3000))
		}
	})
	return command
}

func kill(command *exec.Cmd) {
	_ = command.Process.Kill() // it may have ended
	_ = command.Wait()         // its error is that it was killed
}

func programs(t *testing.T, names ...string) string {
	t.Helper()
	bin := os.Getenv("REDOUBT_BIN_DIR")
	if bin == "" {
		var err error
		bin, err = filepath.Abs("../../bin")
		require.NoError(t, err)
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Skipf("needs the real %s: build it with `make tools`, or point REDOUBT_BIN_DIR at a directory that has it (%v)", name, err)
		}
	}
	return bin
}

func freePorts(t *testing.T, count int) []int {
	t.Helper()
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close() // all at the end, so that no port is given twice
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

// logBuffer is a buffer for several writers.
type logBuffer struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(data []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.Write(data)
}

func (b *logBuffer) String() string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return b.buffer.String()
}

func (b *logBuffer) tail(count int) string {
	text := b.String()
	return text[max(0, len(text)-count):]
}
