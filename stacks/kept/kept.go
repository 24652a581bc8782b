// Package kept refuses changes of settings that a cloud answers by deleting what
// holds data, or what everything stands on, and making it anew. A stack gives out
// the settings that it keeps; the next run compares, before it registers anything.
package kept

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// Output is the output of a stack that has its kept settings, by name.
const Output = "settings"

// Settings that may change in some ways.
const (
	// Version is a version of Kubernetes: it goes up one minor at a time.
	Version = "kubernetesVersion"
	// Zones and Repositories are separated by commas: more may come.
	Zones        = "network.zones"
	Repositories = "registry.repositories"
	// LockDays are those of a lock that nobody lifts: they only grow.
	LockDays = "logs.archive.lockDays"
	// name ends that of something of which the cloud takes one, such as the entry of
	// somebody: a program would make another of the new name first.
	name = "].name"
)

// Last are the settings that the last run has given out, none before the first.
func Last(ctx *pulumi.Context) (map[string]string, error) {
	self, err := Reference(ctx, ctx.Stack())
	if err != nil {
		return nil, err
	}
	given, err := self.GetOutputDetails(Output)
	if err != nil {
		return nil, err
	}
	last := map[string]string{}
	if values, ok := given.Value.(map[string]any); ok {
		for name, value := range values {
			last[name], _ = value.(string)
		}
	}
	return last, nil
}

// Standing are those settings that the next run compares with: what has no value
// is not there, and to add it deletes nothing.
func Standing(now map[string]string) map[string]string {
	standing := maps.Clone(now)
	maps.DeleteFunc(standing, func(_, value string) bool { return value == "" })
	return standing
}

// Reference is another stack of the project, or any stack by its full name.
func Reference(ctx *pulumi.Context, stack string) (*pulumi.StackReference, error) {
	if !strings.Contains(stack, "/") {
		stack = fmt.Sprintf("%s/%s/%s", ctx.Organization(), ctx.Project(), stack)
	}
	return pulumi.NewStackReference(ctx, stack, nil)
}

// Compare reports every setting that must not change as it did, as joined
// [hostconfig.FieldError] values. What is not there has no value: to add it deletes
// nothing, and that it goes is said of another setting, or meant.
func Compare(last, now map[string]string, allowed []string) error {
	var problems []error
	add := func(field, problem, remedy string) {
		problems = append(problems, &hostconfig.FieldError{Field: settings.Namespace + ":" + field, Problem: problem, Remedy: remedy})
	}
	for _, field := range slices.Sorted(maps.Keys(last)) {
		was := last[field]
		is, there := now[field]
		switch {
		case !there || was == is || slices.Contains(allowed, field) && field != LockDays && !strings.HasSuffix(field, name):
		case strings.HasSuffix(field, name):
			add(field, fmt.Sprintf("was %s and is %s: the cloud takes one of its kind, and the new one would come before the old one goes", was, is), "write "+was)
		case field == Version:
			if err := step(was, is); err != nil {
				add(field, err.Error(), fmt.Sprintf("write a version of the minor of %s, or of the one after it", was))
			}
		case field == Zones || field == Repositories:
			for _, each := range strings.Split(was, ",") {
				if !slices.Contains(strings.Split(is, ","), each) {
					add(field, each+" is left out, which deletes what is there", "write it again, or, once nothing is left in it, write "+field+" in allowReplacement")
				}
			}
		case field == LockDays:
			before, _ := strconv.Atoi(was)
			if after, err := strconv.Atoi(is); err != nil || after < before {
				add(field, fmt.Sprintf("was %s and is %s, and the lock of an archive is never shortened", was, is), "write "+was+" or more")
			}
		default:
			add(field, fmt.Sprintf("was %s and is %s, which deletes what there is and makes it anew", cmp.Or(was, "not set"), cmp.Or(is, "not set")),
				"write what it was, or write "+field+" in allowReplacement")
		}
	}
	return errors.Join(problems...)
}

// step judges an upgrade: one minor at a time and never down.
//
//   - https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
//   - https://cloud.google.com/kubernetes-engine/docs/how-to/upgrading-a-cluster
func step(was, is string) error {
	switch from, to := Minor(was), Minor(is); {
	case to < from:
		return fmt.Errorf("goes down from %s to %s, which a control plane never does", was, is)
	case to > from+1:
		return fmt.Errorf("skips a minor between %s and %s", was, is)
	}
	return nil
}

// Minor is 35 for v1.35.4, and 0 for what is no version.
func Minor(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return n
}
