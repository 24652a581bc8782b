package selfmanaged

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// pinnedIgnition finds the program that the repository builds.
func pinnedIgnition(t *testing.T) string {
	t.Helper()
	directory, chosen := os.LookupEnv("REDOUBT_BIN_DIR")
	if !chosen {
		directory = filepath.Join("..", "..", "bin")
	}
	found := must[string](t)(filepath.Abs(filepath.Join(directory, "ignition")))
	if _, err := os.Stat(found); err != nil {
		t.Skipf("ignition is not built: %v; run test/tools/build ignition", err)
	}
	return found
}

// stored gives what lies at a URL that a machine fetches.
func stored(s Spec, source string) []byte {
	for _, name := range PKIFiles() {
		if source == s.source(PKIKey(name)) {
			return secret(name)
		}
	}
	switch {
	case source == s.source(s.WithDefaults().ProgramKey()):
		return []byte("redoubt-node")
	case strings.HasSuffix(source, "gvisor.raw"):
		return []byte("gvisor")
	case strings.HasSuffix(source, "x86-64.raw"):
		return []byte("kubernetes")
	}
	return nil
}

var sourcePattern = regexp.MustCompile(`"(s3|gs|https)://[^"]+"`)

// apply runs the real Ignition's stages that need no disk, in namespaces of its
// own, on a root with what a Flatcar image ships. What the machine would fetch
// stands in the place of its address; the hashes are the rendered ones.
func apply(t *testing.T, s Spec, m Machine, change func(source string, contents []byte) []byte) (string, error) {
	t.Helper()
	ignition, unshare := pinnedIgnition(t), tool(t, "unshare", "util-linux")
	root(t)
	r, work := t.TempDir(), t.TempDir()
	for path, contents := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500:Admin:/home/core:/bin/bash\n", "/etc/group": "root:x:0:\ncore:x:500:\n",
		"/etc/shadow": "root:*:15887:0:::::\ncore:*:15887:0:::::\n", "/etc/gshadow": "root:*::\ncore:!::\n", "/home/core/.bashrc": "",
		"/etc/hostname": "shipped\n", "/etc/hosts": "127.0.0.1 localhost\n", "/etc/containerd/config.toml": "shipped\n", "/etc/flatcar/update.conf": "shipped\n",
		"/usr/lib/os-release": "ID=flatcar\n", "/etc/selinux/config": "SELINUX=disabled\nSELINUXTYPE=mcs\n", "/usr/lib/systemd/system/multi-user.target": "[Unit]\nDescription=shipped\n",
	} {
		write(t, r+path, contents, 0o644)
	}
	document := sourcePattern.ReplaceAllFunc(m.Ignition, func(quoted []byte) []byte {
		source := strings.Trim(string(quoted), `"`)
		contents := stored(s, source)
		if contents == nil {
			t.Fatalf("%s fetches %s, which nobody stored", m.Name, source)
		}
		return []byte(`"data:;base64,` + url.PathEscape(base64.StdEncoding.EncodeToString(change(source, contents))) + `"`)
	})
	write(t, work+"/c.ign", string(document), 0o600)
	write(t, work+"/state", "{}", 0o600)
	write(t, work+"/bin/setfiles", "#!/bin/sh\nexit 0\n", 0o755)
	write(t, work+"/bin/ignition-kargs-helper", "#!/bin/sh\nexit 0\n", 0o755)
	for _, stage := range []string{"fetch", "files"} {
		command := exec.Command(unshare, "--mount", "--net", "sh", "-c", `mount -t tmpfs none /run && exec "$@"`, "sh",
			ignition, "--root="+r, "--platform=file", "--stage="+stage, "--config-cache="+work+"/c.json", "--state-file="+work+"/state", "--neednet="+work+"/nn", "--log-to-stdout")
		command.Env = append(os.Environ(), "IGNITION_CONFIG_FILE="+work+"/c.ign", "PATH="+work+"/bin:"+os.Getenv("PATH"))
		command.Dir = work
		if output, err := command.CombinedOutput(); err != nil {
			return r, fmt.Errorf("%s: %w: %s", stage, err, output[max(0, len(output)-2000):])
		}
	}
	return r, nil
}

func unchanged(_ string, contents []byte) []byte { return contents }

// TestIgnitionWrites: the real Ignition leaves every file with its mode, every
// secret where kubeadm looks for it and closed to others, and every unit.
func TestIgnitionWrites(t *testing.T) {
	for _, s := range []Spec{aws(), gcp()} {
		rendering := must[Rendering](t)(s.Render(now))
		for _, m := range []Machine{rendering.ControlPlanes[0], rendering.Pools[1]} {
			r, err := apply(t, s, m, unchanged)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range m.Spec.Parts.Files {
				if got := read(t, r+file.Path); got != file.Contents {
					t.Errorf("%s: %s differs", m.Name, file.Path)
				}
				mode(t, r+file.Path, os.FileMode(file.Mode))
			}
			for _, fetched := range m.Spec.Parts.Fetched {
				if got := read(t, r+fetched.Path); got != string(stored(s, fetched.Source)) {
					t.Errorf("%s: %s holds %q", m.Name, fetched.Path, got)
				}
				mode(t, r+fetched.Path, os.FileMode(fetched.Mode))
				if open := fetched.Mode&0o077 != 0; open && !strings.HasSuffix(fetched.Path, ".crt") && !strings.HasSuffix(fetched.Path, ".pub") && fetched.Path != nodeconfig.Program {
					t.Errorf("%s: others may read %s (CIS 1.1.21)", m.Name, fetched.Path)
				}
			}
			for _, service := range m.Spec.Services() {
				if got := read(t, r+"/etc/systemd/system/"+service.Name); got != must[string](t)(service.Render()) {
					t.Errorf("%s: %s differs", m.Name, service.Name)
				}
			}
			for _, mount := range m.Spec.Parts.Mounts {
				if got := read(t, r+"/etc/systemd/system/"+mount.Name()); got != must[string](t)(mount.Render()) {
					t.Errorf("%s: %s differs", m.Name, mount.Name())
				}
			}
			for _, masked := range m.Spec.Parts.Masked {
				if target, err := os.Readlink(r + "/etc/systemd/system/" + masked); err != nil || target != "/dev/null" {
					t.Errorf("%s: %s is not masked: %v", m.Name, masked, err)
				}
			}
			// The real systemd-tmpfiles closes the kubelet's unit, and makes directories.
			if output, err := exec.Command(tool(t, "systemd-tmpfiles", "systemd"), "--root="+r, "--create", "--boot", r+"/etc/tmpfiles.d/redoubt.conf").CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", m.Name, err, output)
			}
			mode(t, r+"/etc/systemd/system/kubelet.service", 0o600)
			if m.Name == "control-plane-1" {
				mode(t, r+kmsDir, os.ModeDir|0o700)
			}
			config, err := nodeconfig.Parse([]byte(read(t, r+nodeconfig.File)))
			if err != nil || config.ControlPlaneMachine() != (m.Name == "control-plane-1") {
				t.Errorf("%s: redoubt-node reads %+v: %v", m.Name, config, err)
			}
		}
	}
}

func mode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Error(err)
		return
	}
	if owner := info.Sys().(*syscall.Stat_t); info.Mode() != want || owner.Uid != 0 || owner.Gid != 0 {
		t.Errorf("%s has mode %v and owner %d:%d", path, info.Mode(), owner.Uid, owner.Gid)
	}
}

// TestIgnitionRefusesAnotherFile: whoever can write the store, but not the
// configurations, gives no machine a key or a program of theirs.
func TestIgnitionRefusesAnotherFile(t *testing.T) {
	s := gcp()
	m := must[Rendering](t)(s.Render(now)).ControlPlanes[0]
	for _, target := range []string{"ca.key", EncryptionFile, "redoubt-node"} {
		_, err := apply(t, s, m, func(source string, contents []byte) []byte {
			if strings.Contains(source, target) {
				return append(bytes.Clone(contents), 'x')
			}
			return contents
		})
		if err == nil || !strings.Contains(err.Error(), "hash verification failed") {
			t.Errorf("%s: another one is taken: %v", target, err)
		}
	}
}

// TestNothingSecretIsRendered walks every byte that is rendered: user data and the
// objects of workers have neither a secret nor a way to one, and those of control
// planes have hashes only.
func TestNothingSecretIsRendered(t *testing.T) {
	secrets := regexp.MustCompile(`PRIVATE KEY|SECRET|[a-z0-9]{6}\.[a-z0-9]{16}\b|(?i)\b(password|token|secretAccessKey)["']?[:=] *["'][^"']`)
	for name, s := range specs() {
		rendering := must[Rendering](t)(s.Render(now))
		for _, m := range append(rendering.ControlPlanes, rendering.Pools...) {
			// Contents are encoded in Ignition, and readable in Butane's document.
			readable := string(must[[]byte](t)(m.Spec.Butane(now)))
			for kind, text := range map[string]string{"user data": string(m.UserData), "ignition": decoded(t, m.Ignition), "document": readable} {
				if found := secrets.FindString(text); found != "" {
					t.Errorf("%s: the %s of %s holds %q", name, kind, m.Name, found)
				}
			}
			if strings.Contains(string(m.UserData), "data:") || len(m.UserData) > 2000 {
				t.Errorf("%s: the user data of %s is more than a pointer: %s", name, m.Name, m.UserData)
			}
			if m.Name == "general" || m.Name == "isolated" {
				for _, foreign := range append(PKIFiles(), "control-plane/") {
					if hash := s.PKI[foreign]; strings.Contains(readable, foreign+"\n") || hash != "" && strings.Contains(readable, hash) {
						t.Errorf("%s: %s is told of %s", name, m.Name, foreign)
					}
				}
			}
		}
	}
	if !secrets.MatchString("-----BEGIN EC PRIVATE KEY-----") || !secrets.MatchString("abcdef.0123456789abcdef") || !secrets.MatchString(`token: "x"`) {
		t.Error("the search finds nothing")
	}
}

// decoded gives Ignition's document with the contents of its data URLs.
func decoded(t *testing.T, document []byte) string {
	t.Helper()
	if !json.Valid(document) {
		t.Fatal("it is no JSON")
	}
	text := string(document)
	for _, match := range regexp.MustCompile(`"data:[^"]*"`).FindAllString(text, -1) {
		_, payload, _ := strings.Cut(strings.Trim(match, `"`), ",")
		plain := must[string](t)(url.PathUnescape(payload))
		if strings.Contains(match, ";base64,") {
			plain = string(must[[]byte](t)(base64.StdEncoding.DecodeString(plain)))
		}
		text += "\n" + plain
	}
	return text
}
