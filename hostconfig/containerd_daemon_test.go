package hostconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	criv1 "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// shortRoot is a directory for a daemon: the path of a socket has at most 107
// characters, for which t.TempDir is too long.
func shortRoot(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("", "rdhc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	return root
}

// startContainerd runs the real containerd of a worker below its root, with
// mounts of its own. Its sockets lie below the root, its streams on loopback.
func startContainerd(t *testing.T, w Worker, unshare ...string) *daemon {
	t.Helper()
	real := containerdProgram(t, w.ContainerdVersion)
	path, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed: install util-linux")
	}
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	accepted(t, w.Validate(time.Now()))
	files, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	}
	d := startPath(t, path, append(append(append(unshare, "--mount"), real), w.ContainerdArgs()...))
	d.until(t, "a start", func() bool { return strings.Contains(d.output(), "containerd successfully booted") })
	return d
}

// criOf gives the CRI services of a daemon.
func criOf(t *testing.T, w Worker) (criv1.RuntimeServiceClient, criv1.ImageServiceClient) {
	t.Helper()
	connection, err := grpc.NewClient("unix://"+w.Paths.ContainerdSocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return criv1.NewRuntimeServiceClient(connection), criv1.NewImageServiceClient(connection)
}

// TestContainerdStarts runs each real containerd in a network and mounts of its
// own, and asks it what it runs: a plugin that others need and that is disabled
// shows only then.
func TestContainerdStarts(t *testing.T) {
	eachContainerd(t, func(t *testing.T, version ContainerdVersion) {
		w := fullWorker(t, version)
		w.Paths.Root, w.RestrictOOMScoreAdj, w.SELinux, w.ExtraContainerd = shortRoot(t), true, false, nil
		d := startContainerd(t, w, "--net")
		for _, line := range strings.Split(d.output(), "\n") {
			if strings.Contains(line, "failed to load plugin") || strings.Contains(line, "gnoring unknown key") {
				t.Error(line)
			}
			for _, plugin := range disabledContainerdPlugins {
				if strings.Contains(line, "loading plugin") && strings.Contains(line, plugin) && !strings.Contains(line, "skip") {
					t.Errorf("%s is loaded: %s", plugin, line)
				}
			}
		}
		info, err := os.Stat(w.Paths.ContainerdSocket())
		if err != nil || info.Mode().Perm() != 0o660 {
			t.Errorf("the socket: %v %v", info, err)
		}
		runtimes, _ := criOf(t, w)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		status, err := runtimes.Status(ctx, &criv1.StatusRequest{Verbose: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, condition := range status.Status.Conditions {
			if condition.Type == criv1.RuntimeReady && !condition.Status {
				t.Errorf("not ready: %v", condition)
			}
		}
		var running map[string]any
		if err := json.Unmarshal([]byte(status.Info["config"]), &running); err != nil {
			t.Fatal(err)
		}
		for _, name := range append(RuntimeClasses(), handlerRunc) {
			handler, _ := at(running, []string{"containerd", "runtimes", name}).(map[string]any)
			if handler["runtimeType"] == nil || handler["privileged_without_host_devices"] != true {
				t.Errorf("the handler %s is %v", name, handler)
			}
		}
		for key, want := range map[string]any{"unsetSeccompProfile": "runtime/default", "enableUnprivilegedPorts": false,
			"enableUnprivilegedICMP": false, "device_ownership_from_security_context": false, "disableApparmor": false} {
			if running[key] != want {
				t.Errorf("%s is %v in the running daemon, want %v", key, running[key], want)
			}
		}
	})
}

// testRegistry is a registry on loopback that counts who asks it.
type testRegistry struct {
	address string
	asked   atomic.Int32
}

// serve starts a registry with the image hello:1. Without a certificate it
// speaks plain http; with an authority of clients it wants their certificate.
func serve(t *testing.T, certificate string, clients *authority) *testRegistry {
	t.Helper()
	r := &testRegistry{}
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		r.asked.Add(1)
		images.ServeHTTP(writer, request)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	// The image is pushed past the network.
	fill := httptest.NewServer(images)
	defer fill.Close()
	reference, err := name.ParseReference(strings.TrimPrefix(fill.URL, "http://") + "/hello:1")
	if err != nil {
		t.Fatal(err)
	}
	image, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, image); err != nil {
		t.Fatal(err)
	}
	if certificate == "" {
		server.Start()
	} else {
		pair, err := tls.LoadX509KeyPair(certificate+".crt", certificate+".key")
		if err != nil {
			t.Fatal(err)
		}
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		if clients != nil {
			server.TLS.ClientCAs, server.TLS.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
			server.TLS.ClientCAs.AddCert(clients.certificate)
		}
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	r.address = server.Listener.Addr().String()
	return r
}

// TestContainerdPulls lets each real containerd pull from registries on loopback.
func TestContainerdPulls(t *testing.T) {
	eachContainerd(t, func(t *testing.T, version ContainerdVersion) {
		keys := t.TempDir()
		ours, theirs := newAuthority(t, filepath.Join(keys, "ours"), "ours"), newAuthority(t, filepath.Join(keys, "theirs"), "theirs")
		issue := func(by authority, name string) string {
			path := filepath.Join(keys, name)
			by.issue(t, LeafCertificate{CommonName: name, IPAddresses: []string{"127.0.0.1"}, Server: true, Client: true, CertFile: path + ".crt", KeyFile: path + ".key"})
			return path
		}
		pem := func(name string) string {
			contents, err := os.ReadFile(filepath.Join(keys, name+".crt"))
			if err != nil {
				t.Fatal(err)
			}
			return string(contents)
		}
		node := issue(ours, "node")
		trusted, foreign := serve(t, issue(ours, "trusted"), nil), serve(t, issue(theirs, "foreign"), nil)
		mutual, nameless, unlisted := serve(t, issue(ours, "mutual"), &ours), serve(t, issue(ours, "nameless"), &ours), serve(t, "", nil)
		ourTrust := RegistryTrust{CertificateAuthority: pem("ours")}
		w := worker(t)
		w.ContainerdVersion, w.Paths.Root, w.RestrictOOMScoreAdj = version, shortRoot(t), true
		w.Registries = Registries{Allowed: []Registry{
			{Name: trusted.address, RegistryTrust: ourTrust},
			{Name: foreign.address, RegistryTrust: ourTrust},
			{Name: mutual.address, RegistryTrust: RegistryTrust{CertificateAuthority: pem("ours"), ClientCertificate: node + ".crt", ClientKey: node + ".key"}},
			{Name: nameless.address, RegistryTrust: ourTrust},
			{Name: "mirrored.example.org", MirrorsOnly: true, Mirrors: []Mirror{
				{URL: "https://" + foreign.address, RegistryTrust: ourTrust}, // fails, and the next is asked
				{URL: "https://" + trusted.address, RegistryTrust: ourTrust},
			}},
			{Name: "rooted.example.org", MirrorsOnly: true, Mirrors: []Mirror{
				{URL: "https://" + trusted.address + "/v2", OverridePath: true, RegistryTrust: ourTrust}}},
			{Name: "plain.example.org", MirrorsOnly: true, Mirrors: []Mirror{{URL: "http://" + unlisted.address}}},
		}}
		startContainerd(t, w)
		_, images := criOf(t, w)
		for _, each := range []struct {
			name, image string
			refusal     string
		}{
			{"trusted authority", trusted.address, ""},
			{"client certificate", mutual.address, ""},
			{"second mirror", "mirrored.example.org", ""},
			{"overridden path", "rooted.example.org", ""},
			{"plain mirror on loopback", "plain.example.org", ""},
			{"foreign authority", foreign.address, "unknown authority"},
			{"no client certificate", nameless.address, "certificate required"},
		} {
			err := pull(t, images, each.image+"/hello:1")
			if each.refusal == "" {
				if err != nil {
					t.Errorf("%s: %v", each.name, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), each.refusal) {
				t.Errorf("%s: %v, want %q", each.name, err, each.refusal)
			}
		}
		asked := unlisted.asked.Load()
		if err := pull(t, images, unlisted.address+"/hello:1"); err == nil {
			t.Error("a registry that is not listed was pulled from")
		} else if !strings.Contains(err.Error(), "no ") {
			t.Errorf("refused for another reason: %v", err)
		}
		if unlisted.asked.Load() != asked {
			t.Error("a registry that is not listed was asked")
		}
		// It is the list that refuses: without it the same image comes. containerd
		// reads these files at each pull.
		w.Registries.AllowUnlisted, w.Exceptions = true, []Exception{accept(controlRegistries)}
		open, err := w.Files()
		if err != nil {
			t.Fatal(err)
		}
		refusal := filepath.Join(w.Paths.RegistryHosts(), "_default", "hosts.toml")
		if slices.ContainsFunc(open, func(f File) bool { return f.Path == refusal }) {
			t.Error("the exception left the refusal in place")
		}
		if err := os.RemoveAll(filepath.Dir(refusal)); err != nil {
			t.Fatal(err)
		}
		if err := pull(t, images, unlisted.address+"/hello:1"); err != nil {
			t.Errorf("without the list: %v", err)
		}
	})
}

func pull(t *testing.T, images criv1.ImageServiceClient, image string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := images.PullImage(ctx, &criv1.PullImageRequest{Image: &criv1.ImageSpec{Image: image}})
	return err
}
