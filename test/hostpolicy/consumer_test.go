// Package hostpolicy has no code: its tests read rendered host policies as the
// network plugins do.
package hostpolicy

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	cilium "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/option"
	calico "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/hostpolicy"
)

func clusters() map[string]hostpolicy.Cluster {
	known := hostpolicy.Cluster{Cluster: hostconfig.Cluster{Name: "prod", Operators: []string{"10.83.0.0/29"}, PodCIDRs: []string{"10.81.0.0/16"},
		ControlPlanes: []hostconfig.Machine{{Name: "cp-1", Address: "10.80.8.10"}},
		Workers:       []hostconfig.Machine{{Name: "worker-1", Address: "10.80.0.11", PodCIDR: "10.81.1.0/24"}}}}
	group := known
	group.Workers, group.NodeCIDRs = nil, []string{"10.80.0.0/24", "fd80::/64"}
	group.PodCIDRs = append(group.PodCIDRs, "fd81::/56")
	group.Surroundings = hostconfig.Surroundings{Platform: hostconfig.PlatformAWS,
		Network: []hostconfig.NetworkTraffic{hostconfig.CiliumGeneve, hostconfig.CiliumHealth},
		Services: []hostconfig.Service{{Name: "registry", CIDRs: []string{"10.90.0.0/28", "fd90::/64"}, Pods: true, Reason: "images"},
			{Name: "logs", CIDRs: []string{"10.90.1.1"}, Protocol: hostconfig.ProtocolUDP, Port: 514, Reason: "audit records"}}}
	audit := known
	audit.Stage = hostpolicy.Audit
	return map[string]hostpolicy.Cluster{"known": known, "group": group, "audit": audit}
}

// documents gives every document of both roles under its kind.
func documents(t *testing.T, render func(hostpolicy.Cluster, hostconfig.Role) (string, error), each func(name, kind string, document []byte)) {
	t.Helper()
	for name, c := range clusters() {
		for _, role := range []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker} {
			stream, err := render(c, role)
			if err != nil {
				t.Fatal(err)
			}
			for _, document := range strings.Split(stream, "---\n") {
				var kind struct{ Kind string }
				if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
					t.Fatal(err)
				}
				each(fmt.Sprintf("%s, %s: %s", name, role, kind.Kind), kind.Kind, []byte(document))
			}
		}
	}
}

// TestCiliumAccepts decodes strictly and has Cilium's own rules judge each policy.
func TestCiliumAccepts(t *testing.T) {
	policies := 0
	documents(t, hostpolicy.Cluster.Cilium, func(name, kind string, document []byte) {
		if kind == "CiliumNodeConfig" {
			var config cilium.CiliumNodeConfig
			if err := yaml.UnmarshalStrict(document, &config); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			// The agent is configured as the document says: without it, it refuses
			// rules that name nodes.
			option.Config.EnableNodeSelectorLabels = config.Spec.Defaults["enable-node-selector-labels"] == "true"
			return
		}
		var policy cilium.CiliumClusterwideNetworkPolicy
		if err := yaml.UnmarshalStrict(document, &policy); err != nil {
			t.Errorf("%s: %v\n%s", name, err, document)
			return
		}
		for i, rule := range policy.Specs {
			policies++
			if rule.NodeSelector.LabelSelector == nil {
				t.Errorf("%s: specs[%d] selects no nodes", name, i)
			}
			if err := rule.Sanitize(); err != nil {
				t.Errorf("%s: specs[%d]: %v", name, i, err)
			}
		}
		// What the agent does with the object as a whole.
		if rules, err := policy.Parse(slog.New(slog.DiscardHandler), "prod"); err != nil || len(rules) != len(policy.Specs) {
			t.Errorf("%s: %d rules: %v", name, len(rules), err)
		}
	})
	if policies == 0 {
		t.Error("no policy was judged")
	}
}

// TestCiliumRefuses proves that the judge judges.
func TestCiliumRefuses(t *testing.T) {
	stream, err := clusters()["known"].Cilium(hostconfig.RoleWorker)
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(stream, "---\n")
	var policy cilium.CiliumClusterwideNetworkPolicy
	if err := yaml.Unmarshal([]byte(strings.Replace(documents[len(documents)-1], "protocol: TCP", "protocol: CARRIER", 1)), &policy); err == nil {
		for _, rule := range policy.Specs {
			if rule.Sanitize() != nil {
				return
			}
		}
		t.Error("a protocol that does not exist was accepted")
	}
}

// TestCalicoAccepts decodes strictly with the types of Calico's API server.
func TestCalicoAccepts(t *testing.T) {
	types := map[string]func() any{
		"FelixConfiguration":           func() any { return &calico.FelixConfiguration{} },
		"GlobalNetworkPolicy":          func() any { return &calico.GlobalNetworkPolicy{} },
		"StagedGlobalNetworkPolicy":    func() any { return &calico.StagedGlobalNetworkPolicy{} },
		"HostEndpoint":                 func() any { return &calico.HostEndpoint{} },
		"KubeControllersConfiguration": func() any { return &calico.KubeControllersConfiguration{} },
	}
	seen := map[string]bool{}
	documents(t, hostpolicy.Cluster.Calico, func(name, kind string, document []byte) {
		build, found := types[kind]
		if !found {
			t.Errorf("%s: no such kind", name)
			return
		}
		seen[kind] = true
		if err := yaml.UnmarshalStrict(document, build()); err != nil {
			t.Errorf("%s: %v\n%s", name, err, document)
		}
	})
	for kind := range types {
		if !seen[kind] {
			t.Errorf("no %s was judged", kind)
		}
	}
}
