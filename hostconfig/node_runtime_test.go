package hostconfig

import (
	"maps"
	"strings"
	"testing"
)

// containerdOf gives the configuration of the node's containerd.
func containerdOf(t *testing.T, n Node) string {
	t.Helper()
	accepted(t, n.Validate(now))
	files, err := n.Worker().Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file.Path == n.Paths.ContainerdConfig() {
			return file.Contents
		}
	}
	t.Fatal("no configuration of containerd")
	return ""
}

// What is said of the runtime reaches the files that it reads.
func TestNodeRuntime(t *testing.T) {
	n := nodeOf(t, OSFlatcar, RoleWorker)
	n.RuntimeClasses = RuntimeClasses()
	n.Runtime = Runtime{GVisorPlatform: "kvm", KataConfig: "/opt/kata/own.toml", Extra: map[string]any{"max_concurrent_downloads": 7}}
	before := maps.Clone(n.Runtime.Extra)
	got := containerdOf(t, n)
	for _, want := range []string{"version = 3", "enable_selinux = true", "max_concurrent_downloads = 7", `ConfigPath = "/opt/kata/own.toml"`, "SystemdCgroup = true"} {
		if !strings.Contains(got, want) {
			t.Errorf("flatcar: no %s in:\n%s", want, got)
		}
	}
	if flags := n.Worker().runscFlags(); flags["platform"] != "kvm" {
		t.Errorf("gVisor: %v", flags)
	}
	if !maps.Equal(before, n.Runtime.Extra) {
		t.Error("the caller's keys were changed")
	}

	n = nodeOf(t, OSHost, RoleWorker)
	if got := containerdOf(t, n); !strings.Contains(got, "version = 2") || !strings.Contains(got, "enable_selinux = false") {
		t.Errorf("host:\n%s", got)
	}
	n.Runtime = Runtime{ContainerdVersion: Containerd2, SELinux: true}
	if got := containerdOf(t, n); !strings.Contains(got, "version = 3") || !strings.Contains(got, "enable_selinux = true") {
		t.Errorf("host with containerd 2:\n%s", got)
	}
}

// A setting without effect would be believed to protect.
func TestNodeRuntimeWithoutEffect(t *testing.T) {
	n := nodeOf(t, OSFlatcar, RoleWorker)
	n.Runtime = Runtime{GVisorPlatform: "kvm", KataConfig: "/opt/kata/own.toml", SELinux: true, ContainerdVersion: Containerd17}
	err := n.Validate(now)
	refused(t, err, "runtime.gVisorPlatform", "without the runtime class gvisor")
	refused(t, err, "runtime.kataConfig", "without the runtime class kata")
	refused(t, err, "runtime.selinux", "no effect on flatcar")
	refused(t, err, "runtime.containerdVersion", "no effect on flatcar")
	n = nodeOf(t, OSBottlerocket, RoleWorker)
	n.Runtime = Runtime{Extra: map[string]any{"max_concurrent_downloads": 7}, GVisorPlatform: "kvm", SELinux: true}
	err = n.Validate(now)
	for _, field := range []string{"runtime.extra", "runtime.gVisorPlatform", "runtime.selinux"} {
		refused(t, err, field, "no effect on bottlerocket")
	}
}
