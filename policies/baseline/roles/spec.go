package roles

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Spec says who is who in a cluster: groups as the API server sees them, with the
// prefix of their issuer, such as oidc:operators.
type Spec struct {
	// Bootstrapped tells that the cluster was made with the platform
	// administrator's role, which somebody else looks after.
	Bootstrapped bool `json:"-"`
	// PlatformAdmins run the cluster as code.
	PlatformAdmins []string `json:"platformAdmins,omitempty"`
	// Operators restart, scale and take nodes out of service.
	Operators []string `json:"operators,omitempty"`
	// Auditors read everything but Secrets. Nobody of them is in a group that
	// changes what they audit.
	Auditors []string `json:"auditors,omitempty"`
	// IncidentResponders put under quarantine, look into it and release.
	IncidentResponders []string `json:"incidentResponders,omitempty"`
	// BreakGlass is for emergencies: groups that are empty in peace, and which the
	// identity provider fills for hours, with a second factor.
	BreakGlass []string `json:"breakGlass,omitempty"`
	// TrimPublicInfo takes callers without credentials out of what Kubernetes binds
	// for everybody: they see neither health nor version. Only where no load balancer
	// asks for health without credentials; not for clusters that run themselves, whose
	// API servers know nobody without credentials but on the paths of health.
	TrimPublicInfo bool `json:"trimPublicInfo,omitempty"`
}

// Tenant says who is who in a namespace.
type Tenant struct {
	// Developers run workloads.
	Developers []string `json:"developers,omitempty"`
	// Debuggers get into pods: exec, attach, port-forward, ephemeral containers.
	Debuggers []string `json:"debuggers,omitempty"`
	// Viewers read everything but Secrets.
	Viewers []string `json:"viewers,omitempty"`
}

// binding ties groups to a role.
type binding struct {
	field, name, role string
	groups            []string
}

func (s Spec) bindings() []binding {
	return []binding{
		{"platformAdmins", externalAdmins, PlatformAdmin, s.PlatformAdmins},
		{"operators", Operator, Operator, s.Operators},
		{"auditors", Auditor, Auditor, s.Auditors},
		{"incidentResponders", Responder, Responder, s.IncidentResponders},
		{"breakGlass", BreakGlass, BreakGlass, s.BreakGlass},
	}
}

func (t Tenant) bindings() []binding {
	return []binding{
		{"developers", Developer, Developer, t.Developers},
		{"debuggers", Debugger, Debugger, t.Debuggers},
		{"viewers", Viewer, Viewer, t.Viewers},
	}
}

// Validate reports everything that is wrong, below the field: names that no
// identity provider may form, and groups that would make a separation of duties
// void.
func (s Spec) Validate(field string) error {
	problems := checkGroups(field, s.bindings())
	apart := func(of string, groups []string, from ...binding) {
		for i, group := range groups {
			for _, other := range from {
				if other.field != of && slices.Contains(other.groups, group) {
					problems = append(problems, &hostconfig.FieldError{Field: fmt.Sprintf("%s.%s[%d]", field, of, i),
						Problem: fmt.Sprintf("%q is in %s too", group, other.field), Remedy: "use a group of its own, so that who is in it shows (M20)"})
				}
			}
		}
	}
	all := s.bindings()
	apart("breakGlass", s.BreakGlass, all...)
	apart("auditors", s.Auditors, all[:4]...)
	return errors.Join(problems...)
}

// Validate reports everything that is wrong, below the field.
func (t Tenant) Validate(field string) error { return errors.Join(checkGroups(field, t.bindings())...) }

func checkGroups(field string, bindings []binding) []error {
	var problems []error
	for _, b := range bindings {
		seen := map[string]bool{}
		for i, group := range b.groups {
			at := fmt.Sprintf("%s.%s[%d]", field, b.field, i)
			add := func(problem, remedy string) {
				problems = append(problems, &hostconfig.FieldError{Field: at, Problem: problem, Remedy: remedy})
			}
			switch {
			case group == "" || strings.TrimSpace(group) != group || strings.ContainsFunc(group, unicode.IsControl):
				add(fmt.Sprintf("%q is no name of a group", group), "write it as the API server sees it, such as oidc:operators")
			case seen[group]:
				add(fmt.Sprintf("%q stands here twice", group), "write it once")
			}
			for _, prefix := range hostconfig.ReservedPrefixes() {
				if strings.HasPrefix(group, prefix) {
					add(fmt.Sprintf("%q is a group of the cluster itself", group), "bind a group of the identity provider, such as oidc:operators")
				}
			}
			seen[group] = true
		}
	}
	return problems
}
