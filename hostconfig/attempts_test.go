package hostconfig

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// slash8 are n ranges of /8, each of which is narrow.
func slash8(n int) []string {
	var ranges []string
	for i := range n {
		ranges = append(ranges, fmt.Sprintf("%d.0.0.0/8", i+11))
	}
	return ranges
}

// TestTheWorldInParts: a list of narrow ranges that are the world together.
func TestTheWorldInParts(t *testing.T) {
	n := nodeOf(t, OSFlatcar, RoleWorker)
	n.Cluster.Operators = slash8(2)
	refused(t, n.Validate(now), "cluster.operators", "open to the world")
	n.Cluster.Operators = []string{"172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"}
	accepted(t, n.Validate(now))
	n = nodeOf(t, OSFlatcar, RoleWorker)
	n.Surroundings.Services = []Service{{Name: "x", CIDRs: slash8(100), Reason: "a test"}}
	refused(t, n.Validate(now), "surroundings.services[0].cidrs", "open to the world")
	n.Surroundings = Surroundings{Resolvers: slash8(3)}
	refused(t, n.Validate(now), "surroundings.resolvers", "open to the world")
	if acceptsNodePortAddresses(`["` + strings.Join(slash8(40), `","`) + `"]`) {
		t.Error("node ports answer at forty /8")
	}
}

// TestNumbersThatDoNotEnd: the parser of quantities takes minutes for them.
func TestNumbersThatDoNotEnd(t *testing.T) {
	for _, value := range []any{
		[]any{map[string]any{"numaNode": 0, "limits": map[string]any{"memory": "1e-999999999"}}},
		[]any{map[string]any{"numaNode": 0, "limits": map[string]any{"memory": json.Number("1e-999999999")}}},
		[]any{map[string]any{"numaNode": 0, "limits": map[string]any{"memory": " 1E+999999999"}}},
		[]any{map[string]any{"numaNode": 0, "limits": map[string]any{"memory": strings.Repeat("9", 1<<20)}}},
	} {
		n := nodeOf(t, OSFlatcar, RoleWorker)
		n.Kubelet.Extra = map[string]any{"reservedMemory": value}
		done := make(chan error, 1)
		go func() { done <- n.Validate(now) }()
		select {
		case err := <-done:
			refused(t, err, `kubelet.extra["reservedMemory"]`, "minutes")
		case <-time.After(2 * time.Minute):
			t.Fatal("the validation does not end")
		}
	}
	k := KubeProxy{PodCIDR: "10.81.0.0/16", Extra: map[string]any{"logging": map[string]any{"options": map[string]any{"json": map[string]any{"infoBufferSize": "1e-999999999"}}}}}
	refused(t, k.Validate(now), `extra["logging"]`, "minutes")
}

// TestLargeNodes: the time grows with the size of the specification, not with its square.
func TestLargeNodes(t *testing.T) {
	n := nodeOf(t, OSFlatcar, RoleWorker)
	n.Labels, n.Sysctls = map[string]string{}, map[string]string{}
	const many = 20000
	for i := range many {
		n.Labels[fmt.Sprintf("example.org/l%d", i)] = "x"
		n.Sysctls[fmt.Sprintf("vm.x%d", i)] = "1"
		n.Files = append(n.Files, File{Path: fmt.Sprintf("/srv/%d", i), Mode: 0o644, Contents: "x"})
		n.Cluster.Ports.Webhooks = append(n.Cluster.Ports.Webhooks, 30000+i)
	}
	begin := time.Now()
	accepted(t, n.Validate(now))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

// TestGivenValuesAreCopies: whoever changes what the package gave changes nothing in it.
func TestGivenValuesAreCopies(t *testing.T) {
	n := nodeOf(t, OSBottlerocket, RoleWorker)
	n.Files = []File{{Path: "/srv/x", Mode: 0o644}}
	before := n.Validate(now).Error()
	for _, field := range NodeFields() {
		for i := range field.OS {
			field.OS[i] = OSBottlerocket
		}
		for i := range field.Controls {
			field.Controls[i] = ""
		}
	}
	if after := n.Validate(now); after == nil || after.Error() != before {
		t.Errorf("the table was changed: %v", after)
	}
	w := worker(t)
	configuration, err := w.KubeletConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	configuration.ClusterDNS[0] = "1.2.3.4"
	configuration.TLSCipherSuites[0] = "TLS_RSA_WITH_AES_128_CBC_SHA"
	configuration.FeatureGates["AllAlpha"] = true
	if w.ClusterDNS[0] == "1.2.3.4" || slices.Contains(CipherSuites(), "TLS_RSA_WITH_AES_128_CBC_SHA") || hardenedGates(componentKubelet, "v1.35")["AllAlpha"] {
		t.Error("a change of the configuration reached the package")
	}
	addresses := []string{"10.80.0.11"}
	isolated().AgentConfig([]NodeIdentity{{Name: "worker-1", Addresses: addresses}}).Nodes[0].Addresses[0] = "10.80.0.12"
	if addresses[0] != "10.80.0.11" {
		t.Error("the caller's addresses were changed")
	}
}

// TestErrorsAreOrdered: two runs report the same in the same order.
func TestErrorsAreOrdered(t *testing.T) {
	w := worker(t)
	w.Labels = map[string]string{}
	for i := range 20 {
		w.Labels[fmt.Sprintf("kubernetes.io/l%d", i)] = "x"
	}
	w.Registries.Allowed = []Registry{{Name: "a.example", RegistryTrust: RegistryTrust{ClientCertificate: "x", ClientKey: "y"}}}
	w.Registries.CredentialProviders = []CredentialProvider{{Name: "p", MatchImages: []string{"a.example"},
		ServiceAccountToken: &ServiceAccountToken{Audience: "a", RequiredAnnotations: []string{"a"}, OptionalAnnotations: []string{"a"}}}}
	c := isolated()
	c.ExtraArgs = map[string]map[string]string{"a": nil, "b": nil, "c": nil, "d": nil}
	c.OIDC = []OIDCIssuer{{URL: "https://i.example", Audiences: []string{"a"}, ClaimRules: []OIDCRule{{}}, UserRules: []OIDCRule{{}}}}
	for _, validate := range []func(time.Time) error{w.Validate, c.Validate} {
		first := validate(now).Error()
		for range 20 {
			if validate(now).Error() != first {
				t.Fatal("another order")
			}
		}
	}
}

// TestPathsHoldNoControlCharacters: a line break of any kind would begin another line.
func TestPathsHoldNoControlCharacters(t *testing.T) {
	for _, broken := range []string{"/srv/a\rb", "/srv/a\x00b", "/srv/a\nb", "/srv/\xff"} {
		c := isolated()
		c.Paths.Root = broken
		refused(t, c.Validate(now), "paths.root", "absolute path")
		w := worker(t)
		w.ResolvConf = broken
		refused(t, w.Validate(now), "resolvConf", "absolute path")
	}
}
