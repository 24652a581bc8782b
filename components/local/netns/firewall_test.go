//go:build linux

package netns

import (
	"slices"
	"strings"
	"testing"
)

const rules = `table inet redoubt
delete table inet redoubt
table inet redoubt {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif "lo" accept
		tcp dport 7780 accept
	}
}
`

func TestFirewall(t *testing.T) {
	top := topology(t, 210)
	ensure(t, top)
	worker := Namespace(top.Environment, "worker-1")
	fingerprint := func() string {
		t.Helper()
		f, err := FirewallFingerprint(t.Context(), worker)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if got := fingerprint(); got != "" {
		t.Errorf("the fingerprint of no table is %q", got)
	}
	if err := ApplyFirewall(t.Context(), worker, rules); err != nil {
		t.Fatal(err)
	}
	listen(t, top, "worker-1", "0.0.0.0:7780")
	listen(t, top, "worker-1", "0.0.0.0:7781")
	from := Namespace(top.Environment, "control-plane")
	if err := reach(from, "10.80.0.11:7780"); err != nil {
		t.Errorf("the allowed port: %v", err)
	}
	if err := reach(from, "10.80.0.11:7781"); err == nil {
		t.Error("the other port answers")
	}
	before := fingerprint()
	if err := ApplyFirewall(t.Context(), worker, rules); err != nil || fingerprint() != before {
		t.Errorf("applying twice changes the fingerprint, or fails: %v", err)
	}
	if err := ApplyFirewall(t.Context(), worker, rules+"nonsense\n"); err == nil || fingerprint() != before {
		t.Errorf("rules with an error must change nothing, and fail: %v", err)
	}
	mustIn(t, top, "worker-1", "nft", "add rule inet redoubt input tcp dport 7781 accept")
	if fingerprint() == before {
		t.Error("an added rule does not show")
	}
	mustIn(t, top, "worker-1", "nft", "delete table inet redoubt")
	if got := fingerprint(); got != "" {
		t.Errorf("after the table was deleted the fingerprint is %q", got)
	}
	if f, err := FirewallFingerprint(t.Context(), "rd-no-such"); err != nil || f != "" {
		t.Errorf("without a namespace: %q, %v", f, err)
	}
	if err := ApplyFirewall(t.Context(), "rd-no-such", rules); err == nil || !slices.Contains(strings.Fields(err.Error()), "rd-no-such:") {
		t.Errorf("a firewall for no namespace: %v", err)
	}
}
