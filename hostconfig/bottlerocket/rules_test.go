package bottlerocket

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// A lock that goes away, or a bound that widens, shows in the golden file.
func TestRules(t *testing.T) {
	var b strings.Builder
	for _, rule := range slices.Concat(Rules(), SysctlRules(), ModuleRules()) {
		var said []string
		for _, each := range []string{rule.Control, rule.Field, rule.Bound, rule.Never} {
			if each != "" {
				said = append(said, each)
			}
		}
		if rule.want != "" {
			said = append(said, fmt.Sprintf("%q", rule.want))
		}
		fmt.Fprintln(&b, strings.Join(append([]string{rule.Path, string(rule.Merge)}, said...), " | "))
	}
	golden.Compare(t, "rules.txt", b.String())
}
