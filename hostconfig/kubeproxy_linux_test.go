package hostconfig

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
)

// realKubeProxy starts the real kube-proxy in a network namespace of its own,
// against the running API server, and probes what it listens on from the node's
// address and from loopback.
func realKubeProxy(t *testing.T, c ControlPlane, cluster authority) {
	path := program(t, programOf(c.KubernetesVersion, componentKubeProxy))
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	const address = "10.80.0.11"
	l := &lab{t: t, prefix: fmt.Sprintf("rdkp%d-%d-", os.Getpid(), minorNumber(minor(c.KubernetesVersion)))}
	l.run("ip", "netns", "add", l.prefix+"node")
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", l.prefix+"node").Run() })
	l.in("node", "ip", "link", "set", "lo", "up")
	l.in("node", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
	for _, link := range []string{"eth0", "other"} {
		l.in("node", "ip", "link", "set", link, "up")
	}
	l.address("node", "eth0", address+"/24")
	l.address("node", "eth0", "10.99.0.11/24") // not the primary one
	inside := resident(t, l)
	forward(t, inside, c.Ports.APIServer)

	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	masters := filepath.Join(t.TempDir(), "masters")
	cluster.issue(t, LeafCertificate{CommonName: "test", Organizations: []string{"system:masters"}, Client: true, CertFile: masters + ".crt", KeyFile: masters + ".key"})
	root := httpClient(t, c, c.Authorities().Cluster, masters)
	node := corev1.Node{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(name)},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}},
	}
	if got := post(t, root, httpsURL("127.0.0.1", c.Ports.APIServer)+"/api/v1/nodes", node); got != http.StatusCreated {
		t.Fatalf("the node: %d", got)
	}

	identity := filepath.Join(t.TempDir(), "kube-proxy")
	cluster.issue(t, LeafCertificate{CommonName: "system:kube-proxy", Client: true, CertFile: identity + ".crt", KeyFile: identity + ".key"})
	kubeconfig, err := renderKubeconfig(identity+".conf", c.ClusterName,
		clientcmdv1.Cluster{Server: httpsURL("127.0.0.1", c.Ports.APIServer), CertificateAuthority: c.Authorities().Cluster + ".crt"},
		"kube-proxy", clientcmdv1.AuthInfo{ClientCertificate: identity + ".crt", ClientKey: identity + ".key"})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, kubeconfig.Path, []byte(kubeconfig.Contents), 0o600)
	// The limits of the connection table are the host's, not the namespace's.
	k := KubeProxy{KubernetesVersion: c.KubernetesVersion, PodCIDR: c.PodCIDR, Kubeconfig: kubeconfig.Path,
		Extra: map[string]any{"conntrack": map[string]any{"maxPerCore": 0, "min": 0}}}
	accepted(t, k.Validate(now))
	contents, err := k.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, identity+".yaml", []byte(contents), 0o600)
	ip, err := exec.LookPath("ip")
	if err != nil {
		t.Fatal(err)
	}
	proxy := startPath(t, ip, []string{"netns", "exec", l.prefix + "node", path, "--config", identity + ".yaml", "--v=2"})
	dial := func(_ context.Context, network, address string) (connection net.Conn, err error) {
		inside(func() { connection, err = net.DialTimeout(network, address, patience) })
		return connection, err
	}
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true, DialContext: dial}}
	get := func(url string) int { return status(client, url) }
	metrics, health := strconv.Itoa(kubeProxyMetricsPort), strconv.Itoa(kubeProxyHealthPort)
	proxy.until(t, "health on loopback", func() bool { return get("http://127.0.0.1:"+health+"/healthz") == http.StatusOK })
	if got := get("http://127.0.0.1:" + metrics + "/metrics"); got != http.StatusOK {
		t.Errorf("metrics on loopback: %d", got)
	}
	if got := get("http://127.0.0.1:" + metrics + "/proxyMode"); got != http.StatusOK {
		t.Errorf("the mode on loopback: %d", got)
	}
	for _, page := range []string{metrics + "/metrics", health + "/healthz"} {
		if got := get("http://" + address + ":" + page); got != 0 {
			t.Errorf("%s answers %d at the node's address", page, got)
		}
	}
	for _, page := range []string{"/debug/pprof/", "/flagz", "/statusz"} {
		if got := get("http://127.0.0.1:" + metrics + page); got == http.StatusOK {
			t.Errorf("kube-proxy serves %s", page)
		}
	}
	ports := ""
	proxy.until(t, "node ports in nftables", func() bool {
		output, err := exec.Command("ip", "netns", "exec", l.prefix+"node", "nft", "list", "set", "ip", "kube-proxy", "nodeport-ips").CombinedOutput()
		ports = string(output)
		return err == nil && strings.Contains(ports, address)
	})
	if strings.Contains(ports, "10.99.0.11") {
		t.Errorf("node ports answer at every address:\n%s", ports)
	}
	requireNoComplaint(t, proxy)
	if strings.Contains(proxy.output(), "unknown field") {
		t.Errorf("kube-proxy does not know a field:\n%s", proxy.tail())
	}
}

// resident gives a function that runs others in the namespace, on one thread
// that stays until the test ends: the kernel ends a program with the thread that
// started it, so that no thread may end while programs run.
func resident(t *testing.T, l *lab) func(func()) {
	t.Helper()
	work, ready := make(chan func()), make(chan error, 1)
	go func() {
		ready <- l.enter("node", func() error {
			ready <- nil
			for do := range work {
				do()
			}
			return nil
		})
	}()
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(work) })
	return func(do func()) {
		done := make(chan struct{})
		work <- func() { defer close(done); do() }
		<-done
	}
}

// forward lets the namespace reach a port of the host's loopback at its own.
func forward(t *testing.T, inside func(func()), port int) {
	t.Helper()
	target := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	var listener net.Listener
	var err error
	if inside(func() { listener, err = net.Listen("tcp", target) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				near.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1])
					pair[0].Close()
					pair[1].Close()
				}()
			}
		}
	}()
}
