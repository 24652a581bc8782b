// Package mocks records what a program registers, for unit tests of components.
// It answers with what other resources read from each, and judges nothing: whether
// a cloud would take it is for the simulated clouds in test/simcloud.
package mocks

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Resource is a resource as a program registered it.
type Resource struct {
	Token, Name, ID string
	Inputs          map[string]any
	Dependencies    []string
	Protected       bool
	Ignored         []string

	secrets map[string]bool
}

// Secret tells whether an input was given as a secret.
func (r Resource) Secret(name string) bool { return r.secrets[name] }

// WaitsFor tells whether the resource is made after another.
func (r Resource) WaitsFor(other Resource) bool {
	return slices.ContainsFunc(r.Dependencies, func(urn string) bool {
		return strings.HasSuffix(urn, other.Token+"::"+other.Name)
	})
}

// Text is an input that is a text, or nothing.
func (r Resource) Text(name string) string { s, _ := r.Inputs[name].(string); return s }

// List is an input that is a list, or nothing.
func (r Resource) List(name string) []any { l, _ := r.Inputs[name].([]any); return l }

// At is what stands at a path of names, with dots between them; of a list, its
// first element.
func (r Resource) At(path string) any {
	var value any = r.Inputs
	for _, name := range strings.Split(path, ".") {
		if list, ok := value.([]any); ok && len(list) > 0 {
			value = list[0]
		}
		m, _ := value.(map[string]any)
		value = m[name]
	}
	return value
}

// Wants reports every path whose value is another.
func (r Resource) Wants(t *testing.T, want map[string]any) {
	t.Helper()
	for path, value := range want {
		got := r.At(path)
		if number, is := got.(float64); is {
			got = strconv.FormatFloat(number, 'f', -1, 64) // as people write it
		}
		if fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("%s: %s is %v, want %v", r.Name, path, got, value)
		}
	}
}

// Cloud records what a program registers.
type Cloud struct {
	// Fill adds to the state of a resource what a cloud would.
	Fill func(token, name string, state resource.PropertyMap)

	mutex     sync.Mutex
	resources []Resource
}

// Call refuses lookups: components need none.
func (c *Cloud) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, errors.New("no lookup is needed: the project, its number and the region are settings")
}

// NewResource records one.
func (c *Cloud) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	id := args.Name + "_id"
	secrets := map[string]bool{}
	for name, value := range args.Inputs {
		secrets[string(name)] = value.IsSecret()
	}
	c.resources = append(c.resources, Resource{args.TypeToken, args.Name, id, args.Inputs.Mappable(), args.RegisterRPC.GetDependencies(),
		args.RegisterRPC.GetProtect(), args.RegisterRPC.GetIgnoreChanges(), secrets})
	state := args.Inputs.Copy()
	if c.Fill != nil {
		c.Fill(args.TypeToken, args.Name, state)
	}
	return id, state, nil
}

// Run registers what a program makes.
func (c *Cloud) Run(t *testing.T, program func(ctx *pulumi.Context) error) *Cloud {
	t.Helper()
	if err := pulumi.RunErr(program, pulumi.WithMocks("project", "stack", c)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Len is how many resources were registered, components included.
func (c *Cloud) Len() int { return len(c.resources) }

// Of gives the resources of a cloud of a type, by the end of its token, in the
// order of their names. Components are none.
func (c *Cloud) Of(kind string) []Resource {
	var found []Resource
	for _, r := range c.resources {
		if strings.HasSuffix(r.Token, ":"+kind) && !strings.HasPrefix(r.Token, "redoubt:") {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b Resource) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// One gives the resource of a type and a name.
func (c *Cloud) One(t *testing.T, kind, name string) Resource {
	t.Helper()
	for _, r := range c.Of(kind) {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("no %s %q is registered", kind, name)
	return Resource{}
}

// Refusals gives the fields that an error names; each has a remedy.
func Refusals(t *testing.T, err error) []string {
	t.Helper()
	var fields []string
	var walk func(error)
	walk = func(err error) {
		var one *hostconfig.FieldError
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, each := range many.Unwrap() {
				walk(each)
			}
		} else if errors.As(err, &one) {
			fields = append(fields, one.Field)
			if one.Problem == "" || one.Remedy == "" {
				t.Errorf("%s says no problem or no remedy", one.Field)
			}
		} else if err != nil {
			t.Errorf("not a field error: %v", err)
		}
	}
	walk(err)
	return fields
}

// Refused checks that a component names exactly these fields and registers nothing.
func Refused(t *testing.T, program func(ctx *pulumi.Context) error, want ...string) {
	t.Helper()
	c := &Cloud{}
	var refusal error
	_ = pulumi.RunErr(func(ctx *pulumi.Context) error {
		refusal = program(ctx)
		return nil
	}, pulumi.WithMocks("project", "stack", c))
	got := Refusals(t, refusal)
	slices.Sort(got)
	slices.Sort(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("refused %v, want %v\n%v", got, want, refusal)
	}
	if c.Len() > 0 {
		t.Errorf("%d resources were registered before the refusal", c.Len())
	}
}
