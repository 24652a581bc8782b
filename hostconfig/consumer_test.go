package hostconfig

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
)

// TestRealControlPlane starts the real programs of each minor with what the
// package renders, without isolation, on loopback.
func TestRealControlPlane(t *testing.T) {
	perMinor(t, realControlPlane)
}

func realControlPlane(t *testing.T, version string) {
	for _, name := range []string{ComponentEtcd, ComponentAPIServer, ComponentControllerManager, ComponentScheduler, componentKubelet} {
		program(t, programOf(version, name))
	}
	t.Parallel()
	c := plain()
	c.KubernetesVersion = version
	c.Paths.Root = t.TempDir()
	c.Ports = freePorts(t)
	c.OIDC = []OIDCIssuer{{URL: "https://127.0.0.1:1/issuer", Audiences: []string{"redoubt"}, RequiredClaims: map[string]string{"tenant": "a"}}}
	accepted(t, c.Validate(time.Now()))
	cluster := providePKI(t, c)
	files, err := c.Files()
	if err != nil {
		t.Fatal(err)
	}
	encryption := Encryption{Keys: []EncryptionKey{{Name: "one", Secret: base64.StdEncoding.EncodeToString(make([]byte, 32))}}}
	configuration, err := encryption.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, File{Path: c.Paths.Encryption(), Mode: modePrivate, Contents: configuration})
	for _, file := range files {
		writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	}
	for _, directory := range []string{c.Paths.EtcdData(), filepath.Dir(c.Paths.AuditLog())} {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			t.Fatal(err)
		}
	}

	admin := httpClient(t, c, c.Authorities().Cluster, filepath.Join(c.Paths.Admin(), "client"))
	anonymous := httpClient(t, c, c.Authorities().Cluster, "")
	api := httpsURL("127.0.0.1", c.Ports.APIServer)

	etcd := start(t, ComponentEtcd, c.EtcdArgs())
	health := httpsURL("127.0.0.1", c.Ports.EtcdMetrics) + "/health"
	reader := httpClient(t, c, c.Authorities().Etcd, filepath.Join(c.Paths.PKI(), "apiserver-etcd-client"))
	etcd.until(t, "health over TLS", func() bool { return status(reader, health) == http.StatusOK })
	if got := status(httpClient(t, c, c.Authorities().Etcd, ""), health); got != 0 {
		t.Errorf("etcd's metrics answered %d to a client without a certificate", got)
	}

	server := start(t, programOf(version, ComponentAPIServer), c.APIServerArgs())
	server.until(t, "/readyz for an anonymous request", func() bool { return status(anonymous, api+"/readyz") == http.StatusOK })
	for path, want := range map[string]int{"/api": 401, "/version": 401, "/api/v1/secrets": 401, "/livez": 200, "/healthz": 200} {
		if got := status(anonymous, api+path); got != want {
			t.Errorf("anonymous %s: %d, want %d", path, got, want)
		}
	}
	realRights(t, c, cluster, server, admin)

	manager := start(t, programOf(version, ComponentControllerManager), c.ControllerManagerArgs())
	scheduler := start(t, programOf(version, ComponentScheduler), c.SchedulerArgs())
	for d, port := range map[*daemon]int{manager: c.Ports.ControllerManager, scheduler: c.Ports.Scheduler} {
		base := httpsURL("127.0.0.1", port)
		d.until(t, "/healthz", func() bool { return status(anonymous, base+"/healthz") == http.StatusOK })
		if got := status(anonymous, base+"/metrics"); got != http.StatusForbidden && got != http.StatusUnauthorized {
			t.Errorf("%s: anonymous /metrics: %d", d.name, got)
		}
		if got := status(admin, base+"/debug/pprof/"); got == http.StatusOK {
			t.Errorf("%s serves profiles", d.name)
		}
	}
	// What v1.36 and later show by themselves stays off, for everybody.
	masters := filepath.Join(t.TempDir(), "masters")
	cluster.issue(t, LeafCertificate{CommonName: "test", Organizations: []string{"system:masters"}, Client: true, CertFile: masters + ".crt", KeyFile: masters + ".key"})
	root := httpClient(t, c, c.Authorities().Cluster, masters)
	for _, page := range []string{"/flagz", "/statusz"} {
		for _, base := range []string{api, httpsURL("127.0.0.1", c.Ports.ControllerManager), httpsURL("127.0.0.1", c.Ports.Scheduler)} {
			if got := status(root, base+page); got != http.StatusNotFound {
				t.Errorf("%s%s: %d, want 404", base, page, got)
			}
		}
	}
	for _, d := range []*daemon{server, manager, scheduler} {
		requireNoComplaint(t, d)
	}
	if info, err := os.Stat(c.Paths.AuditLog()); err != nil || info.Size() == 0 {
		t.Errorf("no audit log: %v", err)
	}
	realKubelet(t, c)
	t.Run("kube-proxy", func(t *testing.T) { realKubeProxy(t, c, cluster) })
}

// realRights creates the bootstrap objects and tries what the administrator may
// do with them: run the cluster, but not gain more than that.
func realRights(t *testing.T, c ControlPlane, cluster authority, server *daemon, admin *http.Client) {
	api := httpsURL("127.0.0.1", c.Ports.APIServer)
	if got := status(admin, api+"/api/v1/secrets"); got != http.StatusForbidden {
		t.Errorf("administrator without the bootstrap objects: %d, want 403", got)
	}
	masters := filepath.Join(t.TempDir(), "masters")
	cluster.issue(t, LeafCertificate{CommonName: "test", Organizations: []string{"system:masters"}, Client: true, CertFile: masters + ".crt", KeyFile: masters + ".key"})
	root := httpClient(t, c, c.Authorities().Cluster, masters)
	const rbac = "/apis/rbac.authorization.k8s.io/v1/"
	for _, object := range BootstrapObjects() {
		resource := strings.ToLower(object.GetObjectKind().GroupVersionKind().Kind) + "s"
		if got := post(t, root, api+rbac+resource, object); got != http.StatusCreated {
			t.Fatalf("%s: %d", resource, got)
		}
	}
	server.until(t, "rights of the administrator", func() bool { return status(admin, api+"/api/v1/secrets") == http.StatusOK })
	for name, each := range map[string]struct {
		rules []rbacv1.PolicyRule
		want  int
	}{
		"tenant":   {[]rbacv1.PolicyRule{rule("", "get list", "pods", "secrets"), rule("apps", "create", "deployments")}, http.StatusCreated},
		"wildcard": {[]rbacv1.PolicyRule{rule("*", "*", "*")}, http.StatusForbidden},
		"exec":     {[]rbacv1.PolicyRule{rule("", "get", "nodes/proxy")}, http.StatusForbidden},
		"sign":     {[]rbacv1.PolicyRule{rule("certificates.k8s.io", "approve", "signers")}, http.StatusForbidden},
	} {
		if got := post(t, admin, api+rbac+"clusterroles", clusterRole(name, each.rules)); got != each.want {
			t.Errorf("administrator writes the role %s: %d, want %d", name, got, each.want)
		}
	}
	binding := clusterRoleBinding("takeover", "cluster-admin", group(GroupPlatformAdmins))
	if got := post(t, admin, api+rbac+"clusterrolebindings", binding); got != http.StatusForbidden {
		t.Errorf("administrator binds cluster-admin: %d, want 403", got)
	}
}

// post creates an object and gives the answer's status.
func post(t *testing.T, client *http.Client, url string, object any) int {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// realKubelet lets the real kubelet read its configuration, begin to join and
// look for containerd. It gets no further, because neither a bootstrap token nor
// containerd exists, and has changed nothing on the host by then.
func realKubelet(t *testing.T, c ControlPlane) {
	w := worker(t)
	w.KubernetesVersion, w.Paths.Root = c.KubernetesVersion, t.TempDir()
	w.APIServer = httpsURL("127.0.0.1", c.Ports.APIServer)
	w.Ports = c.Ports
	w.CgroupV1, w.Swap = true, true
	ca, err := os.ReadFile(c.Paths.ClusterCA())
	if err != nil {
		t.Fatal(err)
	}
	w.CACertificate = string(ca)
	accepted(t, w.Validate(time.Now()))
	files, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	bootstrap, err := w.BootstrapKubeconfig("abcdef.0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, bootstrap) {
		writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	}
	kubelet := start(t, programOf(c.KubernetesVersion, componentKubelet), append(w.KubeletArgs(), "--v=2"))
	kubelet.until(t, "an attempt to join and to reach containerd", func() bool {
		return strings.Contains(kubelet.output(), "Use the bootstrap credentials to request a cert") &&
			strings.Contains(kubelet.output(), "validate CRI v1 runtime API for endpoint")
	})
	for _, complaint := range []string{"failed to load kubelet config", "failed to validate kubelet configuration", "has been deprecated", "unknown field"} {
		if strings.Contains(kubelet.output(), complaint) {
			t.Errorf("the kubelet says %q:\n%s", complaint, kubelet.tail())
		}
	}
}

// requireNoComplaint: the program knows every flag and feature that it is told.
func requireNoComplaint(t *testing.T, d *daemon) {
	t.Helper()
	for _, complaint := range []string{"unknown flag", "unrecognized feature gate", "has been deprecated", "Setting deprecated feature gate", "Setting GA feature gate"} {
		for _, line := range strings.Split(d.output(), "\n") {
			if strings.Contains(line, complaint) {
				t.Errorf("%s: %s", d.name, line)
			}
		}
	}
}

// portsInUse are those that one test of this run has: tests run beside each
// other, and the system gives a port that is free again to the next who asks.
var portsInUse sync.Map

// freePorts finds ports that nobody uses. Another program could take one before
// it is used; the programs would then say so.
func freePorts(t *testing.T) Ports {
	t.Helper()
	var ports Ports
	for _, each := range ports.named() {
		for *each.Port == 0 {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			port := listener.Addr().(*net.TCPAddr).Port
			if _, taken := portsInUse.LoadOrStore(port, true); !taken {
				*each.Port = port
			}
		}
	}
	return ports
}

func httpClient(t *testing.T, c ControlPlane, ca, certificate string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca + ".crt")
	if err != nil {
		t.Fatal(err)
	}
	// controller-manager and scheduler have the cluster's authority too.
	configuration := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	configuration.RootCAs.AppendCertsFromPEM(pem)
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate+".crt", certificate+".key")
		if err != nil {
			t.Fatal(err)
		}
		configuration.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: configuration, DisableKeepAlives: true}}
}

// status gives the answer's status, or 0 without an answer.
func status(client *http.Client, url string) int {
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
