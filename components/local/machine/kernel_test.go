package machine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kernel is a stand-in for the host's settings.
func kernel(t *testing.T, settings map[string]string) kernelStore {
	t.Helper()
	root := t.TempDir()
	k := kernelStore{dir: filepath.Join(root, "run", "redoubt"), sys: filepath.Join(root, "sys")}
	for name, value := range settings {
		if err := os.MkdirAll(filepath.Dir(k.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(k.path(name), []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return k
}

func (k kernelStore) must(t *testing.T, dir string, settings map[string]string) {
	t.Helper()
	if err := k.claim(context.Background(), dir, settings); err != nil {
		t.Fatal(err)
	}
}

func (k kernelStore) expect(t *testing.T, name, want string) {
	t.Helper()
	if got, err := k.read(name); err != nil || got != want {
		t.Errorf("%s is %q, not %q (%v)", name, got, want, err)
	}
}

func TestTheLastReleaseRestores(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1", "vm.overcommit_memory": "0"})
	one, two := t.TempDir(), t.TempDir()
	k.must(t, one, map[string]string{"kernel.panic": "10", "vm.overcommit_memory": "1"})
	k.must(t, two, map[string]string{"kernel.panic": "10"})
	k.must(t, two, map[string]string{"kernel.panic": "10"}) // Again is harmless.
	k.must(t, one, nil)
	k.expect(t, "kernel.panic", "10")
	k.expect(t, "vm.overcommit_memory", "0")
	k.must(t, two, nil)
	k.expect(t, "kernel.panic", "1")
	if exists(k.dir) {
		t.Error("the directory is still there")
	}
	k.must(t, two, nil)
	if exists(k.dir) {
		t.Error("a release of nothing made the directory")
	}
}

func TestAClaimThatShrinksGivesUp(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1", "vm.overcommit_memory": "0"})
	dir := t.TempDir()
	k.must(t, dir, map[string]string{"kernel.panic": "10", "vm.overcommit_memory": "1"})
	k.must(t, dir, map[string]string{"kernel.panic": "10"})
	k.expect(t, "vm.overcommit_memory", "0")
	k.expect(t, "kernel.panic", "10")
}

func TestConflictNamesTheHolderAndChangesNothing(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1"})
	one, two := t.TempDir(), t.TempDir()
	k.must(t, one, map[string]string{"kernel.panic": "10"})
	err := k.claim(t.Context(), two, map[string]string{"kernel.panic": "20"})
	if err == nil || !strings.Contains(err.Error(), "kernelSettings.kernel.panic") || !strings.Contains(err.Error(), one) {
		t.Errorf("claim: %v", err)
	}
	k.expect(t, "kernel.panic", "10")
	k.must(t, one, nil)
	k.expect(t, "kernel.panic", "1")
}

func TestMinimum(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.keys.root_maxkeys": "1000000", "kernel.keys.root_maxbytes": "20000"})
	dir := t.TempDir()
	k.must(t, dir, map[string]string{"kernel.keys.root_maxkeys": ">=200", "kernel.keys.root_maxbytes": ">=25000000"})
	k.expect(t, "kernel.keys.root_maxkeys", "1000000")
	k.expect(t, "kernel.keys.root_maxbytes", "25000000")
	k.must(t, dir, nil)
	k.expect(t, "kernel.keys.root_maxbytes", "20000")
}

func TestWhatSomebodyElseSetIsLeft(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1"})
	dir := t.TempDir()
	k.must(t, dir, map[string]string{"kernel.panic": "10"})
	if err := os.WriteFile(k.path("kernel.panic"), []byte("60"), 0o644); err != nil {
		t.Fatal(err)
	}
	k.must(t, dir, nil)
	k.expect(t, "kernel.panic", "60")
}

// TestClaimOfADeletedMachineEnds deletes a machine's state without Stop.
func TestClaimOfADeletedMachineEnds(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1"})
	gone, next := filepath.Join(t.TempDir(), "gone"), t.TempDir()
	if err := os.Mkdir(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	k.must(t, gone, map[string]string{"kernel.panic": "10"})
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	k.must(t, next, map[string]string{"kernel.panic": "20"})
	k.expect(t, "kernel.panic", "20")
	k.must(t, next, nil)
	k.expect(t, "kernel.panic", "1")
}

// TestCrashBetweenRecordAndKernel leaves what a crash there leaves: a record
// of the original value, and the kernel either way.
func TestCrashBetweenRecordAndKernel(t *testing.T) {
	for _, now := range []string{"1", "10"} {
		k := kernel(t, map[string]string{"kernel.panic": now})
		dir := t.TempDir()
		if err := os.MkdirAll(k.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		record := map[string]*held{"kernel.panic": {Original: "1", Value: "10", Claims: []string{dir}}}
		if err := k.store(filepath.Join(k.dir, "kernel.json"), record); err != nil {
			t.Fatal(err)
		}
		k.must(t, dir, map[string]string{"kernel.panic": "10"})
		k.expect(t, "kernel.panic", "10")
		k.must(t, dir, nil)
		k.expect(t, "kernel.panic", "1")
	}
}

func TestRefusedSettingNamesTheRemedy(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1"})
	dir := t.TempDir()
	// A directory cannot be written, root or not.
	if err := os.MkdirAll(k.path("kernel.odd"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := k.claim(t.Context(), dir, map[string]string{"kernel.odd": "1", "kernel.absent": "1", "kernel.panic": "10"})
	if err == nil || !strings.Contains(err.Error(), "kernelSettings.kernel.absent: this kernel does not have the setting") {
		t.Errorf("claim: %v", err)
	}
	if err := k.write("kernel.odd", "1"); err == nil || !strings.Contains(err.Error(), "sysctl -w kernel.odd=1") {
		t.Errorf("write: %v", err)
	}
}

func TestManyMachinesClaimAtOnce(t *testing.T) {
	k := kernel(t, map[string]string{"kernel.panic": "1"})
	done := make(chan error)
	for range 8 {
		dir := t.TempDir()
		go func() {
			for range 10 {
				if err := k.claim(context.Background(), dir, map[string]string{"kernel.panic": "10"}); err != nil {
					done <- err
					return
				}
				if err := k.claim(context.Background(), dir, nil); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	k.expect(t, "kernel.panic", "1")
	if exists(k.dir) {
		t.Error("the directory is still there")
	}
}
