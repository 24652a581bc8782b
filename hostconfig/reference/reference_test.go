package reference

import (
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// TestPageIsCurrent fails when a table changed and the page did not.
func TestPageIsCurrent(t *testing.T) {
	got, err := Markdown()
	if err != nil {
		t.Fatal(err)
	}
	golden.CompareFile(t, "../../docs/hostconfig.md", got)
}

// TestExamplesAreAccepted: a page of defaults that no specification has would
// be of no use.
func TestExamplesAreAccepted(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, role := range []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker} {
		if err := Example(role).Validate(now); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
	if err := bottlerocketExample().Validate(now); err != nil {
		t.Error(err)
	}
}

// TestEveryRuleIsOnThePage looks for each name in the page.
func TestEveryRuleIsOnThePage(t *testing.T) {
	page, err := Markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range hostconfig.NodeFields() {
		if !strings.Contains(page, code(field.Path)) {
			t.Errorf("the node's %s is missing", field.Path)
		}
	}
	for _, component := range []string{hostconfig.ComponentEtcd, hostconfig.ComponentAPIServer, hostconfig.ComponentControllerManager, hostconfig.ComponentScheduler} {
		for _, rule := range hostconfig.ArgumentRules(component) {
			if !strings.Contains(page, code(rule.Name)) {
				t.Errorf("%s of %s is missing", rule.Name, component)
			}
		}
	}
	if row := "| `profiling` | `false` | CIS-1.2.15 | locked: needs an exception |"; !strings.Contains(page, row) {
		t.Errorf("no row %s", row)
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") < 3 {
			t.Errorf("a broken row: %s", line)
		}
	}
}
