package hostconfig

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

var components = []string{ComponentEtcd, ComponentAPIServer, ComponentControllerManager, ComponentScheduler}

func TestArgumentsGolden(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		for name, c := range map[string]ControlPlane{"isolated": isolated(), "plain": plain(), "several": several()} {
			c.KubernetesVersion = version
			for _, component := range components {
				golden.Compare(t, "controlplane/"+name+"/"+minor(version)+"/"+component+".args", strings.Join(c.arguments(component), "\n")+"\n")
			}
		}
	})
}

// TestLockedFlags tries to change every locked flag of every component: without
// an exception it must be refused and leave the rendered arguments as they were.
func TestLockedFlags(t *testing.T) {
	for _, component := range components {
		for _, rule := range ArgumentRules(component) {
			if rule.Merge != Locked {
				continue
			}
			t.Run(component+"/"+rule.Name, func(t *testing.T) {
				c := isolated()
				c.KubernetesVersion = versionOf(rule)
				before := c.arguments(component)
				c.ExtraArgs = map[string]map[string]string{component: {rule.Name: "weaker"}}
				field := "extraArgs[" + quote(component) + "][" + quote(rule.Name) + "]"
				names := rule.Control
				if rule.Field != "" {
					names = rule.Field
				}
				refused(t, c.Validate(now), field, names)
				if after := c.arguments(component); !slices.Equal(before, after) {
					t.Errorf("the refused value changed the arguments: %v", after)
				}

				c.Exceptions = []Exception{accept("CIS-9.9.9")}
				refused(t, c.Validate(now), field, names)

				if rule.Field != "" {
					return
				}
				c.Exceptions = []Exception{accept(rule.Control)}
				accepted(t, c.Validate(now))
				if got, _ := value(c.arguments(component), rule.Name); got != "weaker" {
					t.Errorf("the exception changed nothing: %q", got)
				}
				c.Exceptions[0].Expires = "2026-05-31"
				refused(t, c.Validate(now), "exceptions[0].expires", "expired")
			})
		}
	}
}

// versionOf is a supported version that has the rule's flag or field.
func versionOf(rule Rule) string {
	for _, m := range SupportedMinors() {
		if rule.In(m.Name) {
			return m.Proven
		}
	}
	return "none"
}

func TestUsersExtend(t *testing.T) {
	c := isolated()
	c.ExtraArgs = map[string]map[string]string{
		ComponentAPIServer: {
			"enable-admission-plugins": "OwnerReferencesPermissionEnforcement,NodeRestriction",
			"event-ttl":                "2h",
			"tls-min-version":          "VersionTLS13",
			"feature-gates":            "WatchList=false",
			"profiling":                "false", // what is already so may be said again
		},
		ComponentControllerManager: {"feature-gates": "WatchListClient=false"},
	}
	accepted(t, c.Validate(now))
	for flag, want := range map[string]string{
		"enable-admission-plugins": "AlwaysPullImages,DenyServiceExternalIPs,EventRateLimit,NodeRestriction,OwnerReferencesPermissionEnforcement",
		"event-ttl":                "2h",
		"tls-min-version":          "VersionTLS13",
		"feature-gates":            "WatchList=false",
		"profiling":                "false",
	} {
		if got, _ := value(c.APIServerArgs(), flag); got != want {
			t.Errorf("%s: %q, want %q", flag, got, want)
		}
	}
	if got, _ := value(c.ControllerManagerArgs(), "feature-gates"); got != "RotateKubeletServerCertificate=true,WatchListClient=false" {
		t.Errorf("feature gates: %q", got)
	}
}

func TestUnknownArguments(t *testing.T) {
	c := isolated()
	c.ExtraArgs = map[string]map[string]string{
		"kube-proxy":       {"v": "2"},
		ComponentAPIServer: {"insecure-port": "8080", "--profiling": "true", "event-ttl": "1h\n--anonymous-auth=true"},
	}
	err := c.Validate(now)
	refused(t, err, "extraArgs", "kube-proxy")
	refused(t, err, `extraArgs["kube-apiserver"]["insecure-port"]`, "no flag")
	refused(t, err, `extraArgs["kube-apiserver"]["--profiling"]`, "no flag")
	refused(t, err, `extraArgs["kube-apiserver"]["event-ttl"]`, "line break")
	if !slices.Equal(isolated().APIServerArgs(), c.APIServerArgs()) {
		t.Error("refused arguments were rendered")
	}
}

// TestEveryFlagHasARule compares the rules with what the real programs of each
// minor print: a flag that nobody judged, or a rule for a flag that is gone, fails.
func TestEveryFlagHasARule(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		for _, component := range components {
			t.Run(component, func(t *testing.T) {
				output, err := exec.Command(program(t, programOf(version, component)), "--help").CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, output)
				}
				compareFlags(t, component, minor(version), string(output))
			})
		}
	})
}

var flagPattern = regexp.MustCompile(`(?m)^\s+(?:-[a-z], )?--([a-z][a-z0-9-]*)`)

// gatePattern finds a settable feature in the help text of --feature-gates.
var gatePattern = regexp.MustCompile(`(?m)(?:^\s+|=|\s)(?:kube:)?([A-Z][A-Za-z0-9]+)=true\|false \(([A-Z]+) - default=(true|false)\)`)

func compareFlags(t *testing.T, component, minor, help string) {
	t.Helper()
	real := map[string]bool{}
	for _, match := range flagPattern.FindAllStringSubmatch(help, -1) {
		// etcd's deprecated names, and what asks for help or the version.
		if !strings.HasPrefix(match[1], "experimental-") && match[1] != "help" && match[1] != "version" {
			real[match[1]] = true
		}
	}
	if len(real) < 50 {
		t.Fatalf("found only %d flags in the help text", len(real))
	}
	for name := range real {
		if rule, known := argumentRules[component][name]; !known || !rule.In(minor) {
			t.Errorf("--%s has no rule in %s", name, minor)
		}
	}
	for name, rule := range argumentRules[component] {
		// etcd lists --config-file apart from its flags.
		if !real[name] && rule.In(minor) && name != "config-file" {
			t.Errorf("--%s has a rule in %s but is no flag", name, minor)
		}
	}
	if component != ComponentAPIServer {
		return
	}
	// Generally available features are not in the help text.
	defaults := map[string]bool{}
	for _, match := range gatePattern.FindAllStringSubmatch(help, -1) {
		defaults[match[1]] = match[3] == "true"
	}
	if len(defaults) < 50 {
		t.Fatalf("found only %d features in the help text", len(defaults))
	}
	for name, g := range gates {
		on, listed := defaults[name]
		told := g.onByDefault(minor)
		switch {
		case listed && !g.settable(minor):
			t.Errorf("%s can be set in %s, and no rule says so", name, minor)
		case listed && g.protects && !on && (told || g.onSince == ""):
			t.Errorf("%s protects, but is off in %s", name, minor)
		case listed && !g.protects && on && !told:
			t.Errorf("%s exposes, is on in %s, and nothing turns it off", name, minor)
		case listed && told && !on:
			t.Errorf("%s is off in %s by itself", name, minor)
		case !listed && g.settable(minor) && name != "AllowServiceExternalIPs":
			t.Errorf("%s is no feature of %s", name, minor)
		}
	}
}

// TestRulesAreMeaningful keeps the tables honest.
func TestRulesAreMeaningful(t *testing.T) {
	check := func(where string, rule Rule) {
		if rule.Merge == Locked && (rule.Control == "") == (rule.Field == "") {
			t.Errorf("%s %s is locked by neither a control nor a field, or by both", where, rule.Name)
		}
		if rule.Control != "" && !controlPattern.MatchString(rule.Control) {
			t.Errorf("%s %s: %q is no control that an exception could name", where, rule.Name, rule.Control)
		}
		if rule.accepts != nil && (rule.Bound == "" || rule.Control == "") {
			t.Errorf("%s %s has a bound without words or control", where, rule.Name)
		}
	}
	for _, component := range components {
		for _, rule := range ArgumentRules(component) {
			check(component, rule)
		}
	}
	for _, rule := range KubeletRules() {
		check("kubelet", rule)
	}
}

func FuzzMergeArguments(f *testing.F) {
	f.Add(ComponentAPIServer, "enable-admission-plugins", "AlwaysAdmit,,NodeRestriction", "CIS-1.2.10")
	f.Add(ComponentAPIServer, "profiling", "true", "")
	f.Add(ComponentControllerManager, "feature-gates", "a=b=c,=,kube:x=true", "M14")
	f.Add(ComponentEtcd, "cipher-suites", ",", "M13")
	f.Add("other", "", "\x00\n", "M99")
	f.Fuzz(func(t *testing.T, component, flag, text, control string) {
		c := isolated()
		c.ExtraArgs = map[string]map[string]string{component: {flag: text}}
		before := c.ExtraArgs[component]
		err := c.Validate(now)
		if !slices.Contains(components, component) {
			if err == nil {
				t.Fatalf("component %q was accepted", component)
			}
			return
		}
		after := c.arguments(component)
		if err != nil && !slices.Equal(isolated().arguments(component), after) {
			t.Fatalf("a refused value was rendered: %v", after)
		}
		// Without an exception no locked flag changes, whatever is written.
		for _, rule := range ArgumentRules(component) {
			want, wasSet := value(isolated().arguments(component), rule.Name)
			got, isSet := value(after, rule.Name)
			if rule.Merge == Locked && (want != got || wasSet != isSet) {
				t.Fatalf("locked --%s became %q", rule.Name, got)
			}
			if isSet && rule.Merge != Locked && rule.accepts != nil && got != want && !rule.accepts("v1.35", before[rule.Name]) {
				t.Fatalf("--%s=%q is out of bounds", rule.Name, got)
			}
		}
		for _, argument := range after {
			if strings.ContainsAny(argument, "\n\x00") {
				t.Fatalf("an argument breaks the line: %q", argument)
			}
		}
		c.Exceptions = []Exception{accept(control)}
		_ = c.Validate(now)
		_ = c.arguments(component)
	})
}
