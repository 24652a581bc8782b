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
	cloud, cloudWorker := cloudFirewall(RoleControlPlane), cloudFirewall(RoleWorker)
	gcp := Firewall{Role: RoleControlPlane, ControlPlane: []string{"10.80.0.10"}, Workers: []string{"10.80.0.0/20"}, PodCIDR: "10.96.0.0/14", NodeInterface: "ens4",
		Surroundings: Surroundings{Platform: PlatformGCP, Network: []NetworkTraffic{CiliumVXLAN, CiliumHealth}, Services: []Service{RestrictedGoogleAPIs()}}}
	only6 := Firewall{Role: RoleWorker, ControlPlane: []string{"fd80:1::/64"}, Workers: []string{"fd80:2::/64"},
		PodCIDRs: []string{"fd81::/56"}, Surroundings: Surroundings{Platform: PlatformMetal, Resolvers: []string{"fd80::53"}, Network: []NetworkTraffic{CalicoWireGuard}}}
	managed := Firewall{Role: RoleWorker, Surroundings: Surroundings{Platform: PlatformAWS}, Managed: true, ControlPlane: []string{"10.80.16.0/20"},
		Workers: []string{"10.80.16.0/20"}, PodCIDRs: []string{"100.64.0.0/16"}, PodInterfaces: []string{"eni*"}, NodeInterface: "ens5"}
	policies := worker
	policies.PolicyAgent = KubeRouter
	return map[string]Firewall{
		"worker-policies": policies, "control-plane-cloud": cloud, "worker-cloud": cloudWorker, "control-plane-gcp": gcp, "worker-ipv6": only6, "worker-managed": managed,
		"control-plane": controlPlane, "worker": worker, "control-plane-alone": alone,
		"control-plane-several": wide, "worker-webhooks": wideWorker,
	}
}

// cloudFirewall is a dual-stack cluster on AWS whose workers scale by themselves.
func cloudFirewall(role Role) Firewall {
	return Firewall{
		Role:         role,
		ControlPlane: []string{"10.80.0.10", "10.80.0.20", "fd80::10", "fd80::20"}, Workers: []string{"10.80.1.0/24", "fd80::1:0/112"},
		Operators: []string{"10.83.0.0/29", "fd83::/64"}, PodCIDR: "10.81.0.0/16", PodCIDRs: []string{"fd81::/56"},
		Ports: Ports{Webhooks: []int{9443}}, PodInterfaces: []string{"cali*"},
		Surroundings: Surroundings{
			Platform: PlatformAWS, Network: []NetworkTraffic{CalicoVXLAN, CalicoTypha, CalicoBGP, CiliumHealth}, LoadBalancers: []string{"10.80.3.0/28"},
			Services: []Service{
				{Name: "registry", CIDRs: []string{"10.90.0.10", "fd90::10"}, Reason: "images"},
				{Name: "objects", CIDRs: []string{"10.91.0.0/24", "fd91::/64"}, Port: 8443, Pods: true, Reason: "objects of workloads"},
				{Name: "logs", CIDRs: []string{"10.90.0.11"}, Protocol: ProtocolUDP, Port: 514, Reason: "audit records leave the machine"},
			},
		},
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
		// What an agent has judged passes a further chain, which accepts nothing by itself.
		if strings.Count(ruleset, "policy drop;") != 3 || strings.Contains(ruleset, "policy accept") != (f.PolicyAgent != "") {
			t.Errorf("%s: not every chain drops", name)
		}
		never := []string{"flush", "counter", " log", "0.0.0.0/0", "::/0"}
		if f.Platform == "" {
			never = append(never, "169.254.169.254", "ipv6_")
		}
		for _, never := range never {
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
		"mapped address":      {func(f *Firewall) { f.Workers = []string{"::ffff:10.80.0.11"} }, "workers[0]", "neither"},
		"zone":                {func(f *Firewall) { f.Workers = []string{"fe80::1%eth0"} }, "workers[0]", "neither"},
		"world of machines":   {func(f *Firewall) { f.Workers = []string{"0.0.0.0/0"} }, "workers[0]", "world"},
		"IPv6 world":          {func(f *Firewall) { f.Workers = []string{"fd00::/8"} }, "workers[0]", "world"},
		"host bits of range":  {func(f *Firewall) { f.Workers = []string{"10.80.0.11/24"} }, "workers[0]", "host bits"},
		"etcd for workers":    {func(f *Firewall) { f.ControlPlane, f.Workers = []string{"10.80.0.0/28"}, []string{"10.80.0.0/24"} }, "workers[0]", "M13"},
		"IPv6 for nobody":     {func(f *Firewall) { f.Operators = []string{"fd83::/64"} }, "operators[0]", "no machine or pod has IPv6"},
		"no pods at all":      {func(f *Firewall) { f.PodCIDR = "" }, "podCIDR", "not a range"},
		"pod address":         {func(f *Firewall) { f.PodCIDRs = []string{"fd81::1"} }, "podCIDRs[0]", "not a range"},
		"mapped pods":         {func(f *Firewall) { f.PodCIDRs = []string{"::ffff:10.81.0.0/112"} }, "podCIDRs[0]", "not a range"},
		"platform":            {func(f *Firewall) { f.Platform = "moon" }, "platform", "not a platform"},
		"managed metal":       {func(f *Firewall) { f.Platform, f.Managed = PlatformMetal, true }, "managed", "no managed"},
		"managed role":        {func(f *Firewall) { f.Platform, f.Managed = PlatformAWS, true }, "role", "cloud's"},
		"network":             {func(f *Firewall) { f.Network = []NetworkTraffic{"carrier-pigeon"} }, "network[0]", "no traffic"},
		"network twice":       {func(f *Firewall) { f.Network = []NetworkTraffic{CalicoBGP, CalicoBGP} }, "network[1]", "repeated"},
		"service for all":     {func(f *Firewall) { f.Services = []Service{{Name: "a", Reason: "b"}} }, "services[0].cidrs", "empty"},
		"service unexplained": {func(f *Firewall) { f.Services = []Service{{Name: "a", CIDRs: []string{"10.9.0.1"}}} }, "services[0].reason", "empty"},
		"service world":       {func(f *Firewall) { f.Services = []Service{{CIDRs: []string{"0.0.0.0/0"}}} }, "services[0].cidrs[0]", "world"},
		"service metadata":    {func(f *Firewall) { f.Services = []Service{{CIDRs: []string{"169.254.169.254"}}} }, "services[0].cidrs[0]", "M21"},
		"service metadata 6":  {func(f *Firewall) { f.Services = []Service{{CIDRs: []string{"fd00:ec2::/64"}}} }, "services[0].cidrs[0]", "M21"},
		"service metadata 8":  {func(f *Firewall) { f.Services = []Service{{CIDRs: []string{"169.0.0.0/8"}}} }, "services[0].cidrs[0]", "M21"},
		"service name":        {func(f *Firewall) { f.Services = []Service{{Name: "a_b\""}} }, "services[0].name", "DNS label"},
		"service twice":       {func(f *Firewall) { f.Services = []Service{{Name: "a"}, {Name: "a"}} }, "services[1].name", "another"},
		"service protocol":    {func(f *Firewall) { f.Services = []Service{{Protocol: ProtocolAny}} }, "services[0].protocol", "not a protocol"},
		"service port":        {func(f *Firewall) { f.Services = []Service{{Port: 70000}} }, "services[0].port", "not a port"},
		"resolvers":           {func(f *Firewall) { f.Resolvers = []string{"dns.example.org"} }, "resolvers[0]", "neither"},
		"world of time":       {func(f *Firewall) { f.TimeServers = []string{"0.0.0.0/1"} }, "timeServers[0]", "world"},
		"DHCP of IPv6":        {func(f *Firewall) { f.DHCPServers = []string{"fd80::1"} }, "dhcpServers[0]", "IPv6"},
		"world of DHCP":       {func(f *Firewall) { f.DHCPServers = []string{"0.0.0.0/1"} }, "dhcpServers[0]", "world"},
		"world balances":      {func(f *Firewall) { f.LoadBalancers = []string{"0.0.0.0/1"} }, "loadBalancers[0]", "world"},
		"short wildcard":      {func(f *Firewall) { f.PodInterfaces = []string{"e*"} }, "podInterface", "interface name"},
		"pods everywhere":     {func(f *Firewall) { f.PodInterface = "eth*" }, "podInterface", "also nodeInterface"},
		"nameless pods":       {func(f *Firewall) { f.PodInterfaces = []string{""} }, "podInterfaces[0]", "not an interface name"},
		"second pods":         {func(f *Firewall) { f.PodInterfaces = []string{"cali*", "et*"} }, "podInterfaces[1]", "also nodeInterface"},
		"pods in a tunnel":    {func(f *Firewall) { f.Network, f.PodInterface = []NetworkTraffic{CalicoVXLAN}, "vxlan*" }, "network", "also podInterface"},
		"repeated webhook":    {func(f *Firewall) { f.Ports.Webhooks = []int{9443, 9443} }, "ports.webhooks[1]", "repeated"},
		"injection":           {func(f *Firewall) { f.Workers = []string{"10.80.0.1 }\naccept"} }, "workers[0]", "neither"},
		"metadata address":    {func(f *Firewall) { f.Workers = []string{"169.254.169.254"} }, "workers[0]", "no machine"},
		"unspecified address": {func(f *Firewall) { f.ControlPlane = []string{"0.0.0.0"} }, "controlPlane[0]", "no machine"},
		"two roles":           {func(f *Firewall) { f.Workers = f.ControlPlane }, "", "both"},
		"machine among pods":  {func(f *Firewall) { f.Workers = []string{"10.81.0.1"} }, "workers[0]", "podCIDR"},
		"open to the world":   {func(f *Firewall) { f.Operators = []string{"0.0.0.0/0"} }, "operators[0]", "world"},
		"half the world":      {func(f *Firewall) { f.Operators = []string{"128.0.0.0/1"} }, "operators[0]", "world"},
		"operators are pods":  {func(f *Firewall) { f.Operators = []string{"10.81.4.0/24"} }, "operators[0]", "overlaps"},
		"host bits":           {func(f *Firewall) { f.Operators = []string{"10.83.0.1/29"} }, "operators[0]", "host bits"},
		"wide pods":           {func(f *Firewall) { f.PodCIDR = "0.0.0.0/0" }, "podCIDR", "world"},
		"wildcard interface":  {func(f *Firewall) { f.OperatorInterface = "op*" }, "operatorInterface", "interface name"},
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
