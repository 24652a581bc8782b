package hostconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func parseTOML(t *testing.T, document string) map[string]any {
	t.Helper()
	var parsed map[string]any
	if err := toml.Unmarshal([]byte(document), &parsed); err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
	return parsed
}

// missing lists what of want is not in got.
func missing(path string, want, got any) []string {
	table, isTable := want.(map[string]any)
	if !isTable {
		if reflect.DeepEqual(want, got) {
			return nil
		}
		return []string{path}
	}
	read, _ := got.(map[string]any)
	var found []string
	for name, each := range table {
		found = append(found, missing(path+"/"+name, each, read[name])...)
	}
	return found
}

// TestContainerdReadsEverything compares what the real containerd understood
// with what was written: it drops keys that it does not know without a word.
func TestContainerdReadsEverything(t *testing.T) {
	if _, err := exec.LookPath("containerd"); err != nil {
		t.Skip("containerd is not installed: install it to check its configuration")
	}
	restricted := worker(t)
	restricted.RestrictOOMScoreAdj, restricted.CgroupDriver = true, "systemd"
	for name, w := range map[string]Worker{"local": worker(t), "restricted": restricted} {
		file := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(file, []byte(w.containerdFile().Contents), 0o600); err != nil {
			t.Fatal(err)
		}
		command := exec.Command("containerd", "--config", file, "config", "dump")
		var complaints strings.Builder
		command.Stderr = &complaints
		dump, err := command.Output()
		if err != nil || complaints.Len() > 0 {
			t.Fatalf("%s: %v: %s", name, err, complaints.String())
		}
		if lost := missing("", parseTOML(t, w.containerdFile().Contents), parseTOML(t, string(dump))); len(lost) > 0 {
			t.Errorf("%s: containerd did not take over %v", name, lost)
		}
	}
}

// TestContainerdStarts runs the real containerd in a network and mounts of its
// own: a plugin that others need and that is disabled shows only then.
func TestContainerdStarts(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip("unshare is not installed: install util-linux")
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		t.Skip("containerd is not installed: install it to check that it starts")
	}
	if os.Geteuid() != 0 {
		t.Skip("containerd needs root")
	}
	// The path of a socket has at most 107 characters: t.TempDir is too long.
	root, err := os.MkdirTemp("", "rdhc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	w := worker(t)
	w.Paths.Root, w.RestrictOOMScoreAdj = root, true
	file := w.containerdFile()
	writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	containerd := startPath(t, unshare, append([]string{"--net", "--mount", "containerd"}, w.ContainerdArgs()...))
	containerd.until(t, "a start", func() bool { return strings.Contains(containerd.output(), "containerd successfully booted") })
	for _, line := range strings.Split(containerd.output(), "\n") {
		if strings.Contains(line, "failed to load plugin") {
			t.Error(line)
		}
	}
	info, err := os.Stat(w.Paths.ContainerdSocket())
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v %v", info, err)
	}
}

func TestContainerd(t *testing.T) {
	at := func(w Worker, path ...string) any {
		var current any = parseTOML(t, w.containerdFile().Contents)
		for _, name := range path {
			table, _ := current.(map[string]any)
			current = table[name]
		}
		return current
	}
	const cri = "io.containerd.grpc.v1.cri"
	restricted := worker(t)
	restricted.RestrictOOMScoreAdj, restricted.CgroupDriver = true, "systemd"
	for _, each := range []struct {
		worker Worker
		want   any
		path   []string
	}{
		{worker(t), int64(2), []string{"version"}},
		{worker(t), int64(-999), []string{"oom_score"}},
		{restricted, nil, []string{"oom_score"}},
		{worker(t), "", []string{"grpc", "tcp_address"}},
		{worker(t), "", []string{"metrics", "address"}},
		{worker(t), "", []string{"debug", "address"}},
		{worker(t), "redoubt.local/pause:1", []string{"plugins", cri, "sandbox_image"}},
		{worker(t), true, []string{"plugins", cri, "disable_tcp_service"}},
		{worker(t), "runtime/default", []string{"plugins", cri, "unset_seccomp_profile"}},
		{worker(t), false, []string{"plugins", cri, "enable_unprivileged_ports"}},
		{worker(t), false, []string{"plugins", cri, "enable_unprivileged_icmp"}},
		{worker(t), false, []string{"plugins", cri, "restrict_oom_score_adj"}},
		{restricted, true, []string{"plugins", cri, "restrict_oom_score_adj"}},
		{worker(t), true, []string{"plugins", cri, "containerd", "runtimes", "runc", "privileged_without_host_devices"}},
		{worker(t), false, []string{"plugins", cri, "containerd", "runtimes", "runc", "options", "SystemdCgroup"}},
		{restricted, true, []string{"plugins", cri, "containerd", "runtimes", "runc", "options", "SystemdCgroup"}},
		{worker(t), "/etc/containerd/certs.d", []string{"plugins", cri, "registry", "config_path"}},
	} {
		if got := at(each.worker, each.path...); !reflect.DeepEqual(got, each.want) {
			t.Errorf("%v: %v, want %v", each.path, got, each.want)
		}
	}
}

func TestRegistryHosts(t *testing.T) {
	parsed := parseTOML(t, worker(t).registryHostsFile().Contents)
	const mirror = "http://127.0.0.1:5000"
	if parsed["server"] != mirror {
		t.Errorf("a pull would fall back to %v", parsed["server"])
	}
	host := parsed["host"].(map[string]any)[mirror].(map[string]any)
	if !reflect.DeepEqual(host["capabilities"], []any{"pull", "resolve"}) || host["skip_verify"] != nil {
		t.Errorf("%v", host)
	}
	w := worker(t)
	w.RegistryEndpoint = ""
	files, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(file.Path, "hosts.toml") {
			t.Errorf("%s without a mirror", file.Path)
		}
	}
}
