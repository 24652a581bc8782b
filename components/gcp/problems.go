package gcp

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// problems are what is wrong with the arguments of a component.
type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

func (p problems) join() error { return errors.Join(p...) }

// weakens reports a setting that weakens a control, unless an exception accepts it.
func (p *problems) weakens(field, problem, control string, exceptions []hostconfig.Exception) {
	if !hostconfig.Excepted(exceptions, control) {
		p.add(field, fmt.Sprintf("%s (%s)", problem, control), hostconfig.AcceptRisk(control))
	}
}

func (p *problems) exceptions(exceptions []hostconfig.Exception, now time.Time) {
	if err := hostconfig.CheckExceptions("exceptions", exceptions, now); err != nil {
		*p = append(*p, err)
	}
}

// required reports inputs that nobody gave.
func (p *problems) required(field string, given any, remedy string) {
	if given == nil {
		p.add(field, "is missing", remedy)
	}
}

// known wants an input, and judges it if its value is known already. What is
// known later comes from a resource, which has the form by itself.
func (p *problems) known(field string, given pulumi.StringInput, form *regexp.Regexp, problem, remedy string) {
	if text, plain := given.(pulumi.String); given == nil || plain && !form.MatchString(string(text)) {
		p.add(field, problem, remedy)
	}
}

// ranges reports texts that are no ranges, and ranges that overlap.
func (p *problems) ranges(ranges []addressplan.Range) {
	for _, each := range ranges {
		p.narrowRange(each.Field, each.CIDR)
	}
	for _, overlap := range addressplan.Overlaps(ranges) {
		p.add(overlap.Second.Field, overlap.String(), "choose ranges that are apart")
	}
}

func (p *problems) narrowRange(field, cidr string) (netip.Prefix, bool) {
	prefix, err := addressplan.Parse(cidr)
	if err == nil && !prefix.Addr().Is4() {
		err = fmt.Errorf("%s is no range of IPv4, and the network has no other", cidr)
	}
	if err != nil {
		p.add(field, err.Error(), "write a range such as 10.20.0.0/24")
	}
	return prefix, err == nil
}

// open tells whether a range is so wide that it names nobody: wider than the
// largest private range of RFC 1918.
func open(prefix netip.Prefix) bool { return prefix.Bits() < 8 }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// given copies what was given, or gives nothing but zeros.
func given[T any](value *T) T {
	if value == nil {
		return *new(T)
	}
	return *value
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

const clusterLabel = "redoubt-cluster"

var (
	labelKeyPattern   = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	labelValuePattern = regexp.MustCompile(`^[a-z0-9_-]{0,63}$`)
)

// labels reports what Google does not take as a label of a resource.
// https://cloud.google.com/resource-manager/docs/labels-overview#requirements
func (p *problems) labels(field string, labels map[string]string) {
	const most = 60 // of 64: some are our own
	if len(labels) > most {
		p.add(field, fmt.Sprintf("there are %d", len(labels)), fmt.Sprintf("write at most %d", most))
	}
	for _, key := range sorted(labels) {
		at := fmt.Sprintf("%s[%s]", field, key)
		if !labelKeyPattern.MatchString(key) || !labelValuePattern.MatchString(labels[key]) {
			p.add(at, "is no label", "write at most 63 lower-case letters, digits, dashes and underscores; a key begins with a letter")
		}
		if key == clusterLabel {
			p.add(at, "is not for users", "choose another key: it is set for each resource")
		}
	}
}

// labelled gives the labels of a resource: its own, and those of the user.
func labelled(user map[string]string, cluster string) pulumi.StringMap {
	labels := pulumi.ToStringMap(user)
	if labels == nil {
		labels = pulumi.StringMap{}
	}
	labels[clusterLabel] = pulumi.String(cluster)
	return labels
}

// once gives the first of some outputs as soon as all of them are known, and
// depends on all of them.
func once(outputs ...any) pulumi.StringOutput {
	return pulumi.All(outputs...).ApplyT(func(values []any) string {
		switch first := values[0].(type) {
		case pulumi.ID:
			return string(first)
		default:
			return first.(string)
		}
	}).(pulumi.StringOutput)
}

// memberPattern is whom IAM knows by name: a group, a service account, or who
// comes from another identity provider. Neither everybody, nor a single person:
// people come and go, and their groups are where that is kept (CIS-GKE-5.8.2).
var memberPattern = regexp.MustCompile(`^(group:[^@\s*]+@[a-z0-9.-]+\.[a-z]+|serviceAccount:[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com|principal(Set)?://iam\.googleapis\.com/[^\s*]+)$`)

const memberExample = "write one such as group:operators@example.com"

func memberProblem(member string) error {
	if memberPattern.MatchString(member) {
		return nil
	}
	return fmt.Errorf("%q is neither a group, nor a service account, nor an identity of a pool", member)
}

// accountPattern is the address of a service account that somebody made. The
// default ones, which may edit the project, have other domains.
var accountPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9]\.iam\.gserviceaccount\.com$`)

func (p *problems) account(field string, given pulumi.StringInput, remedy string) {
	p.known(field, given, accountPattern, "is not the address of a service account of the project's own", remedy)
}

// keyPattern is a key, and not one of its versions.
var keyPattern = regexp.MustCompile(`^projects/[a-z][a-z0-9-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)

func (p *problems) key(field string, given pulumi.StringInput) {
	p.known(field, given, keyPattern, "is not the id of a key", "give that of Keys")
}
