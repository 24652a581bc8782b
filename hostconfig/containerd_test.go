package hostconfig

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func parseTOML(t testing.TB, document string) map[string]any {
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
		return []string{fmt.Sprintf("%s: %v became %v", path, want, got)}
	}
	read, _ := got.(map[string]any)
	var found []string
	for _, name := range slices.Sorted(maps.Keys(table)) {
		found = append(found, missing(path+"/"+name, table[name], read[name])...)
	}
	return found
}

// containerdProgram finds the real containerd of a line: 1.6 is the system's.
func containerdProgram(t *testing.T, version ContainerdVersion) string {
	t.Helper()
	if version != Containerd16 {
		return program(t, "containerd-"+string(version))
	}
	path, err := exec.LookPath("containerd")
	if err != nil {
		t.Skip("containerd is not installed: install it to check its configuration")
	}
	return path
}

func eachContainerd(t *testing.T, run func(t *testing.T, version ContainerdVersion)) {
	for _, version := range containerdVersions {
		t.Run(string(version), func(t *testing.T) { run(t, version) })
	}
}

// fullWorker has everything that containerd's configuration can say.
func fullWorker(t *testing.T, version ContainerdVersion) Worker {
	w := worker(t)
	w.ContainerdVersion, w.RuntimeClasses, w.SELinux, w.CgroupDriver = version, RuntimeClasses(), true, "systemd"
	w.ExtraContainerd = map[string]any{}
	for _, key := range containerdKeys {
		if values := overwritableContainerd[key.name]; len(values) > 0 && version.knows(key.since) {
			w.ExtraContainerd[key.name] = values[0]
		}
	}
	accepted(t, w.Validate(now))
	return w
}

// overwritableContainerd holds values that a user may write, other than the
// defaults.
var overwritableContainerd = map[string][]any{
	"stream_idle_timeout":                 {"1h0m0s", "4h0m0s"},
	"debug.level":                         {"warn", "error"},
	"image_pull_progress_timeout":         {"10m0s", "1h0m0s"},
	"default_runtime_name":                {"gvisor", "kata", "runc"},
	"disabled_plugins":                    {[]any{"io.containerd.gc.v1.scheduler"}},
	"enable_cdi":                          {true},
	"selinux_category_range":              {512},
	"tolerate_missing_hugetlb_controller": {false},
	"disable_hugetlb_controller":          {false},
	"ignore_image_defined_volumes":        {true},
	"max_container_log_line_size":         {8192.0},
	"netns_mounts_under_state_dir":        {true},
	"drain_exec_sync_io_timeout":          {"30s"},
	"ignore_deprecation_warnings":         {[]any{"io.containerd.deprecation/pull-schema-1-image"}},
	"max_conf_num":                        {2},
	"ip_pref":                             {"ipv4"},
	"discard_unpacked_layers":             {true},
	"max_concurrent_downloads":            {5},
	"image_pull_with_sync_fs":             {true},
	"stats_collect_period":                {20},
}

// TestContainerdReadsEverything compares what each real containerd understood
// with what was written: it drops keys that it does not know without a word.
func TestContainerdReadsEverything(t *testing.T) {
	eachContainerd(t, func(t *testing.T, version ContainerdVersion) {
		restricted, plain := fullWorker(t, version), worker(t)
		restricted.RestrictOOMScoreAdj, plain.ContainerdVersion = true, version
		for name, w := range map[string]Worker{"plain": plain, "everything": fullWorker(t, version), "restricted": restricted} {
			w.Paths.Root = t.TempDir()
			file := w.containerdFile()
			if lost := missing("", parseTOML(t, file.Contents), dumpContainerd(t, version, file)); len(lost) > 0 {
				t.Errorf("%s: containerd did not take over:\n%s", name, strings.Join(lost, "\n"))
			}
		}
		// The comparison finds what a version does not know.
		plain.Paths.Root = t.TempDir()
		file := plain.containerdFile()
		file.Contents = strings.Replace(file.Contents, "enable_selinux", "enable_selinux_x", 1)
		if lost := missing("", parseTOML(t, file.Contents), dumpContainerd(t, version, file)); len(lost) != 1 {
			t.Errorf("an unknown key is not noticed: %v", lost)
		}
	})
}

// dumpContainerd gives what the real containerd understood of a file.
func dumpContainerd(t *testing.T, version ContainerdVersion, file File) map[string]any {
	t.Helper()
	writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	command := exec.Command(containerdProgram(t, version), "--config", file.Path, "config", "dump")
	var complaints strings.Builder
	command.Stderr = &complaints
	dump, err := command.Output()
	if err != nil || complaints.Len() > 0 && !strings.Contains(complaints.String(), "enable_selinux_x") {
		t.Fatalf("%v: %s", err, complaints.String())
	}
	return parseTOML(t, string(dump))
}

// TestContainerdLocks tries to weaken every key, with and without an exception, and
// writes what may be written.
func TestContainerdLocks(t *testing.T) {
	for _, rule := range ContainerdRules() {
		t.Run(rule.Name, func(t *testing.T) {
			at := slices.IndexFunc(containerdKeys, func(k containerdKey) bool { return k.name == rule.Name })
			if at < 0 {
				t.Fatal("a rule without a key")
			}
			w := worker(t)
			w.ContainerdVersion, w.RuntimeClasses = Containerd2, RuntimeClasses()
			hardened := w.hardenedContainerd()[rule.Name]
			field := fmt.Sprintf("extraContainerd[%q]", rule.Name)
			for _, value := range weakerContainerd(containerdKeys[at], hardened) {
				w.ExtraContainerd, w.Exceptions = map[string]any{rule.Name: value}, nil
				err := w.Validate(now)
				if rule.Merge == Overwritable && rule.Control == "" {
					accepted(t, err)
					continue
				}
				want := rule.Control
				if rule.Field != "" {
					want = "decided by the field " + rule.Field
				}
				refused(t, err, field, want)
				merged, _ := w.mergeContainerd()
				if !reflect.DeepEqual(merged[rule.Name], hardened) {
					t.Errorf("refused, and rendered nevertheless: %v", merged[rule.Name])
				}
				if rule.Control != "" && rule.Name != "default_runtime_name" { // no exception makes a handler
					w.Exceptions = []Exception{accept(rule.Control)}
					accepted(t, w.Validate(now))
				}
			}
			for _, value := range overwritableContainerd[rule.Name] {
				w.ExtraContainerd, w.Exceptions = map[string]any{rule.Name: value}, nil
				accepted(t, w.Validate(now))
			}
		})
	}
	for _, key := range containerdKeys {
		if _, known := containerdRules[key.name]; !known {
			t.Errorf("%s has no rule", key.name)
		}
	}
}

// weakerContainerd gives a value of the right form that is not the hardened one,
// and outside of every bound.
func weakerContainerd(key containerdKey, hardened any) []any {
	switch key.kind {
	case kindBool:
		return []any{hardened == false}
	case kindInt:
		return []any{77}
	case kindStrings:
		if key.name == "disabled_plugins" {
			return []any{[]any{"io.containerd.image-verifier.v1.bindir"}, []any{"cri"}}
		}
		return []any{[]any{"other"}}
	case kindDuration:
		if key.name == "drain_exec_sync_io_timeout" {
			return []any{"1s"}
		}
		return []any{"0s", "900h0m0s"}
	}
	if key.name == "debug.level" {
		return []any{"debug", "trace"}
	}
	return []any{"0.0.0.0", "unconfined"}
}

func TestContainerdRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Worker)
		field, text string
	}{
		"unknown version":     {func(w *Worker) { w.ContainerdVersion = "1.5" }, "containerdVersion", "supported"},
		"unknown key":         {func(w *Worker) { w.ExtraContainerd = map[string]any{"no_pivot": true} }, `extraContainerd["no_pivot"]`, "no such key"},
		"key of a later line": {func(w *Worker) { w.ExtraContainerd = map[string]any{"enable_cdi": true} }, `extraContainerd["enable_cdi"]`, "ignore"},
		"wrong form":          {func(w *Worker) { w.ExtraContainerd = map[string]any{"max_concurrent_downloads": "five"} }, `extraContainerd["max_concurrent_downloads"]`, "whole number"},
		"half a number":       {func(w *Worker) { w.ExtraContainerd = map[string]any{"max_concurrent_downloads": 1.5} }, `extraContainerd["max_concurrent_downloads"]`, "whole number"},
		"nothing":             {func(w *Worker) { w.ExtraContainerd = map[string]any{"ip_pref": nil} }, `extraContainerd["ip_pref"]`, "string"},
		"class that is not there": {func(w *Worker) { w.ExtraContainerd = map[string]any{"default_runtime_name": "kata"} },
			`extraContainerd["default_runtime_name"]`, "no handler"},
		"unknown class":  {func(w *Worker) { w.RuntimeClasses = []string{"runsc"} }, "runtimeClasses[0]", "sandboxed"},
		"runc as class":  {func(w *Worker) { w.RuntimeClasses = []string{"runc"} }, "runtimeClasses[0]", "sandboxed"},
		"class twice":    {func(w *Worker) { w.RuntimeClasses = []string{"kata", "kata"} }, "runtimeClasses[1]", "twice"},
		"platform":       {func(w *Worker) { w.GVisorPlatform = "ptrace" }, "gVisorPlatform", "platform"},
		"relative path":  {func(w *Worker) { w.KataConfig = "kata.toml" }, "kataConfig", "absolute"},
		"path with line": {func(w *Worker) { w.KataConfig = "/a\n[plugins]" }, "kataConfig", "absolute"},
	} {
		t.Run(name, func(t *testing.T) {
			w := worker(t)
			each.change(&w)
			refused(t, w.Validate(now), each.field, each.text)
		})
	}
}

// TestContainerdHardened names what an auditor looks for, in each form.
func TestContainerdHardened(t *testing.T) {
	eachContainerd(t, func(t *testing.T, version ContainerdVersion) {
		w := fullWorker(t, version)
		w.ExtraContainerd = nil
		document := parseTOML(t, w.containerdFile().Contents)
		for part, want := range map[containerdPart]map[string]any{
			partRoot:     {"oom_score": int64(-999)},
			partGRPC:     {"tcp_address": "", "uid": int64(0), "gid": int64(0)},
			partMetrics:  {"address": ""},
			partDebug:    {"address": "", "level": "info"},
			partService:  {"disable_tcp_service": true, "stream_server_address": "127.0.0.1"},
			partRuntime:  {"unset_seccomp_profile": "runtime/default", "enable_unprivileged_ports": false, "enable_unprivileged_icmp": false, "device_ownership_from_security_context": false, "enable_selinux": true},
			partRegistry: {"config_path": "/etc/containerd/certs.d"},
			partPinned:   {map[bool]string{true: "sandbox", false: "sandbox_image"}[version == Containerd2]: "redoubt.local/pause:1"},
			partRuntimes: {"default_runtime_name": "runc"},
		} {
			if lost := missing("", want, at(document, containerdTable(version, part))); len(lost) > 0 {
				t.Errorf("%v", lost)
			}
		}
		for name, kind := range map[string]string{"runc": "io.containerd.runc.v2", RuntimeClassGVisor: "io.containerd.runsc.v1", RuntimeClassKata: "io.containerd.kata.v2"} {
			want := map[string]any{"runtime_type": kind, "privileged_without_host_devices": true}
			if lost := missing("", want, at(document, append(slices.Clone(containerdTable(version, partHandler)), name))); len(lost) > 0 {
				t.Errorf("%s: %v", name, lost)
			}
		}
	})
}

func at(document map[string]any, path []string) any {
	var current any = document
	for _, name := range path {
		table, _ := current.(map[string]any)
		current = table[name]
	}
	return current
}

func TestContainerdGolden(t *testing.T) {
	eachContainerd(t, func(t *testing.T, version ContainerdVersion) {
		w := fullWorker(t, version)
		w.ExtraContainerd = map[string]any{"max_concurrent_downloads": 5}
		golden.Compare(t, "containerd/config-"+string(version)+".toml", w.containerdFile().Contents)
		golden.Compare(t, "containerd/runsc.toml", w.runscFile().Contents)
	})
}

// TestRunscHolds: what would open the sandbox.
func TestRunscHolds(t *testing.T) {
	flags := parseTOML(t, fullWorker(t, Containerd2).runscFile().Contents)["runsc_config"].(map[string]any)
	for name, want := range map[string]string{
		"network": "sandbox", "platform": "systrap", "host-uds": "none", "host-fifo": "none", "net-raw": "false",
		"allow-flag-override": "false", "oci-seccomp": "true", "rootless": "false", "profile": "false", "systemd-cgroup": "true",
	} {
		if flags[name] != want {
			t.Errorf("%s is %v, want %s", name, flags[name], want)
		}
	}
}
