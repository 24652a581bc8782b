package hostconfig

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func kubeProxy() KubeProxy { return KubeProxy{PodCIDR: "10.81.0.0/16"} }

func TestKubeProxyGolden(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		k := kubeProxy()
		k.KubernetesVersion = version
		accepted(t, k.Validate(now))
		contents, err := k.Configuration()
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "kubeproxy/"+minor(version)+".yaml", contents)
	})
}

// weakKubeProxy are attempts to weaken each field that a control locks or bounds.
var weakKubeProxy = map[string][]any{
	"metricsBindAddress":          {"0.0.0.0:10249", ":10249", ""},
	"healthzBindAddress":          {"0.0.0.0:10256"},
	"enableProfiling":             {true},
	"bindAddress":                 {"10.80.0.11"},
	"bindAddressHardFail":         {false},
	"showHiddenMetricsForVersion": {"1.34"},
	"hostnameOverride":            {"other"},
	"portRange":                   {"1-65535"},
	"winkernel":                   {map[string]any{}},
	"windowsRunAsService":         {true},
	"mode":                        {"iptables", "ipvs", ""},
	"iptables":                    {map[string]any{"localhostNodePorts": true}},
	"ipvs":                        {map[string]any{"scheduler": "rr"}},
	"nodePortAddresses":           {[]string{}, nil, []string{"0.0.0.0/0"}, []string{"0.0.0.0/1", "128.0.0.0/1"}, []string{"primary", "10.0.0.0/8"}, "primary"},
	"logging":                     {map[string]any{"verbosity": 8}, map[string]any{"vmodule": []any{map[string]any{"filePattern": "*", "verbosity": 9}}}},
	"featureGates":                {map[string]bool{"AllAlpha": true}, map[string]bool{"ComponentFlagz": true}},
	"clusterCIDR":                 {"0.0.0.0/0"},
	"clientConnection":            {map[string]any{"kubeconfig": "/tmp/other"}},
}

func TestKubeProxyCannotBeWeakened(t *testing.T) {
	for _, m := range SupportedMinors() {
		for _, rule := range KubeProxyRules() {
			attempts := weakKubeProxy[rule.Name]
			if len(attempts) == 0 && (rule.Merge == Locked || rule.accepts != nil) {
				t.Errorf("no test tries to weaken %s", rule.Name)
			}
			for _, attempt := range attempts {
				k := kubeProxy()
				k.KubernetesVersion = m.Proven
				hardened := k.hardened()
				k.Extra = map[string]any{rule.Name: attempt}
				refused(t, k.Validate(now), "extra["+quote(rule.Name)+"]", rule.Control+rule.Field)
				if _, err := k.Configuration(); err == nil {
					t.Errorf("%s=%v was rendered", rule.Name, attempt)
				}
				if merged, _ := k.merge(); !reflect.DeepEqual(merged, hardened) {
					t.Errorf("%s=%v changed the configuration", rule.Name, attempt)
				}
				if rule.Control != "" {
					k.Exceptions = []Exception{accept(rule.Control)}
					accepted(t, k.Validate(now))
				}
			}
		}
	}
	for field, k := range map[string]KubeProxy{
		"podCIDR":           {},
		"kubernetesVersion": {PodCIDR: "10.81.0.0/16", KubernetesVersion: "v1.34.9"},
		"kubeconfig.root":   {PodCIDR: "10.81.0.0/16", Kubeconfig: "kubeconfig"},
		`extra["nonsense"]`: {PodCIDR: "10.81.0.0/16", Extra: map[string]any{"nonsense": 1}},
	} {
		refused(t, k.Validate(now), field, "")
	}
}

func TestKubeProxyUsersExtend(t *testing.T) {
	k := kubeProxy()
	k.KubernetesVersion = "v1.37.1"
	k.Extra = map[string]any{
		"featureGates":       map[string]bool{"WatchListClient": false},
		"nodePortAddresses":  []string{"10.80.0.0/24"},
		"conntrack":          map[string]any{"maxPerCore": 0},
		"metricsBindAddress": "127.0.0.1:10249", // what is already so may be said again
	}
	accepted(t, k.Validate(now))
	merged, _ := k.WithDefaults().merge()
	gates, _ := merged["featureGates"].(map[string]any)
	if len(gates) != 4 || gates["ComponentFlagz"] != false || gates["WatchListClient"] != false {
		t.Errorf("gates: %v", gates)
	}
}

// TestEveryKubeProxyFieldHasARule compares the rules with the defaults that the
// real program of each minor writes.
func TestEveryKubeProxyFieldHasARule(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		path := program(t, programOf(version, componentKubeProxy))
		file := filepath.Join(t.TempDir(), "defaults.yaml")
		if output, err := exec.Command(path, "--write-config-to", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		contents, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		real := map[string]any{}
		if err := yaml.Unmarshal(contents, &real); err != nil || len(real) < 20 {
			t.Fatalf("%d fields: %v", len(real), err)
		}
		for name := range real {
			if rule, known := kubeProxyRules[name]; name != "apiVersion" && name != "kind" && (!known || !rule.In(minor(version))) {
				t.Errorf("%s has no rule", name)
			}
		}
		for name := range kubeProxyRules {
			// These are not written when they are empty.
			if _, is := real[name]; !is && !slices.Contains([]string{"featureGates", "windowsRunAsService", "logging"}, name) {
				t.Errorf("%s has a rule but is no field", name)
			}
		}
	})
}
