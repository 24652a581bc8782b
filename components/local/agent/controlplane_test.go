//go:build linux

package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/internal/filepair"
	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// patience bounds every wait of these tests; two busy cores need a fraction of it.
const patience = 90 * time.Second

// controlPlane is etcd, kube-apiserver and kube-controller-manager on loopback, with
// the settings that the agent's work depends on, and the agent itself, which makes
// all their certificates.
type controlPlane struct {
	directory, server string // the API server's URL
	config            hostconfig.AgentConfig
	configPath        string
	agentLog          *logBuffer
}

// startControlPlane starts everything, or skips the test without the programs.
func startControlPlane(t *testing.T, nodes []hostconfig.NodeIdentity) *controlPlane {
	t.Helper()
	bin := programs(t)
	c := &controlPlane{directory: t.TempDir(), agentLog: &logBuffer{}}
	ports := freePorts(t, 4)
	c.server = fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	writeAuthority(t, c.path("ca"), 24*time.Hour)
	private, public, err := pki.NewServiceAccountKey()
	if err != nil {
		t.Fatal(err)
	}
	write(t, c.path("sa.key"), private)
	write(t, c.path("sa.pub"), public)
	c.config = hostconfig.AgentConfig{
		APIServer: c.server, ClusterCA: c.path("ca"), Kubeconfig: c.path("agent.conf"), ReadyFile: c.path(".ready"), Nodes: nodes,
		Certificates: []hostconfig.LeafCertificate{
			c.leaf("server", "localhost", true), // of etcd and the API server
			c.leaf("etcd-client", "kube-apiserver-etcd-client", false),
			c.leaf("controller-manager", "system:kube-controller-manager", false),
			c.leaf("agent", hostconfig.UserAgent, false),
		},
	}
	c.configPath = c.path("agent.json")
	c.writeConfig(t)
	c.writeKubeconfig(t, "agent")
	c.writeKubeconfig(t, "controller-manager")

	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.NewTextHandler(c.agentLog, nil))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, c.configPath, log, time.Second) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the agent ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("the agent's log:\n%s", c.agentLog)
		}
	})
	eventually(t, "the agent's ready file", func() error { _, err := os.Stat(c.config.ReadyFile); return err })

	etcd := fmt.Sprintf("https://127.0.0.1:%d", ports[1])
	c.start(t, filepath.Join(bin, "etcd"), "--data-dir="+c.path("etcd"), "--unsafe-no-fsync", "--enable-grpc-gateway=false",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", ports[2]),
		"--cert-file="+c.path("server.crt"), "--key-file="+c.path("server.key"), "--client-cert-auth", "--trusted-ca-file="+c.path("ca.crt"))
	c.start(t, filepath.Join(bin, "kube-apiserver"), "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--etcd-servers="+etcd, "--etcd-cafile="+c.path("ca.crt"),
		"--etcd-certfile="+c.path("etcd-client.crt"), "--etcd-keyfile="+c.path("etcd-client.key"), "--cert-dir="+c.directory,
		"--tls-cert-file="+c.path("server.crt"), "--tls-private-key-file="+c.path("server.key"), "--client-ca-file="+c.path("ca.crt"),
		"--service-account-issuer=https://test.invalid", "--service-account-key-file="+c.path("sa.pub"),
		"--service-account-signing-key-file="+c.path("sa.key"), "--service-cluster-ip-range=10.82.0.0/20",
		"--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth", "--anonymous-auth=false")
	c.start(t, filepath.Join(bin, "kube-controller-manager"), "--kubeconfig="+c.path("controller-manager.conf"),
		"--controllers=csrsigning,csrapproving", "--use-service-account-credentials", "--service-account-private-key-file="+c.path("sa.key"),
		"--leader-elect=false", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[3]),
		"--cluster-signing-cert-file="+c.path("ca.crt"), "--cluster-signing-key-file="+c.path("ca.key"), "--cert-dir="+c.directory)
	return c
}

func (c *controlPlane) path(name string) string { return filepath.Join(c.directory, name) }

func (c *controlPlane) leaf(name, commonName string, server bool) hostconfig.LeafCertificate {
	leaf := hostconfig.LeafCertificate{Name: name, CA: c.path("ca"), CertFile: c.path(name + ".crt"), KeyFile: c.path(name + ".key"),
		CommonName: commonName, Client: !server, Server: server, Validity: duration(2 * time.Hour), RenewBefore: duration(time.Hour)}
	if server {
		leaf.DNSNames, leaf.IPAddresses = []string{"localhost"}, []string{"127.0.0.1"}
	}
	return leaf
}

// writeConfig writes the agent's configuration as it is now, in one step.
func (c *controlPlane) writeConfig(t *testing.T) {
	t.Helper()
	data, err := json.Marshal(c.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := filepair.Write(c.configPath, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (c *controlPlane) writeKubeconfig(t *testing.T, name string) {
	t.Helper()
	write(t, c.path(name+".conf"), fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: x, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: x, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
current-context: x
`, c.server, c.path("ca.crt"), c.path(name+".crt"), c.path(name+".key")))
}

// start starts a program that ends with the test, even when the test is killed.
func (c *controlPlane) start(t *testing.T, program string, arguments ...string) {
	t.Helper()
	command := exec.Command(program, arguments...)
	output := &logBuffer{}
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait() // its error is that it was killed
		if t.Failed() {
			t.Logf("the last of %s's log:\n%s", filepath.Base(program), output.tail(4000))
		}
	})
}

// client makes a configuration for a user with a certificate of the cluster's authority.
func (c *controlPlane) client(t *testing.T, user string, groups ...string) *rest.Config {
	t.Helper()
	authority, err := pki.ReadAuthority(c.path("ca"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := pki.Issue(authority, pki.LeafRequest{CommonName: user, Organizations: groups, Client: true, Validity: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return c.clientWith(cert, key)
}

func (c *controlPlane) clientWith(cert, key []byte) *rest.Config {
	return &rest.Config{Host: c.server, TLSClientConfig: rest.TLSClientConfig{CAFile: c.path("ca.crt"), CertData: cert, KeyData: key}}
}

// programs returns the directory of the real programs.
func programs(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("REDOUBT_BIN_DIR")
	if bin == "" {
		var err error
		if bin, err = filepath.Abs("../../../bin"); err != nil {
			t.Fatal(err)
		}
	}
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			t.Skipf("needs the real %s: build it with `make bin`, or point REDOUBT_BIN_DIR at a directory that has it (%v)", program, err)
		}
	}
	return bin
}

func freePorts(t *testing.T, count int) []int {
	t.Helper()
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close() // all at the end, so that no port is given twice
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// serial returns the serial number of the certificate that a server presents.
func serial(address string) (string, error) {
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // only the number is of interest
	if err != nil {
		return "", err
	}
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
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

func (b *logBuffer) tail(bytes int) string {
	text := b.String()
	return text[max(0, len(text)-bytes):]
}

// logged tells whether the agent has logged a text.
func (c *controlPlane) logged(text string) error {
	if !strings.Contains(c.agentLog.String(), text) {
		return fmt.Errorf("the agent has not logged %q", text)
	}
	return nil
}

var discard = slog.New(slog.DiscardHandler)
