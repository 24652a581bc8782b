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

// Rendered is a policy as a cluster gets it.
type Rendered struct {
	Catalogue Policy
	Policy    *admissionv1.ValidatingAdmissionPolicy
	Bindings  []*admissionv1.ValidatingAdmissionPolicyBinding
}

const (
	apiVersion = "admissionregistration.k8s.io/v1"
	// namePrefix begins the names of policies and bindings.
	namePrefix = "redoubt-"
	// sentinelPrefix begins the names of sentinels; the version of the policy follows.
	sentinelPrefix = "redoubt-sentinel-"
	// nameLabel is the name of a namespace, which the API server writes and nobody
	// can change.
	nameLabel = corev1.LabelMetadataName
	// parametersName has the version of the keys: who adds or removes one changes
	// it, so that policies of both versions find theirs while one follows the other.
	parametersName      = "redoubt-admission-v1"
	parametersNamespace = metav1.NamespaceSystem
)

// common are variables that every policy has.
func common(p Policy) []admissionv1.Variable {
	out := []admissionv1.Variable{
		// The API server's own clock: it writes the time of creation before it asks the
		// policies. Other operations have the object's age, and connections none.
		variable("clock", `object != null && dyn(object).?metadata.?creationTimestamp.hasValue() ? timestamp(dyn(object).metadata.creationTimestamp) : `+
			`(oldObject != null && dyn(oldObject).?metadata.?creationTimestamp.hasValue() ? timestamp(dyn(oldObject).metadata.creationTimestamp) : timestamp('1970-01-01T00:00:00Z'))`),
		variable("exceptions", exceptionsOf(p)),
		variable("exempt", `size(variables.exceptions) > 0`),
	}
	if len(p.Templates) > 0 && slices.ContainsFunc(p.Rules, func(r admissionv1.NamedRuleWithOperations) bool { return slices.Contains(r.Resources, "pods") }) {
		out = append(out, pods()...)
	}
	out = append(out, p.Variables...)
	return append(out, variable("findings", p.Findings), variable("said", `variables.findings.join(', ')`))
}

// exceptionsOf are the entries of the parameters that let the object off.
func exceptionsOf(p Policy) string {
	if p.NoParameters {
		return `[].map(e, '')`
	}
	return `params.data[?'exceptions.` + p.ID + `'].orValue('').split('\n').filter(e, (e.startsWith('/') && request.?namespace.orValue('') == '' ? e.startsWith('/' + request.?name.orValue('') + ' ') : e.startsWith(request.?namespace.orValue('') + '/* ')) && timestamp(e.split(' ')[1]) > variables.clock)`
}

// pods are variables that policies on pods have: where the object keeps the pod, its
// metadata and its specification.
func pods() []admissionv1.Variable {
	return []admissionv1.Variable{
		variable("pod", `request.kind.kind == 'Pod' ? dyn(object) : request.kind.kind == 'CronJob' ? dyn(object).spec.jobTemplate.spec.template : `+
			`request.kind.kind == 'PodTemplate' ? dyn(object).template : dyn(object).spec.?template.orValue({'spec': {}})`),
		variable("path", `{'Pod': 'spec.', 'CronJob': 'spec.jobTemplate.spec.template.spec.', 'PodTemplate': 'template.spec.'}[?request.kind.kind].orValue('spec.template.spec.')`),
		variable("spec", `variables.pod.?spec.orValue({})`),
		variable("annotations", `variables.pod.?metadata.?annotations.orValue({})`),
	}
}

// maxFindings bounds what a message says: the API server drops messages that are
// longer than 5 KiB.
const maxFindings = 3000

// Render gives the policies of the catalogue and their parameters. The settings
// must be valid.
func Render(s Settings, policies []Policy) ([]Rendered, *corev1.ConfigMap, error) {
	s = s.withDefaults()
	var out []Rendered
	for _, p := range policies {
		r, err := render(s, p)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, r)
	}
	return out, s.parameters(), nil
}

func render(s Settings, p Policy) (Rendered, error) {
	spec := admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy:    ptr.To(admissionv1.Fail),
		MatchConstraints: matching(slices.Concat(p.Rules, p.Templates), nil),
		MatchConditions:  p.Conditions,
		Variables:        common(p),
		Validations:      []admissionv1.Validation{p.validation()},
		// A use of an exception is in the audit log, with its day and its reason.
		AuditAnnotations: []admissionv1.AuditAnnotation{{Key: "exception", ValueExpression: `variables.exempt && size(variables.findings) > 0 ? string(variables.exceptions[0]) : ''`}},
	}
	asked := `request.?name.orValue('') == `
	if !p.NoParameters {
		spec.ParamKind = &admissionv1.ParamKind{APIVersion: "v1", Kind: "ConfigMap"}
		asked = `'registries' in params.data && ` + asked // its answer tells of the parameters too
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return Rendered{}, fmt.Errorf("policy %s: %w", p.ID, err)
	}
	digest := sha256.Sum256(text)
	name := namePrefix + p.ID + "-" + hex.EncodeToString(digest[:4])
	spec.Validations = append(spec.Validations, admissionv1.Validation{
		Expression: `!(` + asked + `'` + p.Sentinel.name(name) + `')`,
		Message:    inForce,
	})
	made := &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"}, ObjectMeta: meta(name, p), Spec: spec,
	}
	return Rendered{Catalogue: p, Policy: made, Bindings: bindings(s, p, name)}, nil
}

// validation holds the policy's findings against it.
func (p Policy) validation() admissionv1.Validation {
	unless := "variables.exempt"
	if p.Unless != "" {
		unless += " || " + p.Unless
	}
	rule := fmt.Sprintf("%s; %s (%s, %s)", p.Title, p.Remedy, p.Control(), strings.Join(p.Controls, ", "))
	return admissionv1.Validation{
		Expression: `size(variables.findings) == 0 || ` + unless,
		// The static text stands in where the other cannot be made.
		Message:           rule,
		MessageExpression: fmt.Sprintf(`(size(variables.said) > %[1]d ? variables.said.substring(0, %[1]d) + ' …' : variables.said) + `, maxFindings) + celString(": "+rule),
	}
}

// celString is a text as CEL writes it.
func celString(text string) string {
	return `'` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + `'`
}

func meta(name string, p Policy) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{LabelManagedBy: ManagedBy, Group + "/policy": p.ID},
		Annotations: map[string]string{Group + "/title": p.Title, Group + "/controls": strings.Join(p.Controls, ", ")}}
}

func matching(rules []admissionv1.NamedRuleWithOperations, selector *metav1.LabelSelector) *admissionv1.MatchResources {
	return &admissionv1.MatchResources{MatchPolicy: ptr.To(admissionv1.Equivalent), ResourceRules: rules, NamespaceSelector: selector}
}

// bindings put a policy into force: where it holds as it is, where it is relaxed,
// and on templates.
func bindings(s Settings, p Policy, policy string) []*admissionv1.ValidatingAdmissionPolicyBinding {
	mode, relaxed := s.mode(p, p.Mode), s.mode(p, p.Relaxed)
	var excluded []string
	if p.Scope == Workloads {
		excluded = s.systemNames()
	}
	split := p.Relaxed != "" && len(s.BaselineNamespaces) > 0
	binding := func(suffix string, mode Mode, rules []admissionv1.NamedRuleWithOperations, operator metav1.LabelSelectorOperator, names []string) *admissionv1.ValidatingAdmissionPolicyBinding {
		var selector *metav1.LabelSelector
		if len(names) > 0 {
			selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: nameLabel, Operator: operator, Values: names}}}
		}
		made := &admissionv1.ValidatingAdmissionPolicyBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicyBinding"}, ObjectMeta: meta(policy+suffix, p),
			Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: policy, ValidationActions: mode.actions(), MatchResources: matching(rules, selector)},
		}
		if !p.NoParameters {
			made.Spec.ParamRef = &admissionv1.ParamRef{Name: parametersName, Namespace: parametersNamespace, ParameterNotFoundAction: ptr.To(admissionv1.DenyAction)}
		}
		return made
	}
	narrow := excluded
	if split {
		narrow = slices.Concat(excluded, s.BaselineNamespaces)
	}
	out := []*admissionv1.ValidatingAdmissionPolicyBinding{binding("", mode, p.Rules, metav1.LabelSelectorOpNotIn, narrow)}
	if split {
		out = append(out, binding("-relaxed", relaxed, p.Rules, metav1.LabelSelectorOpIn, s.BaselineNamespaces))
	}
	if len(p.Templates) > 0 {
		out = append(out, binding("-templates", mode.atMost(Warn), p.Templates, metav1.LabelSelectorOpNotIn, excluded))
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
