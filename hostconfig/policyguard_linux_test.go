package hostconfig

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What is known of pods is put into the kernel again and again: it takes the place of what was there, and nothing is
// lost that nobody has said anything about (M21, M40).
func TestPodRulesInTheKernel(t *testing.T) {
	needsNamespaces(t)
	namespace := fmt.Sprintf("rdpods%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", namespace).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", namespace).Run() })
	nft := func(input string, args ...string) string {
		t.Helper()
		command := exec.Command("ip", append([]string{"netns", "exec", namespace, "nft"}, args...)...)
		command.Stdin = strings.NewReader(input)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	addresses := func(texts ...string) []netip.Addr {
		out := []netip.Addr{}
		for _, text := range texts {
			out = append(out, netip.MustParseAddr(text))
		}
		return out
	}
	for _, step := range []struct {
		name                  string
		known, quarantined    []netip.Addr
		wantKnown, wantSealed string
	}{
		{"first", addresses("10.81.1.3", "10.81.1.2", "10.81.1.2"), addresses("10.81.1.2"), "10.81.1.2, 10.81.1.3", "10.81.1.2"},
		{"others", addresses("10.81.1.4", "fd81::4"), addresses("10.81.1.3"), "10.81.1.4", "10.81.1.3"},
		{"nothing is known of quarantine", addresses("10.81.1.5"), nil, "10.81.1.5", "10.81.1.3"},
		{"nobody", nil, addresses(), "", ""},
	} {
		nft(PodRules(step.known, step.quarantined), "-f", "-")
		for set, want := range map[string]string{"known": step.wantKnown, "quarantined": step.wantSealed} {
			listing := strings.Join(strings.Fields(nft("", "list", "set", "inet", "redoubt_pods", set)), " ")
			if want != "" && !strings.Contains(listing, "elements = { "+want+" }") || want == "" && strings.Contains(listing, "elements") {
				t.Errorf("%s: %s has %s, want %q", step.name, set, listing, want)
			}
		}
		if rules := nft("", "list", "table", "inet", "redoubt_pods"); strings.Count(rules, " drop") != 2 || strings.Count(rules, "mark set") != 1 {
			t.Errorf("%s: rules are there twice, or not at all:\n%s", step.name, rules)
		}
	}
}
