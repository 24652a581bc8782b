package admission

import (
	"testing"

	"github.com/google/cel-go/cel"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// expression is CEL as the API server's plugin takes it.
type expression struct {
	name, text string
	types      []*cel.Type
}

func (e *expression) GetExpression() string    { return e.text }
func (e *expression) ReturnTypes() []*cel.Type { return e.types }
func (e *expression) GetName() string          { return e.name }

// compiled is a policy that the API server's own compiler has taken.
type compiled struct{ conditions, validations, messages, annotations plugin.ConditionEvaluator }

// compile has the compiler of the API server take a policy, in the environment of
// new expressions: what an older minor does not know is an error.
func compile(t testing.TB, p *admissionv1.ValidatingAdmissionPolicy) compiled {
	t.Helper()
	compiler, err := plugin.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	all := plugin.OptionalVariableDeclarations{HasParams: true, HasAuthorizer: true}
	messages := plugin.OptionalVariableDeclarations{HasParams: true}
	check := func(e *expression, options plugin.OptionalVariableDeclarations) plugin.ExpressionAccessor {
		if result := compiler.CompileCELExpression(e, options, environment.NewExpressions); result.Error != nil {
			t.Errorf("%s %s: %v", p.Name, e.name, result.Error)
		}
		return e
	}
	for _, v := range p.Spec.Variables {
		e := &expression{v.Name, v.Expression, []*cel.Type{cel.AnyType, cel.DynType}}
		if result := compiler.CompileAndStoreVariable(e, all, environment.NewExpressions); result.Error != nil {
			t.Errorf("%s variables.%s: %v", p.Name, v.Name, result.Error)
		}
	}
	var conditions, validations, said, annotations []plugin.ExpressionAccessor
	for _, c := range p.Spec.MatchConditions {
		conditions = append(conditions, check(&expression{c.Name, c.Expression, []*cel.Type{cel.BoolType}}, all))
	}
	for _, v := range p.Spec.Validations {
		validations = append(validations, check(&expression{"validation", v.Expression, []*cel.Type{cel.BoolType}}, all))
		if v.MessageExpression != "" {
			said = append(said, check(&expression{"message", v.MessageExpression, []*cel.Type{cel.StringType}}, messages))
		}
	}
	for _, a := range p.Spec.AuditAnnotations {
		annotations = append(annotations, check(&expression{a.Key, a.ValueExpression, []*cel.Type{cel.StringType, cel.NullType}}, all))
	}
	return compiled{
		compiler.CompileCondition(conditions, all, environment.NewExpressions), compiler.CompileCondition(validations, all, environment.NewExpressions),
		compiler.CompileCondition(said, messages, environment.NewExpressions), compiler.CompileCondition(annotations, all, environment.NewExpressions),
	}
}

// The API server's own compiler takes every expression of the catalogue.
func TestCatalogueCompiles(t *testing.T) {
	rendered, _, err := Render(Settings{Registries: []string{"registry.example.org"}}, Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rendered {
		compile(t, r.Policy)
	}
}
