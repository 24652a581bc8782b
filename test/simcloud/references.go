package simcloud

import (
	"fmt"
	"slices"
	"strings"
)

// resolve gives the object a value leads to, nil when there is none.
func (c *Cloud) resolve(scope string, r Reference, of Values, value string) *Object {
	if r.Normal != nil {
		value = r.Normal(scope, of, value)
	}
	for _, to := range r.To {
		if r.By == "" {
			if o := c.Get(scope, to, value); o != nil {
				return o
			}
		} else if o := c.By(scope, to, r.By, value); o != nil {
			return o
		}
	}
	return nil
}

// references judges that everything a resource refers to exists and can be seen.
func (c *Cloud) references(scope string, t *ResourceType, values Values) error {
	for _, r := range t.References {
		var problem error
		values.each(r.Path, func(at string, value any) {
			text, _ := value.(string)
			if problem != nil || text == "" || r.Ignore != nil && r.Ignore(text) {
				return
			}
			target := c.resolve(scope, r, values, text)
			switch {
			case target == nil && r.Missing != nil:
				problem = r.Missing(text)
			case target == nil:
				problem = Errorf("ResourceNotFoundException", "%s %q does not exist", what(r.To[0]), text)
			case !c.Visible(target):
				refusal := Errorf("InvalidParameterException", "%s %q cannot be used yet", what(r.To[0]), text)
				if r.Missing != nil {
					refusal = r.Missing(text)
				}
				problem = refusal.Within(r.Patience)
			}
		})
		if problem != nil {
			return problem
		}
	}
	return nil
}

// what is the short name of a type.
func what(token string) string { return token[strings.LastIndex(token, ":")+1:] }

// holders are the objects that refer to one and keep it from being deleted. What it brought along itself, and what
// belongs to the same owner, does not.
func (c *Cloud) holders(o *Object) []*Object {
	var out []*Object
	for _, by := range c.store.sorted() {
		if by.Owner == o.Key() || by == o || o.Owner != "" && by.Key() == o.Owner {
			continue
		}
		for _, r := range c.types[by.Type].References {
			if !r.Holds || !slices.Contains(r.To, o.Type) {
				continue
			}
			held := false
			by.State.each(r.Path, func(_ string, value any) {
				text, _ := value.(string)
				held = held || text != "" && c.resolve(by.Scope, r, by.State, text) == o
			})
			if held {
				out = append(out, by)
				break
			}
		}
	}
	return out
}

// free judges that nothing keeps an object, or what it brought along, from being deleted.
func (c *Cloud) free(o *Object) error {
	t := c.types[o.Type]
	all := append([]*Object{o}, c.besides(o)...)
	for _, each := range all {
		for _, by := range c.holders(each) {
			if slices.Contains(all, by) {
				continue
			}
			if t.InUse != nil {
				return t.InUse(o, by).Within(t.DeletePatience)
			}
			return Errorf("DependencyViolation", "resource %s has a dependent object (%s %s)", o.ID, what(by.Type), by.ID).Within(t.DeletePatience)
		}
	}
	return nil
}

// besides are the objects that an object brought along.
func (c *Cloud) besides(o *Object) []*Object {
	var out []*Object
	for _, each := range c.store.sorted() {
		if each.Owner == o.Key() {
			out = append(out, each)
			out = append(out, c.besides(each)...)
		}
	}
	return out
}

// drop removes an object with everything it brought along.
func (c *Cloud) drop(o *Object) error {
	for _, each := range c.besides(o) {
		if err := c.store.remove(each.Key()); err != nil {
			return fmt.Errorf("removing %s: %w", each.Key(), err)
		}
	}
	return c.store.remove(o.Key())
}
