package judge

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Mutant is a cloud in which a control is absent.
type Mutant struct {
	// Of is the end of the type of what changes, Named a part of its id, "" for all.
	Of, Named string
	// Path is the property that becomes To; without a path the objects go. A pair of texts replaces a part of a text.
	Path string
	To   any
	// More is something that exists beside the rest.
	More *simcloud.Object
}

// Gone is a cloud without some objects.
func Gone(of, named string) Mutant { return Mutant{Of: of, Named: named} }

// Without is a cloud in which a property of all objects of a type is not set.
func Without(of, path string) Mutant { return Mutant{Of: of, Path: path} }

// Set is a cloud in which a property of all objects of a type has another value.
func Set(of, path string, to any) Mutant { return Mutant{Of: of, Path: path, To: to} }

// SetOf is one in which a property of some objects has another value.
func SetOf(of, named, path string, to any) Mutant {
	return Mutant{Of: of, Named: named, Path: path, To: to}
}

// Added is a cloud with something more.
func Added(token string, state simcloud.Values) Mutant {
	return Mutant{Of: token, More: &simcloud.Object{Type: token, ID: fmt.Sprint("another ", token), State: state}}
}

func (m Mutant) apply(t *testing.T, world World) World {
	t.Helper()
	if m.More != nil {
		return append(slices.Clone(world), *m.More)
	}
	var out World
	for _, o := range world {
		if !strings.HasSuffix(o.Type, ":"+m.Of) || !strings.Contains(o.ID, m.Named) {
			out = append(out, o)
			continue
		}
		if m.Path == "" {
			continue
		}
		to := m.To
		if pair, partly := to.([2]string); partly {
			text := o.State.String(m.Path)
			if !strings.Contains(text, pair[0]) {
				t.Errorf("%q is not in %s", pair[0], text)
			}
			to = strings.ReplaceAll(text, pair[0], pair[1])
		}
		o.State = o.State.With(m.Path, to)
		out = append(out, o)
	}
	return out
}

// Prove judges a cloud by every check, and every check by its mutants, listed by what it is about: each must be found.
// Controls are those that checks must stand for.
func Prove(t *testing.T, world World, checks []Check, mutants map[string][]Mutant, controls []string) {
	t.Helper()
	covered := map[string]bool{}
	for _, check := range checks {
		for _, id := range check.IDs {
			covered[id] = true
		}
		t.Run(strings.Join(check.IDs, " ")+" "+check.About, func(t *testing.T) {
			for _, wrong := range check.Wrong(world) {
				t.Error(wrong)
			}
			if len(mutants[check.About]) == 0 {
				t.Error("write a mutant that this check must find")
			}
			for i, m := range mutants[check.About] {
				changed := m.apply(t, world)
				if reflect.DeepEqual(changed, world) {
					t.Errorf("mutant %d changes nothing", i)
				}
				if len(check.Wrong(changed)) == 0 {
					t.Errorf("mutant %d of %s %s %s %v lives", i, m.Of, m.Named, m.Path, m.To)
				}
			}
		})
	}
	for _, id := range controls {
		if !covered[id] {
			t.Errorf("nothing checks %s", id)
		}
	}
	for about := range mutants {
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.About == about }) {
			t.Errorf("mutants of no check: %s", about)
		}
	}
}
