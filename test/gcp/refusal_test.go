package gcp_test

import (
	"strings"
	"testing"
)

// What is wrong with the settings of an environment is said at once and by its name, before anything is made.
func TestBadSettingsOfAnEnvironment(t *testing.T) {
	t.Parallel()
	for stack, each := range map[string]struct {
		of    string
		wrong edit
		said  []string
	}{
		"gcp-wrong": {"gcp-prod", edit{
			"project.id": "Prod", "project.number": "12", "project.region": "Europe", "kubernetesVersion": "v1.28.3", "channel": "RAPID", "network.cidr": "10.64.0.0/24", "network.zones": []string{"us-east1-b"},
			"network.peerCIDRs": []string{"0.0.0.0/0"}, "network.egress": "open", "network.domains": []string{"*"}, "keys.generation": "G 1", "keys.rotationDays": 1, "keys.destroyDays": 7, "keys.protection": "PAPER",
			"keys.loggingServiceAccount": "me@example.com", "logs.retentionDays": 30, "logs.archive.lock": "maybe", "logs.archive.lockDays": 30, "detection.channels": []string{"mail"}, "detection.without": []string{"weather"},
			"firewall.webhooks": []int{0}, "firewall.egress": []any{map[string]any{"name": "World", "cidrs": []string{"0.0.0.0/0"}, "reason": ""}}, "securityGroup": "admins@example.com",
			"authorizedNetworks": []any{map[string]any{"name": "all", "cidr": "0.0.0.0/0"}}, "access[0].member": "user:alice@example.com", "access[1].role": "root", "publicCIDRs": []string{"198.51.100.0/24"},
			"entry.image": "cos-stable", "entry.members": []string{"allUsers"}, "images.allowed": []string{"**"}, "nodePools[0].machineType": "large", "nodePools[0].diskGiB": 10, "nodePools[1].name": "general",
			"nodePools[1].podPidsLimit": 10, "nodePools[0].taints": []string{"x"}, "nodePools[0].upgradeStrategy": "all-at-once", "registry.remotes": map[string]any{"x": "y"}, "registry.untaggedDays": -1,
			"constraints": map[string]any{"parent": "all"}, "allowReplacement": []string{"everything"}, "labels": map[string]any{"Team": "x"},
			"exceptions": []any{map[string]any{"control": "M17/retention", "reason": "It was fine.", "expires": "2024-01-31"}},
		}, []string{
			"project.id: ", "project.number: ", "project.region: ", "kubernetesVersion: ", "channel: ", "network.cidr: ", "network.zones[0]: ", "network.peerCIDRs[0]: ", "network.egress: ", "network.domains[0]: ",
			"keys.generation: ", "keys.rotationDays: ", "keys.destroyDays: ", "keys.protection: ", "keys.loggingServiceAccount: ", "logs.archive.lock: ", "logs.archive.lockDays: ", "detection.channels[0]: ", "detection.without[0]: ",
			"firewall.webhooks[0]: ", "firewall.egress[0].name: ", "firewall.egress[0].reason: ", "securityGroup: ", "authorizedNetworks[0].cidr: ", "access[0].member: ", "access[1].role: ", "publicCIDRs", "public-endpoint",
			"entry.image: ", "entry.members[0]: ", "images.allowed[0]: ", "nodePools[0].machineType: ", "nodePools[0].diskGiB: ", "nodePools[1].name: ", "nodePools[1].podPidsLimit: ", "nodePools[0].taints[0]: ",
			"nodePools[0].upgradeStrategy: ", "registry.remotes[x]: ", "registry.untaggedDays: ", "constraints.parent: ", "allowReplacement[0]: ", "labels[Team]: ", "exceptions[0].expires: ",
		}},
		// What cannot be read is said before it is judged.
		"gcp-misspelt": {"gcp-prod", edit{"projekt": map[string]any{"id": "1"}, "network.zone": []string{"a"}, "keys.rotationDays": "yearly", "nodePools[0].minSize": "three", "labels": []string{"a"}}, []string{
			"projekt: there is no such setting; there are ", "network: unknown field \"zone\"", "keys: rotationDays must be a int, not a string", "nodePools: ", "minSize must be a int, not a string", "labels: must be a map",
		}},
		"gcp-elsewhere": {"gcp-prod", edit{"platform": "gcpp"}, []string{`"gcpp" is not a platform`, "gcp-baseline"}},
		"gcp-inside":    {"gcp-prod-baseline", edit{"tenant": "x"}, []string{"tenant: there is no such setting"}},
		"gcp-nobody":    {"gcp-prod-baseline", edit{"cluster": nil, "tenants[0].name": "Team A"}, []string{"cluster: is missing", "tenants[0]: "}},
		"gcp-alone":     {"gcp-prod-baseline", nil, []string{"unknown stack", "gcp-prod"}},
	} {
		t.Run(stack, func(t *testing.T) {
			t.Parallel()
			e := prepare(t, each.of).edited(t, each.wrong)
			e.Stack = stack
			if err := settle(stack, e.File); err != nil {
				t.Fatal(err)
			}
			before := len(e.Cloud.Objects())
			_, err := e.up()
			refused(t, err, each.said...)
			if made := len(e.Cloud.Objects()); made != before {
				t.Errorf("%d objects were made", made-before)
			}
			// A thing is said once, by the name that a person wrote.
			for _, noise := range []string{"Cidr: ", "kubelet.", "upgrade.", "panic"} {
				if strings.Contains(err.Error(), noise) {
					t.Errorf("%q is said: %v", noise, err)
				}
			}
		})
	}
}
