package kubeapply_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// api is a real API server with its etcd and controller manager, on loopback, made once for the package's tests.
type api struct {
	kubeconfig string
	client     dynamic.Interface
	dir        string
	processes  []*exec.Cmd
	err        error
	missing    string
}

var (
	shared     api
	sharedOnce sync.Once
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "16") // the tests wait for controllers, they do not compute
	code := m.Run()
	shared.stop()
	os.Exit(code)
}

// server returns the shared API server, or skips where the programs have not been built.
func server(t *testing.T) *api {
	t.Helper()
	sharedOnce.Do(func() { shared.err = shared.start() })
	if shared.missing != "" {
		t.Skipf("%s is not built: run `make tools` first", shared.missing)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return &shared
}

func binDir() string {
	if dir := os.Getenv("REDOUBT_BIN_DIR"); dir != "" {
		return dir
	}
	dir, _ := filepath.Abs("../../bin")
	return dir
}

func (a *api) start() (err error) {
	for _, program := range []string{"etcd", "kube-apiserver", "kube-controller-manager"} {
		if _, err := os.Stat(filepath.Join(binDir(), program)); err != nil {
			a.missing = filepath.Join(binDir(), program)
			return nil
		}
	}
	if a.dir, err = os.MkdirTemp("", "kubeapply"); err != nil {
		return err
	}
	if err := a.certificates(); err != nil {
		return err
	}
	peer, client, secure := freePort(), freePort(), freePort()
	etcd := fmt.Sprintf("http://127.0.0.1:%d", client)
	if err := a.run("etcd", "--data-dir="+filepath.Join(a.dir, "etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", peer)); err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(a.dir, name) }
	if err := a.run("kube-apiserver", "--etcd-servers="+etcd, fmt.Sprintf("--secure-port=%d", secure),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--service-cluster-ip-range=10.96.0.0/24",
		"--tls-cert-file="+at("server.crt"), "--tls-private-key-file="+at("server.key"), "--client-ca-file="+at("ca.crt"),
		"--service-account-key-file="+at("server.key"), "--service-account-signing-key-file="+at("server.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC",
		"--disable-admission-plugins=DefaultStorageClass", "-v=0"); err != nil {
		return err
	}
	a.kubeconfig = fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %q}}]
users: [{name: u, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, secure, at("ca.crt"), at("admin.crt"), at("admin.key"))
	if err := os.WriteFile(at("kubeconfig"), []byte(a.kubeconfig), 0o600); err != nil {
		return err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(a.kubeconfig))
	if err != nil {
		return err
	}
	if a.client, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	if err := a.ready(fmt.Sprintf("https://127.0.0.1:%d/readyz", secure)); err != nil {
		return err
	}
	return a.run("kube-controller-manager", "--kubeconfig="+at("kubeconfig"), "--authentication-kubeconfig="+at("kubeconfig"),
		"--authorization-kubeconfig="+at("kubeconfig"), "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", freePort()),
		"--leader-elect=false", "--controllers=*", "--cert-dir="+at("kcm"), "-v=0",
		"--resource-quota-sync-period=2s", "--namespace-sync-period=10s")
}

// run starts a program; its output is kept for failures.
func (a *api) run(program string, args ...string) error {
	log, err := os.Create(filepath.Join(a.dir, program+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(binDir(), program), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	a.processes = append(a.processes, cmd)
	return nil
}

func (a *api) ready(url string) error {
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(a.kubeconfig))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	for {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(a.dir, "kube-apiserver.log"))
			return fmt.Errorf("the API server is not ready: %v\n%s", err, tail(text))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (a *api) stop() {
	for i := len(a.processes) - 1; i >= 0; i-- {
		_ = a.processes[i].Process.Kill()
		_ = a.processes[i].Wait()
	}
	if a.dir != "" {
		_ = os.RemoveAll(a.dir)
	}
}

// certificates makes one authority, the server's certificate and an administrator's.
func (a *api) certificates() error {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubeapply test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if err := a.certificate("ca", ca, ca, caKey, caKey); err != nil {
		return err
	}
	for n, name := range []string{"server", "admin"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(int64(n + 2)), Subject: pkix.Name{CommonName: name, Organization: []string{"system:masters"}},
			NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if err := a.certificate(name, leaf, ca, key, caKey); err != nil {
			return err
		}
	}
	return nil
}

func (a *api) certificate(name string, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) error {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	for file, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func tail(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], []byte("\n"))
}
