package hostconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func firewalls() map[string]Firewall {
	controlPlane := Firewall{
		Role: RoleControlPlane, ControlPlane: []string{"10.80.0.10"}, Workers: []string{"10.80.0.12", "10.80.0.11"},
		Operators: []string{"10.83.0.0/29"}, PodCIDR: "10.81.0.0/16",
	}
	worker := controlPlane
	worker.Role = RoleWorker
	alone := controlPlane
	alone.Workers, alone.Operators = nil, nil
	wide := controlPlane
	wide.ControlPlane = []string{"10.80.0.10", "10.80.0.20", "10.80.0.30", "10.80.0.10"}
	wide.Operators = []string{"10.83.0.0/29", "10.83.0.0/16", "10.84.0.0/24"}
	wide.Ports = Ports{APIServer: 7443, Webhooks: []int{9443}}
	wideWorker := wide
	wideWorker.Role = RoleWorker
	return map[string]Firewall{
		"control-plane": controlPlane, "worker": worker, "control-plane-alone": alone,
		"control-plane-several": wide, "worker-webhooks": wideWorker,
	}
}

func TestNftablesGolden(t *testing.T) {
	for name, f := range firewalls() {
		ruleset, err := Nftables(f)
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "nftables/"+name+".nft", ruleset)
	}
}

// checkRuleset asks nft itself, without applying anything.
func checkRuleset(t testing.TB, ruleset string) {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed: install nftables to check the rulesets")
	}
	if os.Geteuid() != 0 {
		t.Skip("nft checks a ruleset for root only")
	}
	file := filepath.Join(t.TempDir(), "ruleset.nft")
	if err := os.WriteFile(file, []byte(ruleset), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command("nft", "-c", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("nft refuses it: %v: %s\n%s", err, output, ruleset)
	}
}

func TestNftAccepts(t *testing.T) {
	for name, f := range firewalls() {
		t.Run(name, func(t *testing.T) {
			ruleset, err := Nftables(f)
			if err != nil {
				t.Fatal(err)
			}
			checkRuleset(t, ruleset)
		})
	}
}

func TestNftablesShape(t *testing.T) {
	for name, f := range firewalls() {
		ruleset, err := Nftables(f)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(ruleset, "table inet redoubt\ndelete table inet redoubt\n") {
			t.Errorf("%s cannot be applied twice", name)
		}
		if strings.Count(ruleset, "policy drop;") != 3 || strings.Contains(ruleset, "policy accept") {
			t.Errorf("%s: not every chain drops", name)
		}
		for _, never := range []string{"flush", "counter", " log", "169.254.169.254", "0.0.0.0/0"} {
			if strings.Contains(ruleset, never) {
				t.Errorf("%s contains %q", name, never)
			}
		}
		for _, line := range strings.Split(ruleset, "\n") {
			line = strings.TrimSpace(line)
			// An address that is not tied to an interface can be forged from anywhere.
			if strings.Contains(line, "accept") && strings.Contains(line, "addr @") && !strings.Contains(line, "ifname") {
				t.Errorf("%s: no interface in %q", name, line)
			}
		}
	}
}

func TestFirewallRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Firewall)
		field, text string
	}{
		"no role":             {func(f *Firewall) { f.Role = "" }, "role", "not a role"},
		"no control plane":    {func(f *Firewall) { f.ControlPlane = nil }, "controlPlane", "empty"},
		"IPv6 machine":        {func(f *Firewall) { f.Workers = []string{"fd00::1"} }, "workers[0]", "IPv4"},
		"range as a machine":  {func(f *Firewall) { f.Workers = []string{"10.80.0.0/24"} }, "workers[0]", "IPv4"},
		"injection":           {func(f *Firewall) { f.Workers = []string{"10.80.0.1 }\naccept"} }, "workers[0]", "IPv4"},
		"metadata address":    {func(f *Firewall) { f.Workers = []string{"169.254.169.254"} }, "workers[0]", "no machine"},
		"unspecified address": {func(f *Firewall) { f.ControlPlane = []string{"0.0.0.0"} }, "controlPlane[0]", "no machine"},
		"two roles":           {func(f *Firewall) { f.Workers = f.ControlPlane }, "", "both"},
		"machine among pods":  {func(f *Firewall) { f.Workers = []string{"10.81.0.1"} }, "workers[0]", "podCIDR"},
		"open to the world":   {func(f *Firewall) { f.Operators = []string{"0.0.0.0/0"} }, "operators[0]", "world"},
		"half the world":      {func(f *Firewall) { f.Operators = []string{"128.0.0.0/1"} }, "operators[0]", "world"},
		"operators are pods":  {func(f *Firewall) { f.Operators = []string{"10.81.4.0/24"} }, "operators[0]", "overlaps"},
		"host bits":           {func(f *Firewall) { f.Operators = []string{"10.83.0.1/29"} }, "operators[0]", "host bits"},
		"wide pods":           {func(f *Firewall) { f.PodCIDR = "0.0.0.0/0" }, "podCIDR", "world"},
		"wildcard interface":  {func(f *Firewall) { f.NodeInterface = "eth*" }, "nodeInterface", "interface name"},
		"long interface":      {func(f *Firewall) { f.PodInterface = "abcdefghijklmnop" }, "podInterface", "interface name"},
		"loopback":            {func(f *Firewall) { f.NodeInterface = "lo" }, "nodeInterface", "loopback"},
		"one for two":         {func(f *Firewall) { f.OperatorInterface = "eth0" }, "operatorInterface", "also"},
		"port":                {func(f *Firewall) { f.Ports.APIServer = -1 }, "ports.apiServer", "not a port"},
		"webhook port":        {func(f *Firewall) { f.Ports.Webhooks = []int{0} }, "ports.webhooks[0]", "not a port"},
	} {
		t.Run(name, func(t *testing.T) {
			f := firewalls()["control-plane"]
			each.change(&f)
			err := f.Validate()
			if each.field == "" {
				if err == nil || !strings.Contains(err.Error(), each.text) {
					t.Errorf("got %v", err)
				}
			} else {
				refused(t, err, each.field, each.text)
			}
			if ruleset, err := Nftables(f); err == nil || ruleset != "" {
				t.Error("it was rendered nevertheless")
			}
		})
	}
}

// FuzzNftables: what is accepted is accepted by nft too, and never opens more.
func FuzzNftables(f *testing.F) {
	f.Add("10.80.0.10", "10.80.0.11", "10.83.0.0/29", "10.81.0.0/16", "eth0", 6443, true)
	f.Add("10.80.0.10", "", "10.0.0.0/8", "11.0.0.0/9", "a.b-c_d", 1, false)
	f.Add("::1", "x\" accept", "0.0.0.0/0", "", "eth0\"", 0, true)
	f.Fuzz(func(t *testing.T, controlPlane, worker, operators, pods, link string, port int, isWorker bool) {
		firewall := Firewall{Role: RoleControlPlane, ControlPlane: []string{controlPlane}, Workers: []string{worker},
			Operators: []string{operators, "10.83.0.0/29"}, PodCIDR: pods, NodeInterface: link, Ports: Ports{APIServer: port}}
		if isWorker {
			firewall.Role = RoleWorker
		}
		ruleset, err := Nftables(firewall)
		if err != nil {
			if ruleset != "" {
				t.Fatal("a ruleset and an error")
			}
			return
		}
		if strings.Count(ruleset, "policy drop;") != 3 || strings.Count(ruleset, "chain ") != 3 {
			t.Fatalf("the shape changed:\n%s", ruleset)
		}
		for _, line := range strings.Split(ruleset, "\n") {
			if strings.HasSuffix(strings.TrimSpace(line), "accept") && !strings.Contains(line, `ifname "lo"`) && !strings.Contains(line, "ct state") {
				t.Fatalf("an accept without a flow: %q", line)
			}
		}
		checkRuleset(t, ruleset)
	})
}
