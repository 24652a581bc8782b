package aws

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// fixed are the settings whose change AWS answers by making something anew that
// holds data, or on which everything stands. The stack gives them out, and the
// next run compares.
func (e environment) fixed() map[string]string {
	existing := ""
	if e.Network.Existing != nil {
		existing = e.Network.Existing.VpcID
	}
	fixed := map[string]string{
		"account.id": e.Account.ID, "account.region": e.Account.Region,
		"network.cidr": e.Network.CIDR, "network.serviceCIDR": e.Network.ServiceCIDR, "network.existing.vpcId": existing,
		"network.zones": strings.Join(e.Network.Zones, ","), "logs.archive.disabled": strconv.FormatBool(e.Logs.Archive.Disabled),
		settingVersion: e.KubernetesVersion,
	}
	if a := e.Logs.Archive; !a.Disabled {
		fixed["logs.archive.bucket"] = a.Bucket
		// A bucket is made for locks or without; which lock it is can change.
		fixed["logs.archive.lock"] = map[bool]string{true: "none", false: "a lock"}[a.Lock == components.LockNone]
	}
	return fixed
}

const settingVersion = "kubernetesVersion"

// guard compares the settings with those of the last run, and refuses what would
// delete and make anew, unless allowReplacement names it.
func (e environment) guard(ctx *pulumi.Context) error {
	last, err := lastSettings(ctx)
	if err != nil {
		return err
	}
	return e.compare(last)
}

// lastSettings are those that the stack has given out, none before its first run.
func lastSettings(ctx *pulumi.Context) (map[string]string, error) {
	self, err := reference(ctx, ctx.Stack())
	if err != nil {
		return nil, err
	}
	given, err := self.GetOutputDetails(outputSettings)
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

// reference is another stack of the project, or any stack by its full name.
func reference(ctx *pulumi.Context, stack string) (*pulumi.StackReference, error) {
	if !strings.Contains(stack, "/") {
		stack = fmt.Sprintf("%s/%s/%s", ctx.Organization(), ctx.Project(), stack)
	}
	return pulumi.NewStackReference(ctx, stack, nil)
}

// compare reports every setting that must not change as it did.
func (e environment) compare(last map[string]string) error {
	var problems []error
	add := func(field, problem, remedy string) {
		problems = append(problems, &hostconfig.FieldError{Field: settings.Namespace + ":" + field, Problem: problem, Remedy: remedy})
	}
	now := e.fixed()
	for _, field := range slices.Sorted(maps.Keys(last)) {
		was, is := last[field], now[field]
		switch {
		case was == is || slices.Contains(e.AllowReplacement, field):
		case field == settingVersion:
			if err := step(was, is); err != nil {
				add(field, err.Error(), fmt.Sprintf("write a version of %s, or of the minor after it", was))
			}
		case field == "network.zones":
			for _, zone := range strings.Split(was, ",") {
				if !slices.Contains(strings.Split(is, ","), zone) {
					add(field, zone+" is left out, which deletes its subnets", "write it again, or, once nothing is left in it, write "+field+" in allowReplacement")
				}
			}
		default:
			add(field, fmt.Sprintf("was %s and is %s, which deletes what there is and makes it anew", quoted(was), quoted(is)),
				"write what it was, or write "+field+" in allowReplacement")
		}
	}
	return errors.Join(problems...)
}

func quoted(value string) string { return cmp.Or(value, "not set") }

// step judges an upgrade: one minor at a time and never down.
// https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html
func step(was, is string) error {
	switch from, to := minor(was), minor(is); {
	case to < from:
		return fmt.Errorf("goes down from %s to %s, which EKS never does", was, is)
	case to > from+1:
		return fmt.Errorf("skips a minor between %s and %s", was, is)
	}
	return nil
}

// minor is 35 for v1.35.4.
func minor(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return n
}
