//go:build linux

package netns

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Two checkouts have an environment of one name: the second neither takes over
// nor removes what the first has.
func TestNetworkBelongsToOneOwner(t *testing.T) {
	first := topology(t, 31)
	first.Owner = t.TempDir()
	ensure(t, first)

	second := first
	second.Owner = t.TempDir()
	if err := Ensure(t.Context(), second); err == nil || !strings.Contains(err.Error(), first.Owner) || !strings.Contains(err.Error(), "choose another name") {
		t.Fatalf("a second owner got the network: %v", err)
	}
	if err := Remove(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if drift := check(t, first); len(drift) > 0 {
		t.Fatalf("a second owner's removal took from the first: %q", drift)
	}

	// A checkout that was deleted owns nothing any more.
	if err := os.RemoveAll(first.Owner); err != nil {
		t.Fatal(err)
	}
	ensure(t, second)
	if err := Remove(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(second.ownerFile()); !os.IsNotExist(err) {
		t.Errorf("the claim outlives the network: %v", err)
	}
}

// A machine that leaves the network while it still runs keeps its namespace
// until it has stopped: removing the name alone would hide it from everybody.
func TestBusyNamespaceStays(t *testing.T) {
	top := topology(t, 32)
	ensure(t, top)
	leaving := Namespace(top.Environment, "worker-2")
	process := exec.Command("nsenter", "--net=/run/netns/"+leaving, "sleep", "60")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	for deadline := time.Now().Add(time.Minute); !busy(leaving) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	fewer := top
	fewer.Members = top.Members[:2]
	ensure(t, fewer)
	if !exists(leaving) {
		t.Error("the namespace of a running machine lost its name")
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
	ensure(t, fewer)
	if exists(leaving) {
		t.Error("the namespace outlives its machine")
	}
}
