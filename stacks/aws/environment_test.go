package aws

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// now is when the tests read the environments: their exceptions end.
var now = time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)

// file reads the settings of an environment of this repository, strictly.
func file(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../Pulumi." + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stack struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(text, &stack); err != nil {
		t.Fatal(err)
	}
	ours := map[string]any{}
	for key, value := range stack.Config {
		ours[strings.TrimPrefix(key, settings.Namespace+":")] = value
	}
	encoded, err := json.Marshal(ours)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func prod(t *testing.T) environment {
	t.Helper()
	e := environment{Environment: Defaults(), name: "aws-prod"}
	file(t, "aws-prod", &e.Environment)
	return e
}

func problems(e environment) string {
	r := settings.New(nil)
	e.validate(r, now)
	if r.Err() == nil {
		return ""
	}
	return r.Err().Error()
}

func TestEnvironmentsOfTheRepository(t *testing.T) {
	for _, name := range []string{"aws-prod", "aws-dev"} {
		e := environment{Environment: Defaults(), name: name}
		file(t, name, &e.Environment)
		if said := problems(e); said != "" {
			t.Errorf("%s: %s", name, said)
		}
		var b BaselineEnvironment
		file(t, name+"-baseline", &b)
		r := settings.New(nil)
		b.validate(r, now)
		if r.Err() != nil || b.Cluster != name {
			t.Errorf("%s-baseline of %s: %v", name, b.Cluster, r.Err())
		}
	}
}

// Whatever a component finds is said under the name of the setting, and what
// several are given is said once.
func TestProblemsHaveTheNamesOfSettings(t *testing.T) {
	for field, change := range map[string]func(*environment){
		"account.id":              func(e *environment) { e.Account.ID = "1" },
		"account.region":          func(e *environment) { e.Account.Region = "Frankfurt" },
		"kubernetesVersion":       func(e *environment) { e.KubernetesVersion = "v1.20.0" },
		"network.zones[0]":        func(e *environment) { e.Network.Zones[0] = "us-east-1a" },
		"network.cidr":            func(e *environment) { e.Network.CIDR = "10.0.0.1/16" },
		"network.serviceCIDR":     func(e *environment) { e.Network.ServiceCIDR = "10.64.0.0/16" },
		"network.egress":          func(e *environment) { e.Network.Egress = "open" },
		"uses[0]":                 func(e *environment) { e.Uses[0] = "coffee" },
		"keys.rotationDays":       func(e *environment) { e.Keys.RotationDays = 1 },
		"keys.deletionWindowDays": func(e *environment) { e.Keys.DeletionWindowDays = 7 },
		"logs.retentionDays":      func(e *environment) { e.Logs.RetentionDays = 30 },
		"logs.archive.lock":       func(e *environment) { e.Logs.Archive.Lock = "none" },
		"logs.archive.disabled":   func(e *environment) { e.Logs.Archive.Disabled, e.Logs.Trail = true, false },
		"logs.trail":              func(e *environment) { e.Logs.Archive.Disabled = true },
		"firewall.operators[0]":   func(e *environment) { e.Firewall.Operators = []string{"0.0.0.0/0"} },
		"firewall.egress[0].cidrs": func(e *environment) {
			e.Firewall.Egress = []Egress{{Name: "mirror", CIDRs: []string{"192.0.2.0/24"}, Reason: "images"}}
		},
		"access[0].principalArn":           func(e *environment) { e.Access[0].PrincipalArn = "arn:aws:iam::111122223333:user/x" },
		"publicCIDRs":                      func(e *environment) { e.PublicCIDRs = []string{"192.0.2.0/24"} },
		"addonVersions[vpc-cni]":           func(e *environment) { e.AddonVersions["vpc-cni"] = "latest" },
		"nodePools":                        func(e *environment) { e.NodePools = nil },
		"nodePools[0].releaseVersion":      func(e *environment) { e.NodePools[0].ReleaseVersion = "latest" },
		"nodePools[1].name":                func(e *environment) { e.NodePools[1].Name = e.NodePools[0].Name },
		"nodePools[0].host.adminContainer": func(e *environment) { e.NodePools[0].Host.AdminContainer = true },
		"vpn.serverCertificateArn": func(e *environment) {
			e.VPN = &VPN{ClientCIDR: "10.250.0.0/22", SamlProviderArn: "arn:aws:iam::111122223333:saml-provider/x", AccessGroup: "x"}
		},
		"vpn.zones[0]":                   func(e *environment) { e.VPN = &VPN{Zones: []string{"eu-central-1f"}} },
		"vpn.clientCIDR":                 func(e *environment) { e.VPN = &VPN{ClientCIDR: "172.20.0.0/22"} },
		"detection.disabled":             func(e *environment) { e.Detection.Disabled = true },
		"detection.emails[0]":            func(e *environment) { e.Detection.Emails = []string{"security"} },
		"detection.topicArn":             func(e *environment) { e.Detection.TopicArn = "alarms" },
		"detection.guardDuty.detectorId": func(e *environment) { e.Detection.GuardDuty.DetectorID = "1" },
		"detection.trailLogGroup":        func(e *environment) { e.Detection.TrailLogGroup = "/aws/cloudtrail/all" },
		"logs.noAuditStream":             func(e *environment) { e.Logs.NoAuditStream = true },
		"runner.egress[0].reason": func(e *environment) {
			e.Runner = &Runner{Egress: []Egress{{Name: "sources", CIDRs: []string{"10.64.0.0/24"}}}}
		},
		"runner.egress[0].cidrs": func(e *environment) {
			e.Runner = &Runner{Egress: []Egress{{Name: "sources", CIDRs: []string{"192.0.2.0/24"}, Reason: "sources"}}}
		},
		"registry.cache[x]": func(e *environment) { e.Registry.Cache = map[string]string{"x": "docker.io"} },
		"exceptions[0].reason": func(e *environment) {
			e.Exceptions = []hostconfig.Exception{{Control: "M17/retention", Expires: "2027-01-01"}}
		},
		"allowReplacement[0]": func(e *environment) { e.AllowReplacement = []string{"network"} },
		"tags[aws:x]":         func(e *environment) { e.Tags = map[string]string{"aws:x": "y"} },
	} {
		e := prod(t)
		change(&e)
		said := problems(e)
		if !strings.Contains(said, "redoubt:"+field+": ") || strings.Count(said, "redoubt:"+field+": ") != 1 {
			t.Errorf("want redoubt:%s once, got:\n%s", field, said)
		}
	}
	e := prod(t)
	e.Account.ID, e.Network.Egress, e.NodePools[0].ReleaseVersion = "x", "x", "x"
	if said := problems(e); strings.Count(said, "\n") != 2 {
		t.Errorf("want three problems at once, got:\n%s", said)
	}
}

// What nodes may reach must also leave the network.
func TestEgressHasAWayOut(t *testing.T) {
	to := Egress{Name: "mirror", CIDRs: []string{"192.0.2.0/24"}, Port: 8443, Reason: "images"}
	e := prod(t)
	e.Firewall.Egress, e.Network.Egress = []Egress{to}, "nat"
	if said := problems(e); !strings.Contains(said, "redoubt:firewall.egress[0].port: 8443 does not leave the network") {
		t.Errorf("got %q", said)
	}
	e.Network.EgressPorts = []int{443, 8443}
	if said := problems(e); said != "" {
		t.Error(said)
	}
	e.Network.Egress, e.Network.EgressPorts, e.Network.PeerCIDRs = "none", nil, []string{"192.0.2.0/24"}
	if said := problems(e); said != "" {
		t.Error(said)
	}
}

func TestNothingIsReplacedByAChangeOfSettings(t *testing.T) {
	last := prod(t).standing()
	for field, change := range map[string]func(*environment){
		"account.region":         func(e *environment) { e.Account.Region = "eu-west-1" },
		"network.cidr":           func(e *environment) { e.Network.CIDR = "10.1.0.0/16" },
		"network.serviceCIDR":    func(e *environment) { e.Network.ServiceCIDR = "172.21.0.0/16" },
		"network.zones":          func(e *environment) { e.Network.Zones = e.Network.Zones[1:] },
		"network.existing.vpcId": func(e *environment) { e.Network.Existing = &ExistingNetwork{VpcID: "vpc-0123456789abcdef0"} },
		"logs.archive.disabled":  func(e *environment) { e.Logs.Archive.Disabled = true },
		"logs.archive.bucket":    func(e *environment) { e.Logs.Archive.Bucket = "other" },
		"logs.archive.lock":      func(e *environment) { e.Logs.Archive.Lock = "none" },
	} {
		e := prod(t)
		change(&e)
		if err := e.compare(last); err == nil || !strings.Contains(err.Error(), "redoubt:"+field+": ") {
			t.Errorf("%s: %v", field, err)
		}
		e.AllowReplacement = []string{field, "network.cidr", "logs.archive.bucket", "logs.archive.lock"}
		if err := e.compare(last); err != nil {
			t.Errorf("%s, allowed: %v", field, err)
		}
	}
	e := prod(t)
	e.Network.Zones = append(e.Network.Zones, "eu-central-1d")
	if err := e.compare(last); err != nil {
		t.Errorf("another zone: %v", err)
	}
	if err := e.compare(nil); err != nil {
		t.Errorf("a first run: %v", err)
	}
}

func TestVersionsGoUpOneMinorAtATime(t *testing.T) {
	for version, want := range map[string]string{"v1.35.4": "", "v1.36.4": "", "v1.37.1": "skips a minor", "v1.34.0": "goes down"} {
		e := prod(t)
		e.KubernetesVersion = version
		err := e.compare(prod(t).standing())
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", version, want, err)
		}
	}
}

func TestKubeconfigHoldsNoSecret(t *testing.T) {
	text, err := kubeconfig("aws-prod", "https://x", "QQ==", "eu-central-1", "arn:aws:iam::111122223333:role/platform")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"command: aws", "- get-token", "- arn:aws:iam::111122223333:role/platform", "certificate-authority-data: QQ=="} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, word := range []string{"token:", "client-key", "password"} {
		if strings.Contains(text, word) {
			t.Errorf("%q in\n%s", word, text)
		}
	}
}

func TestAddressesOfTheSystem(t *testing.T) {
	for want, got := range map[string]string{"10.64.0.2/32": incluster.Nth("10.64.0.0/16", 2), "172.20.0.1/32": incluster.Nth("172.20.0.0/16", 1)} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
