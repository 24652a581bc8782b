//go:build linux

package images

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/redoubt-dev/redoubt/components/local/agent/images"
)

// served builds the test images, as they are built for a cluster, and serves them on
// loopback. It returns the registry's address and the digests by image name.
func served(t *testing.T) (address string, digests map[string]string) {
	t.Helper()
	directory := t.TempDir()
	digests = map[string]string{}
	for program, image := range map[string]string{"pause": "redoubt.local/pause:3.10", "hello": "redoubt.local/hello:1"} {
		binary := filepath.Join(t.TempDir(), program)
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./"+program)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			t.Fatalf("building %s: %v\n%s", program, err, output)
		}
		digest, err := images.Add(directory, images.Image{Binary: binary, Name: image, User: images.DefaultUser})
		if err != nil {
			t.Fatal(err)
		}
		digests[image] = digest
	}
	handler, err := images.NewRegistry(directory, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		handler.Close()
	})
	return strings.TrimPrefix(server.URL, "http://"), digests
}

// TestPullWithGoContainerRegistry pulls with a client that checks every size, digest
// and media type, and tries to push with it.
func TestPullWithGoContainerRegistry(t *testing.T) {
	address, digests := served(t)
	for full, digest := range digests {
		repository, _, _ := strings.Cut(full, ":")
		for _, text := range []string{address + "/" + full, address + "/" + repository + "@" + digest} {
			ref, err := name.ParseReference(text, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			image, err := remote.Image(ref)
			if err != nil {
				t.Fatalf("pulling %s: %v", text, err)
			}
			layers, err := image.Layers()
			if err != nil || len(layers) != 1 {
				t.Fatalf("%s: %d layers, %v", text, len(layers), err)
			}
			content, err := layers[0].Compressed() // checks size and digest while it is read
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, content); err != nil {
				t.Errorf("%s: %v", text, err)
			}
			content.Close()
			if have, err := image.Digest(); err != nil || have.String() != digest {
				t.Errorf("%s: digest %v, %v; want %s", text, have, err, digest)
			}
			other, err := name.NewTag(address+"/redoubt.local/other:1", name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			if err := remote.Write(other, image); err == nil {
				t.Error("the registry took a push")
			}
			if err := remote.Delete(ref); err == nil {
				t.Error("the registry took a deletion")
			}
		}
	}
}

// TestPullWithContainerd pulls by way of a mirror for every registry, the way nodes
// are configured, and unpacks what it pulled.
func TestPullWithContainerd(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root to unpack an image")
	}
	for _, program := range []string{"containerd", "ctr"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s: apt-get install containerd", program)
		}
	}
	address, digests := served(t)
	directory := t.TempDir()
	hosts := filepath.Join(directory, "certs.d", "_default")
	if err := os.MkdirAll(hosts, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(hosts, "hosts.toml"), fmt.Sprintf("[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", "http://"+address))
	socket := startContainerd(t, directory)
	for image, digest := range digests {
		output, err := exec.Command("ctr", "--address", socket, "--namespace", "redoubt-test", "images", "pull",
			"--hosts-dir", filepath.Dir(hosts), image).CombinedOutput()
		if err != nil {
			t.Fatalf("pulling %s: %v\n%s", image, err, output)
		}
		list, err := exec.Command("ctr", "--address", socket, "--namespace", "redoubt-test", "images", "ls", "name=="+image).CombinedOutput()
		if err != nil || !bytes.Contains(list, []byte(digest)) {
			t.Errorf("%s: %v\n%swant digest %s", image, err, list, digest)
		}
	}
}

// startContainerd starts a containerd of our own and returns its socket.
func startContainerd(t *testing.T, directory string) string {
	t.Helper()
	config, socket := filepath.Join(directory, "config.toml"), filepath.Join(directory, "s")
	write(t, config, fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n[grpc]\n  address = %q\n",
		filepath.Join(directory, "root"), filepath.Join(directory, "state"), socket))
	var log bytes.Buffer
	daemon := exec.Command("containerd", "--config", config)
	daemon.Stdout, daemon.Stderr = &log, &log
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Signal(syscall.SIGTERM)
		daemon.Wait() // its error is the signal
		if t.Failed() {
			t.Logf("containerd's log:\n%s", &log)
		}
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		output, err := exec.Command("ctr", "--address", socket, "--timeout", "1s", "version").CombinedOutput()
		if err == nil {
			return socket
		}
		if time.Now().After(deadline) {
			t.Fatalf("containerd does not answer: %v\n%s", err, output)
		}
	}
}

func write(t *testing.T, path, contents string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
}
