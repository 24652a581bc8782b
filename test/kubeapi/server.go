package kubeapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Options are what a test wants beside the defaults.
type Options struct {
	// Controllers runs the controller manager as well.
	Controllers bool
	// DefaultStorageClass gives claims that name no class the default one, as Kubernetes does by itself.
	DefaultStorageClass bool
	// APIServer are further arguments of the API server.
	APIServer []string
}

// Server is a running API server.
type Server struct {
	// Kubeconfig is an administrator's, of the group system:masters.
	Kubeconfig string

	dir       string
	processes []*exec.Cmd
	apiServer []string
	secure    int
}

// Programs is where the programs are.
func Programs() string {
	if dir := os.Getenv("REDOUBT_BIN_DIR"); dir != "" {
		return dir
	}
	dir, _ := filepath.Abs("../../bin")
	return dir
}

// Start starts one and waits until it is ready. Whoever starts it stops it.
func Start(options Options) (*Server, error) {
	programs := []string{"etcd", "kube-apiserver"}
	if options.Controllers {
		programs = append(programs, "kube-controller-manager")
	}
	for _, program := range programs {
		if _, err := os.Stat(filepath.Join(Programs(), program)); err != nil {
			return nil, fmt.Errorf("%s is not built: run `make tools` first", filepath.Join(Programs(), program))
		}
	}
	s := &Server{}
	if err := s.start(options); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Path is a file of the server: kubeconfig, audit.log, kube-apiserver.log.
func (s *Server) Path(name string) string { return filepath.Join(s.dir, name) }

// Config is for clients of the administrator, whom no client-side limit holds back.
func (s *Server) Config() (*rest.Config, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(s.Kubeconfig))
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return config, nil
}

func (s *Server) start(options Options) (err error) {
	if s.dir, err = os.MkdirTemp("", "kubeapi"); err != nil {
		return err
	}
	if err := s.certificates(); err != nil {
		return err
	}
	ports, err := freePorts(4)
	if err != nil {
		return err
	}
	etcd, secure := fmt.Sprintf("http://127.0.0.1:%d", ports[0]), ports[2]
	if err := s.run("etcd", "--data-dir="+s.Path("etcd"), "--unsafe-no-fsync", "--log-level=error",
		"--listen-client-urls="+etcd, "--advertise-client-urls="+etcd, fmt.Sprintf("--listen-peer-urls=http://127.0.0.1:%d", ports[1])); err != nil {
		return err
	}
	s.secure, s.apiServer = secure, append([]string{"--etcd-servers=" + etcd, fmt.Sprintf("--secure-port=%d", secure),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", // from 1.37 on, endpoints are not on loopback
		"--service-cluster-ip-range=10.96.0.0/24",
		"--tls-cert-file=" + s.Path("server.crt"), "--tls-private-key-file=" + s.Path("server.key"), "--client-ca-file=" + s.Path("ca.crt"),
		"--service-account-key-file=" + s.Path("server.key"), "--service-account-signing-key-file=" + s.Path("server.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--authorization-mode=RBAC",
		"-v=0"}, options.admission()...)
	if err := s.run("kube-apiserver", s.apiServer...); err != nil {
		return err
	}
	s.Kubeconfig = fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:%d", certificate-authority: %q}}]
users: [{name: u, user: {client-certificate: %q, client-key: %q}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, secure, s.Path("ca.crt"), s.Path("admin.crt"), s.Path("admin.key"))
	if err := os.WriteFile(s.Path("kubeconfig"), []byte(s.Kubeconfig), 0o600); err != nil {
		return err
	}
	if err := s.ready(fmt.Sprintf("https://127.0.0.1:%d/readyz", secure)); err != nil || !options.Controllers {
		return err
	}
	return s.run("kube-controller-manager", "--kubeconfig="+s.Path("kubeconfig"), "--authentication-kubeconfig="+s.Path("kubeconfig"),
		"--authorization-kubeconfig="+s.Path("kubeconfig"), "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[3]),
		"--leader-elect=false", "--controllers=*", "--cert-dir="+s.Path("kcm"), "-v=0",
		"--use-service-account-credentials", "--service-account-private-key-file="+s.Path("server.key"),
		"--resource-quota-sync-period=2s", "--namespace-sync-period=10s")
}

// RestartAPIServer ends the API server, which starts again with what etcd has.
func (s *Server) RestartAPIServer() error {
	const at = 1 // after etcd
	_ = s.processes[at].Process.Kill()
	_ = s.processes[at].Wait()
	if err := s.run("kube-apiserver", s.apiServer...); err != nil {
		return err
	}
	last := len(s.processes) - 1
	s.processes[at], s.processes = s.processes[last], s.processes[:last]
	return s.ready(fmt.Sprintf("https://127.0.0.1:%d/readyz", s.secure))
}

func (o Options) admission() []string {
	if o.DefaultStorageClass {
		return o.APIServer
	}
	return append([]string{"--disable-admission-plugins=DefaultStorageClass"}, o.APIServer...)
}

// run starts a program; its output is kept for failures.
func (s *Server) run(program string, args ...string) error {
	log, err := os.Create(s.Path(program + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(Programs(), program), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.processes = append(s.processes, cmd)
	return nil
}

func (s *Server) ready(url string) error {
	config, err := s.Config()
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = errors.New(response.Status)
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(s.Path("kube-apiserver.log"))
			lines := bytes.Split(text, []byte("\n"))
			return fmt.Errorf("the API server is not ready: %w\n%s", err, bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Stop ends the processes and removes their files. It may be called on nil.
func (s *Server) Stop() {
	if s == nil {
		return
	}
	for i := len(s.processes) - 1; i >= 0; i-- {
		_ = s.processes[i].Process.Kill()
		_ = s.processes[i].Wait()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// freePorts are ports that nobody listens on, all different.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
