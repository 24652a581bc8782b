// Package judge evaluates the catalogue as the API server does, with its own
// compiler and its own limits, on objects that a cluster has already: what would
// break is known before anything is put into force, or even written. It knows who
// nobody is: what only the platform may do counts as refused.
package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/traits"
	admissionapi "k8s.io/api/admission/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiadmission "k8s.io/apiserver/pkg/admission"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Finding is what a policy has against an object.
type Finding struct {
	// Policy is its id, and Mode what its violation would do.
	Policy string         `json:"policy"`
	Mode   admission.Mode `json:"mode"`
	// Message is the API server's: fields, rule and remedy.
	Message string `json:"message"`
}

// Judge has the catalogue compiled.
type Judge struct {
	policies   []compiled
	parameters *corev1.ConfigMap
	system     []string // namespaces of the system
}

type compiled struct {
	admission.Rendered
	// refused gives the ids of those that have something against an object, and said
	// what each of the members says.
	conditions, refused, said plugin.ConditionEvaluator
}

// expression is CEL as the API server's plugin takes it.
type expression struct {
	name, text string
	types      []*cel.Type
}

func (e *expression) GetExpression() string    { return e.text }
func (e *expression) ReturnTypes() []*cel.Type { return e.types }
func (e *expression) GetName() string          { return e.name }

var boolean = []*cel.Type{cel.BoolType}

// anybody is who would create an object again: nobody that a policy leaves out.
var anybody = authenticationv1.UserInfo{Username: "redoubt:survey", Groups: []string{"system:authenticated"}}

// New compiles policies with settings, which must be valid.
func New(settings admission.Settings, policies []admission.Policy) (*Judge, error) {
	rendered, parameters, err := admission.Render(settings, policies)
	if err != nil {
		return nil, err
	}
	j := &Judge{parameters: parameters, system: settings.SystemNames()}
	for _, r := range rendered {
		compiler, err := plugin.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
		if err != nil {
			return nil, err
		}
		with := plugin.OptionalVariableDeclarations{HasParams: true}
		var problems []error
		take := func(e *expression) plugin.ExpressionAccessor {
			if result := compiler.CompileCELExpression(e, with, environment.NewExpressions); result.Error != nil {
				problems = append(problems, fmt.Errorf("policy %s, %s: %w", r.ID, e.name, result.Error))
			}
			return e
		}
		for _, v := range r.Policy.Spec.Variables {
			if result := compiler.CompileAndStoreVariable(&expression{v.Name, v.Expression, []*cel.Type{cel.AnyType, cel.DynType}}, with, environment.NewExpressions); result.Error != nil {
				problems = append(problems, fmt.Errorf("policy %s, variables.%s: %w", r.ID, v.Name, result.Error))
			}
		}
		var conditions []plugin.ExpressionAccessor
		for _, c := range r.Policy.Spec.MatchConditions {
			conditions = append(conditions, take(&expression{c.Name, c.Expression, boolean}))
		}
		refused := take(&expression{admission.Refused, "variables." + admission.Refused, []*cel.Type{cel.ListType(cel.StringType)}})
		var said []plugin.ExpressionAccessor
		for _, p := range r.Members {
			said = append(said, take(&expression{p.ID, admission.Said(p), []*cel.Type{cel.StringType}}))
		}
		if err := errors.Join(problems...); err != nil {
			return nil, err
		}
		compile := func(of ...plugin.ExpressionAccessor) plugin.ConditionEvaluator {
			return compiler.CompileCondition(of, with, environment.NewExpressions)
		}
		j.policies = append(j.policies, compiled{r, compile(conditions...), compile(refused), compile(said...)})
	}
	return j, nil
}

// Object gives what the policies have against an object that somebody would create
// in a namespace, nil for none. The resource is its plural, such as pods.
func (j *Judge) Object(ctx context.Context, object *unstructured.Unstructured, resource string, namespace *corev1.Namespace) ([]Finding, error) {
	object = object.DeepCopy()
	object.SetCreationTimestamp(metav1.NewTime(time.Now())) // the clock of exceptions
	var out []Finding
	for _, p := range j.policies {
		mode, in := p.mode(object, resource, namespace)
		if !in {
			continue
		}
		messages, err := p.evaluate(ctx, object, resource, namespace, j.parameters)
		if err != nil {
			return nil, fmt.Errorf("policy %s on %s %s/%s: %w", p.ID, object.GetKind(), object.GetNamespace(), object.GetName(), err)
		}
		for i, message := range messages {
			if message != "" {
				out = append(out, Finding{p.Members[i].ID, mode, message})
			}
		}
	}
	return out, nil
}

// mode is that of the binding that matches, false where none does.
func (c compiled) mode(object *unstructured.Unstructured, resource string, namespace *corev1.Namespace) (admission.Mode, bool) {
	for _, binding := range c.Bindings {
		matches := binding.Spec.MatchResources
		if !slices.ContainsFunc(matches.ResourceRules, func(r admissionv1.NamedRuleWithOperations) bool {
			return slices.Contains(r.Operations, admissionv1.Create) && slices.Contains(r.APIGroups, object.GroupVersionKind().Group) && slices.Contains(r.Resources, resource)
		}) {
			continue
		}
		if namespace != nil && !(selects(c.Policy.Spec.MatchConstraints.NamespaceSelector, namespace.Name) && selects(matches.NamespaceSelector, namespace.Name)) {
			continue
		}
		if slices.ContainsFunc(matches.ResourceRules, func(r admissionv1.NamedRuleWithOperations) bool { return slices.Contains(r.Resources, "pods") }) || len(c.Members[0].Templates) == 0 {
			return modeOf(binding), true
		}
		// A template is warned of. Its pods are what breaks.
		return modeOf(c.Bindings[0]), true
	}
	return "", false
}

// selects tells whether a selector, which may be nil, selects a namespace by its name.
func selects(selector *metav1.LabelSelector, namespace string) bool {
	if selector == nil {
		return true
	}
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(labels.Set{corev1.LabelMetadataName: namespace})
}

func modeOf(binding *admissionv1.ValidatingAdmissionPolicyBinding) admission.Mode {
	switch {
	case slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny):
		return admission.Deny
	case slices.Contains(binding.Spec.ValidationActions, admissionv1.Warn):
		return admission.Warn
	}
	return admission.Audit
}

// evaluate gives what each member says, "" for one that has nothing to say.
func (c compiled) evaluate(ctx context.Context, object *unstructured.Unstructured, resource string, namespace *corev1.Namespace, parameters *corev1.ConfigMap) ([]string, error) {
	kind := object.GroupVersionKind()
	of := schema.GroupVersionResource{Group: kind.Group, Version: kind.Version, Resource: resource}
	request := &admissionapi.AdmissionRequest{Name: object.GetName(), Namespace: object.GetNamespace(), Operation: admissionapi.Create,
		Kind: metav1.GroupVersionKind(kind), Resource: metav1.GroupVersionResource(of), UserInfo: anybody}
	attributes := &apiadmission.VersionedAttributes{VersionedObject: object, VersionedKind: kind,
		Attributes: apiadmission.NewAttributesRecord(object, nil, kind, object.GetNamespace(), object.GetName(), of, "", apiadmission.Create, nil, false, nil)}
	ask := func(what plugin.ConditionEvaluator) ([]plugin.EvaluationResult, error) {
		results, _, err := what.ForInput(ctx, attributes, request, plugin.OptionalVariableBindings{VersionedParams: parameters}, plugin.CreateNamespaceObject(namespace), celconfig.RuntimeCELCostBudget)
		for _, result := range results {
			err = errors.Join(err, result.Error)
		}
		return results, err
	}
	conditions, err := ask(c.conditions)
	if err != nil {
		return nil, err
	}
	for _, condition := range conditions {
		if condition.EvalResult.Value() != true {
			return nil, nil
		}
	}
	refused, err := ask(c.refused)
	if err != nil {
		return nil, err
	}
	if list, is := refused[0].EvalResult.(traits.Lister); is && list.Size() == types.IntZero {
		return nil, nil
	}
	said, err := ask(c.said)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, result := range said {
		text, _ := result.EvalResult.Value().(string)
		out = append(out, text)
	}
	return out, nil
}
