// Package judge holds what exists in a cloud against controls: each check stands for some of them and says what is wrong,
// and each has mutants, clouds without a control that it must find. It knows nothing of how the cloud was made.
package judge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Check is what must be true for some controls to be upheld.
type Check struct {
	// IDs are the controls: of benchmarks as CIS-GKE-5.4.1, of the mission as M11.
	IDs []string
	// About says what is looked at.
	About string
	// Wrong gives what is wrong, nothing when the controls are upheld. What does not exist is wrong.
	Wrong func(World) []string
}

// World is everything that exists.
type World []simcloud.Object

// Of are the objects of a type.
func (w World) Of(token string) []simcloud.Object {
	return slices.DeleteFunc(slices.Clone(w), func(o simcloud.Object) bool { return o.Type != token })
}

// Judge says what is wrong with one object, "" when nothing is.
type Judge func(simcloud.Values) string

// Each judges all objects of a type, of which there must be one.
func Each(token string, judges ...Judge) func(World) []string {
	return Some(token, func(simcloud.Values) bool { return true }, judges...)
}

// Some judges those that a condition holds for, of which there must be one.
func Some(token string, which func(simcloud.Values) bool, judges ...Judge) func(World) []string {
	return func(w World) []string {
		var out []string
		found := 0
		for _, o := range w.Of(token) {
			if !which(o.State) {
				continue
			}
			found++
			for _, judge := range judges {
				if wrong := judge(o.State); wrong != "" {
					out = append(out, o.ID+": "+wrong)
				}
			}
		}
		if found == 0 {
			out = append(out, "there is no "+token)
		}
		return out
	}
}

// None wants no object of a type for which a condition holds.
func None(token string, which func(simcloud.Values) bool) func(World) []string {
	return func(w World) []string {
		var out []string
		for _, o := range w.Of(token) {
			if which == nil || which(o.State) {
				out = append(out, o.Type+" "+o.ID+" is there")
			}
		}
		return out
	}
}

// All adds up what is wrong.
func All(checks ...func(World) []string) func(World) []string {
	return func(w World) []string {
		var out []string
		for _, check := range checks {
			out = append(out, check(w)...)
		}
		return out
	}
}

// Is wants a property to have a value.
func Is(path string, want any) Judge {
	return func(v simcloud.Values) string {
		if got := v.Get(path); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("%s is %v, not %v", path, got, want)
		}
		return ""
	}
}

// Has wants texts in a list.
func Has(path string, want ...string) Judge {
	return func(v simcloud.Values) string {
		for _, each := range want {
			if !slices.Contains(v.Strings(path), each) {
				return fmt.Sprintf("%s has no %s", path, each)
			}
		}
		return ""
	}
}

// Only wants a list to hold nothing but some texts, and one at least.
func Only(path string, may ...string) Judge {
	return func(v simcloud.Values) string {
		got := v.Strings(path)
		for _, each := range got {
			if !slices.Contains(may, each) {
				return fmt.Sprintf("%s has %s", path, each)
			}
		}
		if len(got) == 0 {
			return path + " is empty"
		}
		return ""
	}
}

// Holds wants a text within a property.
func Holds(path, want string) Judge {
	return func(v simcloud.Values) string {
		if got := v.String(path); !strings.Contains(got, want) {
			return fmt.Sprintf("%s is %q, without %q", path, got, want)
		}
		return ""
	}
}

// Least wants a number that is not smaller.
func Least(path string, want int) Judge {
	return func(v simcloud.Values) string {
		if got := v.Int(path); got < want {
			return fmt.Sprintf("%s is %d, less than %d", path, got, want)
		}
		return ""
	}
}

// Between wants a number from low to high.
func Between(path string, low, high int) Judge {
	return func(v simcloud.Values) string {
		if got := v.Int(path); got < low || got > high {
			return fmt.Sprintf("%s is %d, not %d to %d", path, got, low, high)
		}
		return ""
	}
}

// Empty wants nothing.
func Empty(path string) Judge {
	return func(v simcloud.Values) string {
		if got := v.Get(path); got != nil && got != "" && fmt.Sprint(got) != "[]" && fmt.Sprint(got) != "map[]" {
			return fmt.Sprintf("%s is %v, not empty", path, got)
		}
		return ""
	}
}
