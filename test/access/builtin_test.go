package access

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/policies/access"
	"github.com/redoubt-dev/redoubt/policies/access/live"
)

var update = flag.Bool("update", false, "write the digests of Kubernetes' own roles anew")

// TestBuiltinRolesAreKubernetes holds the digests against what the API server makes itself (CIS 5.1.3).
func TestBuiltinRolesAreKubernetes(t *testing.T) {
	client := server(t).masters()
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	minor := version.Major + "." + version.Minor
	c, err := live.Collect(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	made := access.Wildcards(c)
	if *update {
		var lines []string
		for _, name := range slices.Sorted(maps.Keys(made)) {
			lines = append(lines, fmt.Sprintf("%s %s %s", minor, name, made[name]))
		}
		const path = "../../policies/access/builtin.txt"
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(before)), "\n") {
			if line != "" && !strings.HasPrefix(line, minor+" ") {
				lines = append(lines, line)
			}
		}
		slices.Sort(lines)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s was written anew: read it and run again without -update", path)
	}
	if known := access.Builtin(minor); len(known) < 5 || !maps.Equal(known, made) {
		t.Errorf("of %s there are %v, known are %v", minor, made, known)
	}
}
