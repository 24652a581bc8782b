package admission

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ControlEnforcement is what an exception names that lets the whole cluster audit
// or warn instead of deny, while workloads are brought up to the policies.
const ControlEnforcement = controlPrefix + "enforcement"

// registryPattern is a host, which has a dot, a port or is localhost, and perhaps
// a path, in lower case as references of images are.
var registryPattern = regexp.MustCompile(`^([a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?|[a-z0-9-]+:[0-9]+|localhost)(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

// IsRegistry tells whether a text names a registry, and perhaps a path in it.
func IsRegistry(text string) bool { return registryPattern.MatchString(text) }

var (
	classPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	userPattern  = regexp.MustCompile(`^[^\s*]{3,}\*?$`)
	namePattern  = regexp.MustCompile(`^[^\s/*]+$`)
)

// Validate reports everything that is wrong with the settings, as joined
// [hostconfig.FieldError] values. The exceptions are those of the whole cluster.
func (s Settings) Validate(exceptions []hostconfig.Exception, now time.Time) error {
	var problems []error
	add := func(field, problem, remedy string) {
		problems = append(problems, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
	}
	weaker := func(field string, to, from Mode, control string) {
		switch {
		case strictness[to] == 0:
			add(field, fmt.Sprintf("%q is not a mode", to), "write audit, warn or deny")
		case strictness[to] < strictness[from] && !hostconfig.Excepted(exceptions, control):
			add(field, fmt.Sprintf("%q is less than %s and weakens control %s", to, from, control), hostconfig.AcceptRisk(control))
		}
	}
	if len(s.Registries) == 0 {
		add("registries", "is empty: no image could run", "name the registries that the platform trusts, such as registry.example.org/team")
	}
	for i, registry := range s.Registries {
		if !registryPattern.MatchString(registry) {
			add(fmt.Sprintf("registries[%d]", i), fmt.Sprintf("%q is not a registry", registry), "write a host, and perhaps a path, without scheme and without tag: registry.example.org/team")
		}
	}
	for i, class := range s.StorageClasses {
		if !classPattern.MatchString(class) {
			add(fmt.Sprintf("storageClasses[%d]", i), fmt.Sprintf("%q is not the name of a class", class), "write the name of a StorageClass, such as encrypted")
		}
	}
	for i, user := range s.SystemUsers {
		if !userPattern.MatchString(user) {
			add(fmt.Sprintf("systemUsers[%d]", i), fmt.Sprintf("%q is too wide or not a name", user), "write a user, or at least three characters and a * at the end, such as eks:*")
		}
	}
	seen := map[string]string{}
	namespace := func(field, name string) {
		if found := validation.IsDNS1123Label(name); len(found) > 0 {
			add(field, fmt.Sprintf("%q is not a namespace: %s", name, found[0]), "write the name of a namespace")
		}
		if before, there := seen[name]; there {
			add(field, fmt.Sprintf("%q stands in %s too", name, before), "keep one of the two")
		}
		seen[name] = field
	}
	for i, n := range s.SystemNamespaces {
		at := fmt.Sprintf("systemNamespaces[%d]", i)
		namespace(at+".name", n.Name)
		if slices.Contains(append(slices.Clone(kubernetesNamespaces), "default"), n.Name) {
			add(at+".name", fmt.Sprintf("%q is Kubernetes' own", n.Name), "leave it out: it is of the system already, and default never is")
		}
		if !slices.Contains([]string{"", "restricted", "baseline", "privileged"}, n.PodSecurity) {
			add(at+".podSecurity", fmt.Sprintf("%q is not a level", n.PodSecurity), "write restricted, baseline or privileged")
		}
		if len(strings.TrimSpace(n.Reason)) < 10 {
			add(at+".reason", "says nothing", "say in a sentence why what runs there is part of the cluster")
		}
	}
	for i, name := range s.BaselineNamespaces {
		namespace(fmt.Sprintf("baselineNamespaces[%d]", i), name)
	}
	if s.Mode != "" {
		weaker("mode", s.Mode, Deny, ControlEnforcement)
	}
	for id, mode := range s.Modes {
		p, there := find(id)
		if !there {
			add("modes."+id, "there is no such policy", "write one of "+strings.Join(ids(Catalogue()), ", "))
			continue
		}
		weaker("modes."+id, mode, p.Mode, p.Control())
	}
	problems = append(problems, s.validateExceptions(now)...)
	slices.SortStableFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}

// validateExceptions checks each exception by itself: the same policy may be
// excepted for one namespace until one day, and for another until another.
func (s Settings) validateExceptions(now time.Time) (problems []error) {
	for i, e := range s.Exceptions {
		at := fmt.Sprintf("exceptions[%d]", i)
		if err := hostconfig.CheckExceptions("exceptions", []hostconfig.Exception{e.Exception}, now); err != nil {
			for _, each := range err.(interface{ Unwrap() []error }).Unwrap() {
				var field *hostconfig.FieldError
				if errors.As(each, &field) {
					field.Field = at + strings.TrimPrefix(field.Field, "exceptions[0]")
				}
				problems = append(problems, each)
			}
		}
		if id, of := strings.CutPrefix(e.Control, controlPrefix); !of || !slices.Contains(ids(Catalogue()), id) {
			problems = append(problems, &hostconfig.FieldError{Field: at + ".control", Problem: fmt.Sprintf("%q is none of the policies", e.Control),
				Remedy: "write " + controlPrefix + " and one of " + strings.Join(ids(Catalogue()), ", ")})
		}
		if p, there := find(strings.TrimPrefix(e.Control, controlPrefix)); there && p.NoParameters {
			problems = append(problems, &hostconfig.FieldError{Field: at + ".control", Problem: "there is no exception to " + p.ID, Remedy: "have the platform make the change"})
		}
		if len(e.Namespaces)+len(e.Names) == 0 {
			problems = append(problems, &hostconfig.FieldError{Field: at, Problem: "lets nobody off", Remedy: "name namespaces, or names of objects that are in none"})
		}
		for j, name := range slices.Concat(e.Namespaces, e.Names) {
			if !namePattern.MatchString(name) {
				problems = append(problems, &hostconfig.FieldError{Field: fmt.Sprintf("%s: name %d", at, j+1), Problem: fmt.Sprintf("%q is not a name", name), Remedy: "write names in full: there is no wildcard"})
			}
		}
	}
	return problems
}

func ids(policies []Policy) []string {
	var out []string
	for _, p := range policies {
		out = append(out, p.ID)
	}
	return out
}

func find(id string) (Policy, bool) {
	for _, p := range Catalogue() {
		if p.ID == id {
			return p, true
		}
	}
	return Policy{}, false
}
