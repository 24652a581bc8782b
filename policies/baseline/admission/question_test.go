package admission

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// podObjects are the objects of the catalogue for pods, as they look at pods that are made in a namespace.
func podObjects(t *testing.T, s Settings, namespace map[string]string) (looking []Rendered) {
	t.Helper()
	rendered, _, err := Render(s, Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rendered {
		if !strings.HasPrefix(r.ID, "pods-") {
			continue
		}
		for _, binding := range r.Bindings {
			if binding.Spec.MatchResources.NamespaceSelector != nil {
				t.Errorf("%s selects namespaces beside its policy", binding.Name)
			}
			selector, err := metav1.LabelSelectorAsSelector(r.Policy.Spec.MatchConstraints.NamespaceSelector)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(binding.Spec.MatchResources.ResourceRules, func(rule admissionv1.NamedRuleWithOperations) bool {
				return slices.Contains(rule.Resources, "pods") && slices.Contains(rule.Operations, admissionv1.Create)
			}) && selector.Matches(labels.Set(namespace)) {
				looking = append(looking, r)
			}
		}
	}
	return looking
}

func idsOf(rendered []Rendered) (out []string) {
	for _, r := range rendered {
		out = append(out, r.ID)
	}
	return out
}

// A pod of a tenant is looked at by one object of the API server, where settings ask for nothing else: each costs time.
// Where the platform has not said that nothing is narrowed, a second looks, of each mode that has members for it.
func TestPodsAreLookedAtOnce(t *testing.T) {
	s := Settings{Registries: []string{"registry.example.org"}}
	said := map[string]string{corev1.LabelMetadataName: "team", LabelPodRules: PodRulesOfCluster}
	if got := idsOf(podObjects(t, s, said)); !slices.Equal(got, []string{"pods-deny"}) {
		t.Errorf("pods are looked at by %v", got)
	}
	for name, namespace := range map[string]map[string]string{"unsaid": {corev1.LabelMetadataName: "team"}, "otherwise": {corev1.LabelMetadataName: "team", LabelPodRules: "true"}} {
		if got := idsOf(podObjects(t, s, namespace)); !slices.Equal(got, []string{"pods-deny", "pods-deny-narrowed"}) {
			t.Errorf("%s: pods are looked at by %v", name, got)
		}
	}
	s.Modes = map[string]Mode{"user-namespaces": Warn, "seccomp": Audit}
	if got := idsOf(podObjects(t, s, nil)); !slices.Equal(got, []string{"pods-deny", "pods-deny-narrowed", "pods-warn", "pods-warn-narrowed", "pods-audit"}) {
		t.Errorf("pods are looked at by %v", got)
	}
	if got := podObjects(t, s, map[string]string{corev1.LabelMetadataName: "kube-system"}); got != nil {
		t.Errorf("pods of the system are looked at by %v", idsOf(got))
	}
}

// The question asks everything that a member has against a pod, or the member would never be asked: what is not in the
// question is not refused.
func TestTheQuestionLeavesNothingOut(t *testing.T) {
	s := Settings{Registries: []string{"registry.example.org"}, BaselineNamespaces: []string{"relaxed"}}
	asked := map[string]bool{}
	for _, mode := range []Mode{Deny, Warn} {
		g := s.withDefaults().group(familyOf(t, "pods"), mode)
		question := g.question(s)
		// A question that fails refuses.
		if rendered, err := g.render(s); err == nil && *rendered.Policy.Spec.FailurePolicy != admissionv1.Fail {
			t.Errorf("%s fails open", rendered.ID)
		}
		if rendered, err := g.render(s); err != nil || len(rendered.Policy.Spec.MatchConditions) != 1 || rendered.Policy.Spec.MatchConditions[0].Expression != question {
			t.Fatalf("%s: %v, it asks %v", mode, err, rendered.Policy.Spec.MatchConditions)
		}
		for _, m := range g.members {
			for _, v := range m.found.violated {
				fragment := strings.ReplaceAll(expand(v.bad, g.known(), bound), readsNamespace, "dyn(null)")
				if !strings.Contains(question, "("+fragment+")") {
					t.Errorf("%s: nobody is asked for %s: %s", mode, m.ID, v.bad)
				}
				asked[m.ID] = true
			}
		}
	}
	for _, p := range familyOf(t, "pods") {
		if !asked[p.ID] {
			t.Errorf("%s is in no question", p.ID)
		}
	}
}

func familyOf(t *testing.T, name string) []Policy {
	t.Helper()
	for _, family := range families(Catalogue()) {
		if family[0].Family == name {
			return family
		}
	}
	t.Fatalf("there is no family %s", name)
	return nil
}

var namespaceKey = regexp.MustCompile(`namespaceObject\.metadata\.\??(labels|annotations)\[\??'([^']+)'\]`)

// What a policy on pods reads of the namespace is what the policy pod-rules knows: of a namespace that carries it nobody
// can say that nothing is narrowed there, and members of the second object have all that read the namespace.
func TestNarrowedIsWhatReadsTheNamespace(t *testing.T) {
	s := Settings{Registries: []string{"registry.example.org"}}.withDefaults()
	g := s.group(familyOf(t, "pods"), Deny)
	second, has := g.narrowed(s)
	if !has || !slices.Equal(ids(second.policies()), []string{"image-registries", "user-namespaces", "isolation-pool"}) {
		t.Fatalf("the second object has %v", ids(second.policies()))
	}
	guard, _ := find("pod-rules")
	for _, p := range familyOf(t, "pods") {
		text := p.Violated
		for _, v := range p.Variables {
			text += v.Expression
		}
		keys := namespaceKey.FindAllStringSubmatch(text, -1)
		if strings.Contains(text, readsNamespace) != (len(keys) > 0) {
			t.Errorf("%s reads the namespace, and what of it is not known: %s", p.ID, text)
		}
		for _, key := range keys {
			if !strings.Contains(guard.Violated, "'"+key[2]+"'") {
				t.Errorf("%s reads %s, which pod-rules does not know", p.ID, key[2])
			}
		}
	}
}

// A policy of somebody else in the family may need the namespace: then there is no question, and one object has all.
func TestPoliciesOfOthersAreAlwaysAsked(t *testing.T) {
	other := familyOf(t, "pods")[0]
	other.ID, other.found = "other", finding{}
	rendered, _, err := Render(Settings{Registries: []string{"registry.example.org"}}, append(Catalogue(), other))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rendered {
		if strings.HasSuffix(r.ID, narrowedSuffix) || r.ID == "pods-deny" && len(r.Policy.Spec.MatchConditions) > 0 {
			t.Errorf("%s asks %v", r.ID, r.Policy.Spec.MatchConditions)
		}
	}
}
