package aws

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
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

// ranges reports texts that are no ranges, and ranges that overlap.
func (p *problems) ranges(ranges []addressplan.Range) {
	for _, each := range ranges {
		if _, err := addressplan.Parse(each.CIDR); err != nil {
			p.add(each.Field, err.Error(), "write a range whose host bits are zero")
		}
	}
	for _, overlap := range addressplan.Overlaps(ranges) {
		p.add(overlap.Second.Field, overlap.String(), "choose ranges that are apart")
	}
}

var identifier = regexp.MustCompile(`^[a-z]+-[0-9a-f]{8}([0-9a-f]{9})?$`)

// id reports what is not the id of a resource of EC2: a prefix and 8 or 17
// hexadecimal digits.
func (p *problems) id(field, prefix, value string) {
	if !strings.HasPrefix(value, prefix+"-") || !identifier.MatchString(value) {
		p.add(field, fmt.Sprintf("%q is not an id", value), "write one such as "+prefix+"-0123456789abcdef0")
	}
}

// principalPattern is one role or user: neither everybody nor a pattern.
var principalPattern = regexp.MustCompile(`^arn:aws(-us-gov)?:iam::[0-9]{12}:(role|user)/[\w+=,.@/-]+$`)

func principalProblem(arn string) error {
	if principalPattern.MatchString(arn) {
		return nil
	}
	return fmt.Errorf("%q is not the ARN of a role or a user", arn)
}

// principals reports what is already known of the principals and is no ARN. What
// is not known yet is judged when the policy is made.
func (p *problems) principals(field string, given pulumi.StringArrayInput) {
	array, ok := given.(pulumi.StringArray)
	if !ok {
		return
	}
	for i, each := range array {
		if text, known := each.(pulumi.String); known {
			if err := principalProblem(string(text)); err != nil {
				p.add(fmt.Sprintf("%s[%d]", field, i), err.Error(), "write one such as arn:aws:iam::123456789012:role/name")
			}
		}
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// tags reports what AWS does not take as a tag.
// https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
func (p *problems) tags(field string, tags map[string]string) {
	const most = 45 // of 50: some are our own
	if len(tags) > most {
		p.add(field, fmt.Sprintf("there are %d", len(tags)), fmt.Sprintf("write at most %d", most))
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		at := fmt.Sprintf("%s[%s]", field, key)
		if !tagPattern.MatchString(key) || len(key) > 128 || len(tags[key]) > 256 || !tagPattern.MatchString(tags[key]) && tags[key] != "" {
			p.add(at, "is no tag", "write a key of at most 128 and a value of at most 256 letters, digits, spaces and _.:/=+-@")
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") || key == "Name" || key == clusterTag {
			p.add(at, "is not for users", "choose another key: aws: is AWS's, and Name and "+clusterTag+" are set for each resource")
		}
	}
}

var tagPattern = regexp.MustCompile(`^[\p{L}\p{N} _.:/=+@-]+$`)

const clusterTag = "redoubt.dev/cluster"

// tagged gives the tags of one resource: its own, and those of the user.
func tagged(user map[string]string, cluster, name string) pulumi.StringMap {
	tags := pulumi.StringMap{}
	for key, value := range user {
		tags[key] = pulumi.String(value)
	}
	tags["Name"] = pulumi.String(name)
	tags[clusterTag] = pulumi.String(cluster)
	return tags
}
