package aws_test

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
		"aws-wrong": {"aws-prod", edit{
			"kubernetesVersion": "v1.28.3", "network.zones": []string{region + "a", "us-east-1b", region + "a"}, "network.serviceCIDR": "10.64.128.0/20",
			"network.peerCIDRs": []string{"10.64.0.0/17"}, "publicCIDRs": []string{"198.51.100.0/24"}, "access[0].principalArn": "arn:aws:iam::111122223333:user/alice",
			"access[1].role": "root", "nodePools[1].architecture": "sparc", "nodePools[0].releaseVersion": "latest", "logs.retentionDays": 30, "logs.archive.lock": "none",
			"keys.deletionWindowDays": 7, "uses": []string{"guarddusty"}, "addonVersions": map[string]any{"vpc-cni": "latest"}, "account.id": "1", "allowReplacement": []string{"everything"},
			"firewall.operators": []string{"0.0.0.0/0"}, "vpn": map[string]any{"clientCIDR": "10.64.0.0/22", "zones": []string{"nowhere"}},
			"exceptions": []any{map[string]any{"control": "M17/retention", "reason": "It was fine.", "expires": "2024-01-31"}},
		}, []string{
			"kubernetesVersion: ", "network.zones[1]: ", "network.zones[2]: ", "network.serviceCIDR", "network.peerCIDRs[0]", "publicCIDRs: ", "M10/public-endpoint",
			"access[0].principalArn: ", "access[1].role: ", "nodePools[1].architecture: ", "nodePools[0].releaseVersion: ", "logs.archive.lock: ",
			"keys.deletionWindowDays: ", "redoubt:uses[0]: ", "addonVersions[vpc-cni]: ", "account.id: ", "allowReplacement[0]: ", "firewall.operators[0]: ", "vpn.clientCIDR: ",
			"vpn.zones[0]: ", "vpn.serverCertificateArn: ", "exceptions[0].expires: ",
		}},
		// What cannot be read is said before it is judged.
		"aws-misspelt": {"aws-prod", edit{"acount": map[string]any{"id": "1"}, "network.zone": []string{"a"}, "keys.rotationDays": "yearly", "nodePools[0].minSize": "three", "tags": []string{"a"}}, []string{
			"acount: there is no such setting; there are ", "network: unknown field \"zone\"", "keys: rotationDays must be a int, not a string", "nodePools: ", "minSize must be a int, not a string", "tags: must be a map",
		}},
		"aws-elsewhere": {"aws-prod", edit{"platform": "awss"}, []string{`"awss" is not a platform`, "aws-baseline"}},
		"aws-inside":    {"aws-prod-baseline", edit{"cluster": nil, "roleArn": "admin", "addonVersions.coredns": "v1", "tenants[0].name": "Team A", "tenant": "x"}, []string{"tenant: there is no such setting"}},
		"aws-nobody":    {"aws-prod-baseline", edit{"cluster": nil, "roleArn": "admin", "addonVersions.coredns": "v1", "tenants[0].name": "Team A"}, []string{"cluster: is missing", "roleArn: ", "addonVersions[coredns]: ", "tenants[0]: "}},
		"aws-alone":     {"aws-prod-baseline", nil, []string{"unknown stack", "aws-prod"}},
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
			for _, noise := range []string{"host.node", "Cidr: ", "panic"} {
				if strings.Contains(err.Error(), noise) {
					t.Errorf("%q is said: %v", noise, err)
				}
			}
		})
	}
}
