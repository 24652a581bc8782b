//go:build linux

package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files makes a directory that looks like a cgroup.
func files(t *testing.T, dir string, contents map[string]string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestControllersAreHandedOn uses files in place of a version 2 hierarchy, for
// a kernel that has its controllers in version 1.
func TestControllersAreHandedOn(t *testing.T) {
	dir := files(t, t.TempDir(), map[string]string{"cgroup.controllers": "cpuset cpu memory\n", "cgroup.subtree_control": "cpu memory\n"})
	if err := enableControllers(dir); err != nil {
		t.Fatal(err)
	}
	// A plain file keeps the last write; those that are on are not written.
	if got, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); string(got) != "+cpuset" {
		t.Errorf("written: %q", got)
	}
}

func TestCpusetIsFilledFromTheParent(t *testing.T) {
	root := files(t, t.TempDir(), map[string]string{"cpuset.cpus": "0-3\n", "cpuset.mems": "0\n"})
	child := files(t, filepath.Join(root, "a"), map[string]string{"cpuset.cpus": "\n", "cpuset.mems": "\n"})
	if err := makeGroup(hierarchy{mount: root, controllers: []string{"cpuset"}}, child); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"cpuset.cpus": "0-3", "cpuset.mems": "0"} {
		if got, _ := os.ReadFile(filepath.Join(child, name)); strings.TrimSpace(string(got)) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestOnlyTheMachinesOwnGroupsGo has a neighbour whose name begins the same.
func TestOnlyTheMachinesOwnGroupsGo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("cgroups need root")
	}
	base := "/redoubt-test/" + filepath.Base(t.TempDir()) + "-" + itoa(os.Getpid())
	mine, neighbour := base+"/worker-1", base+"/worker-10"
	for _, root := range []string{mine, neighbour} {
		if err := createCgroups(root); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = destroyCgroups(background, root) })
	}
	if err := destroyCgroups(t.Context(), mine); err != nil {
		t.Fatal(err)
	}
	all, err := hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if exists(filepath.Join(h.mount, mine)) {
			t.Errorf("left: %s", filepath.Join(h.mount, mine))
		}
		if !exists(filepath.Join(h.mount, neighbour, systemLeaf)) {
			t.Errorf("the neighbour is gone from %s", h.mount)
		}
	}
	if inGroup(os.Getpid(), mine) || !inGroup(os.Getpid(), "/") {
		t.Error("a process is taken for one of another group")
	}
}
