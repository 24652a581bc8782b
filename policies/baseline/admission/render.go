package admission

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Rendered is one object of the API server, with the policies of the catalogue that
// it holds: those of a family that have one mode somewhere.
type Rendered struct {
	// ID is that of the policy, or the family and the mode.
	ID string
	// Members are the policies of the catalogue.
	Members  []Policy
	Policy   *admissionv1.ValidatingAdmissionPolicy
	Bindings []*admissionv1.ValidatingAdmissionPolicyBinding
	sentinel string // the name of what the object is asked by, and
	probed   bool   // whether anybody sees its answer
}

const (
	apiVersion = "admissionregistration.k8s.io/v1"
	// namePrefix begins the names of policies and bindings.
	namePrefix = "redoubt-"
	// sentinelPrefix begins the names of sentinels; the version of the policy follows.
	sentinelPrefix = "redoubt-sentinel-"
	// nameLabel is the name of a namespace, which the API server writes and nobody
	// can change.
	nameLabel           = corev1.LabelMetadataName
	parametersNamespace = metav1.NamespaceSystem
)

// ParametersName is the ConfigMap that the policies read, in kube-system. It has the
// version of the keys: who adds or removes one changes it, so that policies of both
// versions find theirs while one follows the other.
const ParametersName = "redoubt-admission-v2"

// Render gives the policies of the catalogue and their parameters. The settings
// must be valid.
func Render(s Settings, policies []Policy) ([]Rendered, *corev1.ConfigMap, error) {
	s = s.withDefaults()
	var out []Rendered
	for _, family := range families(policies) {
		if err := alike(family); err != nil {
			return nil, nil, err
		}
		for _, mode := range []Mode{Deny, Warn, Audit} {
			g := s.group(family, mode)
			if len(g.members) == 0 {
				continue
			}
			objects := []group{g}
			if second, has := g.narrowed(s); has {
				objects = append(objects, second)
			}
			for _, object := range objects {
				r, err := object.render(s)
				if err != nil {
					return nil, nil, err
				}
				out = append(out, r)
			}
		}
	}
	return out, s.parameters(), nil
}

func (g group) render(s Settings) (Rendered, error) {
	p := g.members[0].Policy // what members have in common
	spec := admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy:    ptr.To(admissionv1.Fail),
		MatchConstraints: matching(g.rules(), nil),
		MatchConditions:  slices.Concat(p.Conditions, g.conditions(s)), // pods have none of their own
		Variables:        g.variables(),
		Validations:      []admissionv1.Validation{g.validation()},
		// A use of an exception is in the audit log, with its policy, its day and its
		// reason.
		AuditAnnotations: []admissionv1.AuditAnnotation{{Key: "exception", ValueExpression: `size(variables.exceptions) == 0 ? '' : variables.exceptions.filter(e, e.split(' ')[0] in variables.violated).join('; ')`}},
	}
	asked := `request.?name.orValue('') == `
	if !p.NoParameters {
		spec.ParamKind = &admissionv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}
		asked = `'registries' in params.data && ` + asked // its answer tells of the parameters too
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return Rendered{}, fmt.Errorf("policy %s: %w", g.id, err)
	}
	digest := sha256.Sum256(text)
	name := namePrefix + g.id + "-" + hex.EncodeToString(digest[:4])
	if g.onPods() {
		// Where an object holds is no part of its name: it changes with the tenants, in one write.
		spec.MatchConstraints.NamespaceSelector = g.selector(s)
	}
	sentinel := p.Sentinel.name(name)
	spec.Validations = append(spec.Validations, admissionv1.Validation{Expression: `!(` + asked + `'` + sentinel + `')`, Message: inForce})
	made := &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"}, ObjectMeta: g.meta(name), Spec: spec,
	}
	return Rendered{ID: g.id, Members: g.policies(), Policy: made, Bindings: g.bindings(s, name), sentinel: sentinel, probed: p.Sentinel.Kind != "" && g.mode != Audit}, nil
}

// celString is a text as CEL writes it.
func celString(text string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + `'`
}

func (g group) meta(name string) metav1.ObjectMeta {
	var titles, controls []string
	for _, p := range g.policies() {
		titles = append(titles, p.ID+": "+p.Title)
		for _, control := range p.Controls {
			if !slices.Contains(controls, control) {
				controls = append(controls, control)
			}
		}
	}
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{LabelManagedBy: ManagedBy, Group + "/policy": g.id},
		Annotations: map[string]string{Group + "/title": strings.Join(titles, "; "), Group + "/controls": strings.Join(controls, ", ")}}
}

func matching(rules []admissionv1.NamedRuleWithOperations, selector *metav1.LabelSelector) *admissionv1.MatchResources {
	return &admissionv1.MatchResources{MatchPolicy: ptr.To(admissionv1.Equivalent), ResourceRules: rules, NamespaceSelector: selector}
}

// selector is of the namespaces where the object holds; nil for all.
func (g group) selector(s Settings) *metav1.LabelSelector {
	var selector *metav1.LabelSelector
	named := func(operator metav1.LabelSelectorOperator, names []string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: nameLabel, Operator: operator, Values: names}}}
	}
	switch {
	case g.relaxedOnly() && len(s.BaselineNamespaces) <= manyNames:
		// The sentinel is in default, where nothing else is of that class.
		selector = named(metav1.LabelSelectorOpIn, slices.Concat(s.BaselineNamespaces, []string{metav1.NamespaceDefault}))
	case g.members[0].Scope == Workloads:
		selector = named(metav1.LabelSelectorOpNotIn, s.SystemNames())
	}
	if g.elsewhere != "" {
		if selector == nil {
			selector = &metav1.LabelSelector{}
		}
		selector.MatchExpressions = append(selector.MatchExpressions, metav1.LabelSelectorRequirement{Key: LabelPodRules, Operator: metav1.LabelSelectorOpNotIn, Values: []string{PodRulesOfCluster}})
	}
	return selector
}

// bindings put the object into force: as it is, and on templates, which are never
// refused.
func (g group) bindings(s Settings, policy string) []*admissionv1.ValidatingAdmissionPolicyBinding {
	p := g.members[0].Policy
	selector := g.selector(s)
	if g.onPods() {
		selector = nil // the policy has it: it is read anew for every object, and for each binding
	}
	binding := func(suffix string, mode Mode, rules []admissionv1.NamedRuleWithOperations) *admissionv1.ValidatingAdmissionPolicyBinding {
		made := &admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicyBinding"}, ObjectMeta: g.meta(policy + suffix),
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: policy, ValidationActions: mode.actions(), MatchResources: matching(rules, selector)},
		}
		if !p.NoParameters {
			made.Spec.ParamRef = &admissionv1.ParamRef{Name: ParametersName, Namespace: parametersNamespace, ParameterNotFoundAction: ptr.To(admissionv1.DenyAction)}
		}
		return made
	}
	out := []*admissionv1.ValidatingAdmissionPolicyBinding{binding("", g.mode, union(g.policies(), func(p Policy) []admissionv1.NamedRuleWithOperations { return p.Rules }))}
	if len(p.Templates) > 0 {
		out = append(out, binding("-templates", g.mode.atMost(Warn), p.Templates))
	}
	return out
}

// actions are those of the API server: a refusal is in the audit log as well.
func (m Mode) actions() []admissionv1.ValidationAction {
	switch m {
	case Audit:
		return []admissionv1.ValidationAction{admissionv1.Audit}
	case Warn:
		return []admissionv1.ValidationAction{admissionv1.Warn, admissionv1.Audit}
	default:
		return []admissionv1.ValidationAction{admissionv1.Deny, admissionv1.Audit}
	}
}

// inForce is what a sentinel is told.
const inForce = "this version of the policy is in force"
