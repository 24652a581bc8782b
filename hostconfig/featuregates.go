package hostconfig

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// componentKubelet and componentKubeProxy name the node's components.
const (
	componentKubelet   = "kubelet"
	componentKubeProxy = "kube-proxy"
)

// gate is a feature whose state a control upholds. A feature that is not among
// them protects and exposes nothing, and users choose it.
type gate struct {
	// protects tells that the feature must stay on; otherwise it must stay off.
	protects bool
	reason   string
	// since is the first minor that knows the gate, gone the first in which it
	// can no longer be set: it does not exist, or is locked to its default.
	since, gone string
	// onSince is the first minor in which the feature is on by default: from
	// then on an exposing one is turned off, and a protecting one stays on.
	onSince    string
	components []string
	// written tells that a protecting feature is set although it is the default,
	// because an auditor looks for it.
	written bool
}

var everyComponent = []string{ComponentAPIServer, ComponentControllerManager, ComponentScheduler, componentKubelet, componentKubeProxy}

// gates are the judged features of the supported minors.
// https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
var gates = map[string]gate{
	"AuthorizePodWebsocketUpgradeCreatePermission": {protects: true, reason: "exec over WebSocket needs the create verb"},
	"DRAResourceClaimGranularStatusAuthorization":  {protects: true, since: "v1.36", reason: "the status of resource claims needs rights of its own"},
	"KubeletEnsureSecretPulledImages":              {protects: true, reason: "a pod cannot use an image that another pod's secret pulled"},
	"KubeletFineGrainedAuthz":                      {protects: true, gone: "v1.36", reason: "health and metrics of the kubelet need less than nodes/proxy"},
	"PreventStaticPodAPIReferences":                {protects: true, gone: "v1.37", reason: "a static pod cannot refer to API objects"},
	"RotateKubeletServerCertificate": {protects: true, written: true, components: []string{ComponentControllerManager, componentKubelet},
		reason: "serving certificates of kubelets rotate (CIS 1.3.6 and 4.2.11)"},
	"ServiceAccountNodeAudienceRestriction":   {protects: true, reason: "a node gets tokens only for audiences of its pods"},
	"StrictIPCIDRValidation":                  {protects: true, onSince: "v1.36", reason: "addresses that programs read differently are refused"},
	"TokenRequestServiceAccountUIDValidation": {protects: true, reason: "a token request must name the account that exists"},

	"AllAlpha": {reason: "untried features, all at once"},
	"AllBeta":  {reason: "features that are off by default, all at once"},
	"AllowServiceExternalIPs": {since: "v1.36", onSince: "v1.36", components: []string{ComponentAPIServer, componentKubeProxy},
		reason: "a service can take traffic for any address (CIS 1.2.3)"},
	"AllowUnsafeMalformedObjectDeletion": {onSince: "v1.37", components: []string{ComponentAPIServer},
		reason: "objects that cannot be decrypted may be deleted unseen"},
	"ComponentFlagz":               {onSince: "v1.36", components: everyComponent, reason: "a page with every flag of the component"},
	"ComponentStatusz":             {onSince: "v1.36", components: everyComponent, reason: "a page with the state of the component"},
	"KubeletAllocatedPodsEndpoint": {since: "v1.37", reason: "a page with every pod that the kubelet admitted"},
	"KubeletInUserNamespace": {onSince: "v1.37", components: []string{componentKubelet},
		reason: "failures to protect the kernel are ignored"},
	// From v1.36 on it is always on, and enableSystemLogQuery keeps it off.
	"NodeLogQuery": {gone: "v1.36", reason: "logs of the host through the kubelet"},
}

const gatesBound = "protective features stay on, exposing ones off"

// settable tells whether a minor lets the gate be set.
func (g gate) settable(minor string) bool { return Rule{Since: g.since, Gone: g.gone}.In(minor) }

// onByDefault tells whether onSince has come.
func (g gate) onByDefault(minor string) bool {
	return g.onSince != "" && minorNumber(minor) >= minorNumber(g.onSince)
}

// acceptsGates judges a list of name=bool. A prefix such as "kube:" names the
// component and changes nothing.
func acceptsGates(minor, value string) bool {
	for _, item := range strings.Split(value, ",") {
		name, state, found := strings.Cut(strings.TrimSpace(item), "=")
		on, err := strconv.ParseBool(state)
		if !found || err != nil {
			return false
		}
		if _, bare, prefixed := strings.Cut(name, ":"); prefixed {
			name = bare
		}
		if !acceptsGate(minor, name, on) {
			return false
		}
	}
	return true
}

// gateName is how a gate is spelled. Components trim what stands around a name,
// so that "AllAlpha " would be AllAlpha to them and unknown here.
var gateName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*$`)

// acceptsGate refuses a weaker state, and any state of a judged gate that the
// minor does not let anyone set: the component would not start.
func acceptsGate(minor, name string, on bool) bool {
	if !gateName.MatchString(name) {
		return false
	}
	g, judged := gates[name]
	if judged && g.protects && g.onSince != "" && !g.onByDefault(minor) {
		return true // not finished yet
	}
	return !judged || g.settable(minor) && on == g.protects
}

// hardenedGates gives the gates that a component of the minor is told: what
// exposes and is on by default, and what an auditor looks for.
func hardenedGates(component, minor string) map[string]bool {
	told := map[string]bool{}
	for name, g := range gates {
		if slices.Contains(g.components, component) && g.settable(minor) && (!g.protects && g.onByDefault(minor) || g.written) {
			told[name] = g.protects
		}
	}
	return told
}

// renderGates gives name=bool, sorted and comma-separated.
func renderGates(told map[string]bool) string {
	var items []string
	for _, name := range slices.Sorted(maps.Keys(told)) {
		items = append(items, fmt.Sprintf("%s=%t", name, told[name]))
	}
	return strings.Join(items, ",")
}
