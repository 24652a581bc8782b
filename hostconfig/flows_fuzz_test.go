package hostconfig

import (
	"slices"
	"strings"
	"testing"
)

// FuzzPortTable: whatever is chosen, names are unique, every flow is explained,
// pods never reach metadata, and etcd is for control planes. What validates is
// rendered, and accepted by nft.
func FuzzPortTable(f *testing.F) {
	f.Add("aws", 6443, 9443, 9443, "calico-vxlan", "cilium-health", "registry", "10.90.0.10", "udp", 514, false, true)
	f.Add("gcp", 0, 0, 443, "cilium-geneve", "cilium-geneve", "a-b", "199.36.153.4/30", "tcp", 0, true, false)
	f.Add("", 65536, -1, 1, "", "x", "service-\"", "169.254.169.254", "any", 70000, true, true)
	f.Add("metal", 1, 10250, 10257, "calico-wireguard", "calico-bgp", "ipv6", "fd00::/32", "", 53, false, true)
	f.Fuzz(func(t *testing.T, platform string, api, webhook, second int, one, other, service, cidr, protocol string, port int, managed, ipv6 bool) {
		firewall := Firewall{Role: RoleWorker, Managed: managed, ControlPlane: []string{"10.80.0.10"},
			Workers: []string{"10.80.0.0/24"}, PodCIDR: "10.81.0.0/16", Ports: Ports{APIServer: api, Webhooks: []int{webhook, second}},
			PodInterface: "pods0", Surroundings: Surroundings{Platform: Platform(platform), Network: []NetworkTraffic{NetworkTraffic(one), NetworkTraffic(other)},
				Services: []Service{{Name: service, CIDRs: []string{cidr}, Protocol: protocol, Port: port, Pods: true, Reason: "a reason"}}}}
		if ipv6 {
			firewall.Workers = append(firewall.Workers, "fd80::/64")
		}
		topology := firewall.Topology()
		names := map[string]bool{}
		for _, flow := range PortTable(topology) {
			if names[flow.Name] || flow.Reason == "" || len(flow.Controls) == 0 {
				t.Fatalf("repeated, or without reason or control: %+v", flow)
			}
			names[flow.Name] = true
			if flow.To == Metadata && flow.From != Nodes {
				t.Fatalf("metadata for others than machines: %+v", flow)
			}
			if slices.Contains(flow.Controls, "M13") && flow.From != flow.To {
				t.Fatalf("etcd for others: %+v", flow)
			}
		}
		ruleset, err := Nftables(firewall)
		if topology.Validate() != nil && err == nil {
			t.Fatal("a topology that does not validate was rendered")
		}
		if err == nil {
			checkRuleset(t, ruleset)
		}
	})
}

// FuzzFirewall: what is accepted is accepted by nft too, and never opens more.
func FuzzFirewall(f *testing.F) {
	f.Add("10.80.0.10", "10.80.0.11", "10.83.0.0/29", "10.81.0.0/16", "eth0", "cni0", "", 6443, true)
	f.Add("10.80.0.10", "", "10.0.0.0/8", "11.0.0.0/9", "a.b-c_d", "cali*", "aws", 1, false)
	f.Add("fd80::10", "fd80:1::/64", "fd83::/64", "fd81::/56", "ens*", "lxc*", "metal", 0, true)
	f.Add("10.80.0.0/28", "10.80.1.0/24", "fd83::/64", "fd81::/56", "eth0", "e*", "gcp", 0, false)
	f.Add("10.80.0.10", "10.80.0.11", "10.83.0.0/29", "10.81.0.0/16", "eth0", "", "", 6443, true)
	f.Add("::1", "x\" accept", "0.0.0.0/0", "", "eth0\"", "*", "moon", 0, true)
	f.Fuzz(func(t *testing.T, controlPlane, worker, operators, pods, link, podLink, platform string, port int, isWorker bool) {
		firewall := Firewall{Role: RoleControlPlane, ControlPlane: []string{controlPlane}, Workers: []string{worker},
			Operators: []string{operators, "10.83.0.0/29"}, PodCIDR: pods, NodeInterface: link, PodInterfaces: []string{podLink},
			Ports: Ports{APIServer: port}, Surroundings: Surroundings{Platform: Platform(platform), Network: []NetworkTraffic{CalicoVXLAN, CalicoWireGuard}}}
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
			if strings.HasSuffix(strings.TrimSpace(line), "accept") && !strings.Contains(line, `ifname "lo"`) && !strings.Contains(line, "ct state") &&
				!strings.Contains(line, "ip6 hoplimit 255") {
				t.Fatalf("an accept without a flow: %q", line)
			}
		}
		checkRuleset(t, ruleset)
	})
}
