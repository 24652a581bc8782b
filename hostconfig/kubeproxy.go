package hostconfig

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// KubeProxy describes the kube-proxy of a cluster. One configuration holds for
// all nodes: nothing in it names a machine.
type KubeProxy struct {
	// KubernetesVersion is kube-proxy's version; DefaultKubernetesVersion by default.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// PodCIDR is the cluster's range of pods. Required.
	PodCIDR string `json:"podCIDR"`
	// Kubeconfig is the absolute path of its credentials. Empty leaves it to
	// whoever starts kube-proxy: kubeadm writes its own.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// Extra changes fields of the KubeProxyConfiguration, by JSON name. Each
	// field has a merge rule, see [KubeProxyRules].
	Extra map[string]any `json:"extra,omitempty"`
	// Exceptions accept the risk of changing a locked setting.
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Upstream's ports of kube-proxy. Both listen on loopback only.
const (
	kubeProxyMetricsPort = 10249
	kubeProxyHealthPort  = 10256
)

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (k KubeProxy) WithDefaults() KubeProxy {
	setDefault(&k.KubernetesVersion, DefaultKubernetesVersion)
	return k
}

// Validate reports everything that is wrong with the specification, as joined
// [FieldError] values. The time decides whether exceptions and the version's
// support still hold. Defaults are filled in first.
func (k KubeProxy) Validate(now time.Time) error {
	k = k.WithDefaults()
	var p problems
	p.version("kubernetesVersion", k.KubernetesVersion, k.Exceptions, now)
	p.cidr("podCIDR", k.PodCIDR)
	if k.Kubeconfig != "" {
		p.paths("kubeconfig", Paths{Root: k.Kubeconfig})
	}
	p.exceptions("exceptions", k.Exceptions, now)
	_, refused := k.merge()
	p = append(p, refused...)
	return p.join()
}

// Configuration renders the KubeProxyConfiguration as YAML. It fails where a
// change is refused.
// https://kubernetes.io/docs/reference/config-api/kube-proxy-config.v1alpha1/
func (k KubeProxy) Configuration() (string, error) {
	merged, refused := k.WithDefaults().merge()
	if err := problems(refused).join(); err != nil {
		return "", err
	}
	rendered, err := yaml.Marshal(merged)
	return string(rendered), err
}

// hardened gives the fields before the user's changes. What is absent has
// upstream's default.
func (k KubeProxy) hardened() map[string]any {
	loopback := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	fields := map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
		"kind":       "KubeProxyConfiguration",
		"mode":       "nftables",
		// Node ports answer at the node's own primary address only.
		"nodePortAddresses":  []string{"primary"},
		"clusterCIDR":        k.PodCIDR,
		"bindAddress":        "0.0.0.0",
		"metricsBindAddress": loopback(kubeProxyMetricsPort), // CIS 4.3.1
		"healthzBindAddress": loopback(kubeProxyHealthPort),
		// Without this it would run on without metrics, or with half of them.
		"bindAddressHardFail": true,
		"enableProfiling":     false,
	}
	if k.Kubeconfig != "" {
		fields["clientConnection"] = map[string]any{"kubeconfig": k.Kubeconfig}
	}
	if told := hardenedGates(componentKubeProxy, minor(k.KubernetesVersion)); len(told) > 0 {
		fields["featureGates"] = told
	}
	return fields
}

// KubeProxyRules gives the rule of every field of the KubeProxyConfiguration in
// any supported minor, by JSON name; [Rule.In] tells in which.
func KubeProxyRules() []Rule {
	sorted := make([]Rule, 0, len(kubeProxyRules))
	for _, name := range slices.Sorted(maps.Keys(kubeProxyRules)) {
		sorted = append(sorted, kubeProxyRules[name])
	}
	return sorted
}

// The rules judge a field's value in its JSON form.
var kubeProxyRules = ruleSet{}.
	locked("CIS-4.3.1", "metricsBindAddress").
	locked("M16", "healthzBindAddress", "enableProfiling", "bindAddress", "bindAddressHardFail", "showHiddenMetricsForVersion",
		// A name of its own would let kube-proxy speak for another node.
		"hostnameOverride", "portRange", "winkernel", "windowsRunAsService",
		// The mode that the host firewall's rules were proven with.
		"mode", "iptables", "ipvs").
	bounded("M16", "nodePortAddresses", `["primary"], or ranges of IPv4 that are not everything`, acceptsNodePortAddresses).
	bounded("M17", "logging", "a verbosity of 0 to 7", jsonVerbosity).
	gates("M14", "featureGates", jsonGates).
	decidedBy("podCIDR", "clusterCIDR").
	decidedBy("kubeconfig", "clientConnection").
	overwritable("nftables", "detectLocalMode", "detectLocal", "oomScoreAdj", "conntrack", "configSyncPeriod")

// acceptsNodePortAddresses refuses an empty list, which means every address, and
// ranges that come to the same.
func acceptsNodePortAddresses(value string) bool {
	var items []string
	if json.Unmarshal([]byte(value), &items) != nil || len(items) == 0 {
		return false
	}
	if slices.Equal(items, []string{"primary"}) {
		return true
	}
	var p problems
	p.spread("", items) // narrow ranges that are everything together
	return len(p) == 0 && !slices.ContainsFunc(items, func(item string) bool {
		prefix, isRange := p.cidr("", item)
		return !isRange || prefix.Bits() < 8
	})
}

// merge puts the user's fields over the hardened ones. What may not stand is
// left out and reported. It needs the defaults filled in.
func (k KubeProxy) merge() (map[string]any, []error) {
	hardened := k.hardened()
	merged := maps.Clone(hardened)
	var refused []error
	for _, name := range slices.Sorted(maps.Keys(k.Extra)) {
		if problem := k.mergeField(merged, hardened, name); problem != nil {
			problem.Field = fmt.Sprintf("extra[%q]", name)
			refused = append(refused, problem)
		}
	}
	return merged, refused
}

func (k KubeProxy) mergeField(merged, hardened map[string]any, name string) *FieldError {
	rule, known := kubeProxyRules[name]
	if !known {
		return &FieldError{Problem: "the KubeProxyConfiguration has no such field whose effect on the controls is known",
			Remedy: "use a field of kubeproxy.config.k8s.io/v1alpha1, spelled as in YAML"}
	}
	value, err := json.Marshal(k.Extra[name])
	if err != nil {
		return &FieldError{Problem: "cannot be written as JSON", Remedy: "use numbers, strings, lists and maps"}
	}
	if number, found := endlessNumber(value); found {
		return &FieldError{Problem: quote(number) + " is a number that takes the parser of quantities minutes", Remedy: "write " + quantityBound}
	}
	before, isSet := hardened[name]
	beforeText := ""
	if isSet {
		text, err := json.Marshal(before)
		if err != nil {
			return &FieldError{Problem: err.Error(), Remedy: "report this as a defect"}
		}
		beforeText = string(text)
	}
	if problem := rule.judge(minor(k.KubernetesVersion), string(value), beforeText, isSet, k.Exceptions); problem != nil {
		return problem
	}
	if rule.Merge == Additive && isSet {
		if value, err = unionObjects(json.RawMessage(beforeText), value); err != nil {
			return &FieldError{Problem: "has the wrong form: " + err.Error(), Remedy: "write names with true or false"}
		}
	}
	var field any
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.UseNumber() // a large number stays what it was
	if err := decoder.Decode(&field); err != nil {
		return &FieldError{Problem: "has the wrong form: " + err.Error(), Remedy: "write it as in a KubeProxyConfiguration"}
	}
	merged[name] = field
	return nil
}
