//go:build linux

package netns

import (
	"os"
	"strings"
	"testing"
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
