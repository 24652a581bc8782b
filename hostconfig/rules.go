package hostconfig

import (
	"strconv"
	"strings"
	"time"
)

// ruleSet collects the rules of one component, and panics on a flag that is
// named twice: a table that contradicts itself must not build.
type ruleSet map[string]Rule

func (s ruleSet) add(rule Rule) ruleSet {
	if _, twice := s[rule.Name]; twice {
		panic("hostconfig: two rules for " + rule.Name)
	}
	s[rule.Name] = rule
	return s
}

// locked adds flags that uphold a control.
func (s ruleSet) locked(control string, names ...string) ruleSet {
	for _, name := range names {
		s.add(Rule{Name: name, Merge: Locked, Control: control})
	}
	return s
}

// decidedBy adds flags that a field of the specification decides.
func (s ruleSet) decidedBy(field string, names ...string) ruleSet {
	for _, name := range names {
		s.add(Rule{Name: name, Merge: Locked, Field: field})
	}
	return s
}

// overwritable adds flags that uphold no control.
func (s ruleSet) overwritable(names ...string) ruleSet {
	for _, name := range names {
		s.add(Rule{Name: name, Merge: Overwritable})
	}
	return s
}

// bounded adds a flag whose value may change as long as a control is upheld.
func (s ruleSet) bounded(control, name, bound string, accepts func(string) bool) ruleSet {
	return s.add(Rule{Name: name, Merge: Overwritable, Control: control, Bound: bound, accepts: accepts})
}

// additive adds a list to which a user may add what upholds the control.
func (s ruleSet) additive(control, name, bound string, accepts func(string) bool) ruleSet {
	return s.add(Rule{Name: name, Merge: Additive, Control: control, Bound: bound, accepts: accepts})
}

func integerBetween(low, high int) func(string) bool {
	return func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && n >= low && n <= high
	}
}

func durationBetween(low, high time.Duration) func(string) bool {
	return func(value string) bool {
		d, err := time.ParseDuration(value)
		return err == nil && d >= low && d <= high
	}
}

func oneOf(values ...string) func(string) bool {
	return func(value string) bool {
		for _, v := range values {
			if v == value {
				return true
			}
		}
		return false
	}
}

// subsetOf accepts a list that is not empty and has no other items: an empty
// list usually means the program's own, weaker default.
func subsetOf(values []string) func(string) bool {
	isMember := oneOf(values...)
	return func(value string) bool {
		for _, item := range strings.Split(value, ",") {
			if !isMember(item) {
				return false
			}
		}
		return true
	}
}

// noneOf accepts a list that has none of the items.
func noneOf(values ...string) func(string) bool {
	isMember := oneOf(values...)
	return func(value string) bool {
		for _, item := range strings.Split(value, ",") {
			if isMember(strings.TrimSpace(item)) {
				return false
			}
		}
		return true
	}
}

// protectiveGates are features of Kubernetes v1.35 that are on by default and
// protect something, with what they protect.
var protectiveGates = map[string]string{
	"AuthorizePodWebsocketUpgradeCreatePermission": "exec over WebSocket needs the create verb",
	"KubeletEnsureSecretPulledImages":              "a pod cannot use an image that another pod's secret pulled",
	"KubeletFineGrainedAuthz":                      "health and metrics of the kubelet need less than nodes/proxy",
	"PreventStaticPodAPIReferences":                "a static pod cannot refer to API objects",
	"RotateKubeletServerCertificate":               "serving certificates of kubelets rotate (CIS 1.3.6 and 4.2.11)",
	"ServiceAccountNodeAudienceRestriction":        "a node gets tokens only for audiences of its pods",
	"TokenRequestServiceAccountUIDValidation":      "a token request must name the account that exists",
}

// exposingGates are features that are off by default and expose something.
var exposingGates = map[string]string{
	"AllAlpha":                           "untried features, all at once",
	"AllBeta":                            "features that are off by default, all at once",
	"AllowUnsafeMalformedObjectDeletion": "objects that cannot be decrypted may be deleted unseen",
	"ComponentFlagz":                     "a page with every flag of the component",
	"ComponentStatusz":                   "a page with the state of the component",
	"KubeletInUserNamespace":             "failures to protect the kernel are ignored",
	"NodeLogQuery":                       "logs of the host through the kubelet",
}

const gatesBound = "protective features stay on, exposing ones off"

// acceptsGates judges a list of name=bool. A prefix such as "kube:" names the
// component and changes nothing.
func acceptsGates(value string) bool {
	for _, item := range strings.Split(value, ",") {
		name, state, found := strings.Cut(strings.TrimSpace(item), "=")
		on, err := strconv.ParseBool(state)
		if !found || err != nil {
			return false
		}
		if _, bare, prefixed := strings.Cut(name, ":"); prefixed {
			name = bare
		}
		if !acceptsGate(name, on) {
			return false
		}
	}
	return true
}

func acceptsGate(name string, on bool) bool {
	if _, protects := protectiveGates[name]; protects && !on {
		return false
	}
	_, exposes := exposingGates[name]
	return !exposes || !on
}
