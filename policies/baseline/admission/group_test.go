package admission

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// modeIn is the mode that the objects of a cluster give a policy in a namespace of the class restricted or baseline, by
// their bindings and conditions; an error where it is in none or in two.
func modeIn(t *testing.T, rendered []Rendered, id string, baseline bool) string {
	t.Helper()
	var modes []string
	for _, r := range rendered {
		if strings.HasSuffix(r.ID, narrowedSuffix) {
			continue // it has its say where the first has none: see question_test.go
		}
		for _, p := range r.Members {
			if p.ID != id {
				continue
			}
			// The class is asked where the policy is.
			_, own, _ := strings.Cut(r.variable(t, "violated"), "((")
			for _, part := range strings.Split(own, " + ((") {
				if !strings.HasSuffix(part, "['"+id+"'] : [])") {
					continue
				}
				only, not := strings.Contains(part, "&& "+ofBaseline), strings.Contains(part, "&& !"+ofBaseline)
				if only && !baseline || not && baseline {
					continue
				}
				modes = append(modes, fmt.Sprint(r.Bindings[0].Spec.ValidationActions))
			}
		}
	}
	if len(modes) != 1 {
		t.Errorf("%s (baseline %t) is in force as %v", id, baseline, modes)
		return ""
	}
	return modes[0]
}

func (r Rendered) variable(t *testing.T, name string) string {
	t.Helper()
	for _, v := range r.Policy.Spec.Variables {
		if v.Name == name {
			return v.Expression
		}
	}
	t.Fatalf("%s has no variable %s", r.ID, name)
	return ""
}

// Whatever the settings say, each policy is in force exactly once in each class, in its own mode.
func TestEveryPolicyKeepsItsMode(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		s := Settings{Registries: []string{"registry.example.org"}, Modes: map[string]Mode{}}
		for n := range random.IntN(3) * 60 {
			s.BaselineNamespaces = append(s.BaselineNamespaces, fmt.Sprintf("relaxed-%d", n))
		}
		for _, p := range Catalogue() {
			if mode := []Mode{"", "", "", Audit, Warn, Deny}[random.IntN(6)]; mode != "" {
				s.Modes[p.ID] = mode
			}
		}
		rendered, _, err := Render(s, Catalogue())
		if err != nil {
			t.Fatal(err)
		}
		set := s.withDefaults()
		for _, p := range Catalogue() {
			own, relaxed := set.mode(p, p.Mode), set.mode(p, p.Mode)
			if p.Relaxed != "" && len(s.BaselineNamespaces) > 0 {
				relaxed = set.mode(p, p.Relaxed)
			}
			if got := modeIn(t, rendered, p.ID, false); got != fmt.Sprint(own.actions()) {
				t.Errorf("%s is %s and not %s", p.ID, got, own)
			}
			if got := modeIn(t, rendered, p.ID, true); got != fmt.Sprint(relaxed.actions()) {
				t.Errorf("%s is %s and not %s in the class baseline", p.ID, got, relaxed)
			}
		}
	}
}

// A family is of policies that are alike in what it has in common, and each has its own variables.
func TestFamiliesAreAlike(t *testing.T) {
	one := Policy{ID: "one", Family: "f", Mode: Deny, Findings: `['x']`, Variables: nil}
	for name, other := range map[string]Policy{
		"scope":  {ID: "two", Family: "f", Mode: Deny, Findings: `['x']`, Scope: Workloads},
		"unless": {ID: "two", Family: "f", Mode: Deny, Findings: `['x']`, Unless: "true"},
	} {
		if _, _, err := Render(Settings{Registries: []string{"registry.example.org"}}, []Policy{one, other}); err == nil || !strings.Contains(err.Error(), "one and two") {
			t.Errorf("%s: %v", name, err)
		}
	}
	first, second := one, one
	second.ID = "two"
	first.Variables = []admissionv1.Variable{variable("a", "1")}
	second.Variables = []admissionv1.Variable{variable("a", "2")}
	if _, _, err := Render(Settings{Registries: []string{"registry.example.org"}}, []Policy{first, second}); err == nil || !strings.Contains(err.Error(), "variable a") {
		t.Errorf("one name for two expressions: %v", err)
	}
}
