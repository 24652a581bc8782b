package gcp

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/kept"
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
	e := environment{Environment: Defaults(), name: "gcp-prod"}
	file(t, "gcp-prod", &e.Environment)
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
	for _, name := range []string{"gcp-prod", "gcp-dev"} {
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
		"project.id":            func(e *environment) { e.Project.ID = "X" },
		"project.number":        func(e *environment) { e.Project.Number = "x" },
		"project.region":        func(e *environment) { e.Project.Region = "Frankfurt" },
		"kubernetesVersion":     func(e *environment) { e.KubernetesVersion = "v1.20.0" },
		"channel":               func(e *environment) { e.Channel = "RAPID" },
		"network.cidr":          func(e *environment) { e.Network.CIDR = "10.0.0.1/16" },
		"network.peerCIDRs[0]":  func(e *environment) { e.Network.PeerCIDRs = []string{"10.64.0.0/24"} },
		"network.egress":        func(e *environment) { e.Network.Egress = "open" },
		"network.zones[0]":      func(e *environment) { e.Network.Zones[0] = "us-east1-b" },
		"keys.rotationDays":     func(e *environment) { e.Keys.RotationDays = 400 },
		"keys.protection":       func(e *environment) { e.Keys.Protection = "PAPER" },
		"logs.retentionDays":    func(e *environment) { e.Logs.RetentionDays = 30 },
		"logs.archive.lock":     func(e *environment) { e.Logs.Archive.Lock = "none" },
		"logs.archive.disabled": func(e *environment) { e.Logs.Archive.Disabled = true },
		"detection.channels":    func(e *environment) { e.Detection.Channels = nil },
		"detection.disabled":    func(e *environment) { e.Detection.Disabled = true },
		"firewall.egress[0].cidrs[0]": func(e *environment) {
			e.Firewall.Egress = []Egress{{Name: "world", CIDRs: []string{"0.0.0.0/0"}, Reason: "all"}}
		},
		"firewall.egress[0].cidrs": func(e *environment) {
			e.Firewall.Egress = []Egress{{Name: "mirror", CIDRs: []string{"192.0.2.0/24"}, Reason: "images"}}
		},
		"securityGroup":              func(e *environment) { e.SecurityGroup = "people@example.com" },
		"access[0].member":           func(e *environment) { e.Access[0].Member = "user:x@example.com" },
		"authorizedNetworks[0].cidr": func(e *environment) { e.AuthorizedNetworks = []AuthorizedNetwork{{Name: "world", CIDR: "0.0.0.0/0"}} },
		"publicCIDRs":                func(e *environment) { e.PublicCIDRs = []string{"192.0.2.0/24"} },
		"entry.image":                func(e *environment) { e.Entry.Image = "cos-stable" },
		"entry.members[0]":           func(e *environment) { e.Entry.Members = []string{"allUsers"} },
		"images.allowed[0]":          func(e *environment) { e.Images.Allowed = []string{"**"} },
		"nodePools":                  func(e *environment) { e.NodePools = nil },
		"nodePools[1].name":          func(e *environment) { e.NodePools[1].Name = e.NodePools[0].Name },
		"registry.remotes[x]":        func(e *environment) { e.Registry.Remotes = map[string]string{"x": "y"} },
		"constraints.parent":         func(e *environment) { e.Constraints = &Constraints{Parent: "all"} },
		"exceptions[0].reason": func(e *environment) {
			e.Exceptions = []hostconfig.Exception{{Control: "M17/retention", Expires: "2027-01-01"}}
		},
		"allowReplacement[0]": func(e *environment) { e.AllowReplacement = []string{"network"} },
	} {
		e := prod(t)
		change(&e)
		if said := problems(e); strings.Count(said, "redoubt:"+field+": ") != 1 {
			t.Errorf("want redoubt:%s once, got:\n%s", field, said)
		}
	}
}

func TestNothingIsReplacedByAChangeOfSettings(t *testing.T) {
	last := prod(t).fixed()
	for field, change := range map[string]func(*environment){
		"project.id":          func(e *environment) { e.Project.ID = "other-project" },
		"project.region":      func(e *environment) { e.Project.Region = "europe-west1" },
		"network.cidr":        func(e *environment) { e.Network.CIDR = "10.1.0.0/16" },
		"autopilot":           func(e *environment) { e.Autopilot = true },
		"keys.generation":     func(e *environment) { e.Keys.Generation = "g2" },
		"logs.archive.bucket": func(e *environment) { e.Logs.Archive.Bucket = "other" },
	} {
		e := prod(t)
		change(&e)
		if err := kept.Compare(last, e.fixed(), nil); err == nil || !strings.Contains(err.Error(), "redoubt:"+field+": ") {
			t.Errorf("%s: %v", field, err)
		}
		if err := kept.Compare(last, e.fixed(), []string{field}); err != nil {
			t.Errorf("%s, allowed: %v", field, err)
		}
	}
}

func TestKubeconfigHoldsNoSecret(t *testing.T) {
	text, err := kubeconfig("gcp-prod", "https://10.64.1.2", "QQ==", "kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"command: gke-gcloud-auth-plugin", "provideClusterInfo: true", "server: https://10.64.1.2", "tls-server-name: kubernetes"} {
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
