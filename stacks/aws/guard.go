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

// fixed are the settings whose change AWS answers by deleting, or making anew,
// something that holds data or on which everything stands. The stack gives them
// out, and the next run compares. An empty value is something that is not there:
// to add it deletes nothing.
func (e environment) fixed() map[string]string {
	fixed := map[string]string{
		"account.id": e.Account.ID, "account.region": e.Account.Region,
		"network.cidr": e.Network.CIDR, "network.serviceCIDR": e.Network.ServiceCIDR, "network.existing.vpcId": "none", "network.ipv6": whether(e.Network.IPv6),
		settingZones: strings.Join(e.Network.Zones, ","), settingVersion: e.KubernetesVersion,
		"keys.createAutoScalingRole": whether(e.Keys.CreateAutoScalingRole), "keys.accountDefault": whether(e.Keys.AccountDefault),
		"logs.archive.disabled": "", "logs.archive.bucket": "", "logs.archive.lock": "", "logs.trail": whether(e.Logs.Trail),
		"vpn.clientCIDR": "", "vpn.clientCertificateArn": "", "vpn.samlProviderArn": "", settingRepositories: "",
	}
	if x := e.Network.Existing; x != nil {
		fixed["network.existing.vpcId"], fixed["network.cidr"] = x.VpcID, "" // which is not ours
	}
	if a := e.Logs.Archive; !a.Disabled {
		fixed["logs.archive.disabled"], fixed["logs.archive.bucket"] = "false", a.Bucket
		if a.Bucket == "" || a.Bucket == components.ArchiveName(e.account(), e.name) {
			fixed["logs.archive.bucket"] = "the name by default"
		}
		// A bucket is made for locks or without; which lock it is can change.
		fixed["logs.archive.lock"] = map[bool]string{true: "none", false: "a lock"}[a.Lock == components.LockNone]
	}
	if v := e.VPN; v != nil {
		fixed["vpn.clientCIDR"], fixed["vpn.clientCertificateArn"], fixed["vpn.samlProviderArn"] = v.ClientCIDR, v.ClientCertificateArn, v.SamlProviderArn
	}
	if r := e.Registry; r != nil {
		fixed[settingRepositories] = strings.Join(r.Repositories, ",")
	}
	return fixed
}

func whether(on bool) string {
	if on {
		return "true"
	}
	return ""
}

// label is the name of something of which AWS takes one. Another name would make
// a second before the first goes, which AWS refuses.
type label struct{ key, field, name string }

func (e environment) labels() []label {
	var out []label
	for i, who := range e.Access {
		out = append(out, label{"access " + who.PrincipalArn, fmt.Sprintf("access[%d].name", i), who.Name})
	}
	flows := map[string][]Egress{"firewall.egress": e.Firewall.Egress}
	if e.Runner != nil {
		flows["runner.egress"] = e.Runner.Egress
	}
	for _, of := range slices.Sorted(maps.Keys(flows)) {
		for i, to := range flows[of] {
			for _, cidr := range to.CIDRs {
				// Rules that are the same are one, of the first name.
				key := fmt.Sprintf("%s %s %s %d", of, cidr, cmp.Or(to.Protocol, hostconfig.ProtocolTCP), cmp.Or(to.Port, 443))
				if !slices.ContainsFunc(out, func(l label) bool { return l.key == key }) {
					out = append(out, label{key, fmt.Sprintf("%s[%d].name", of, i), to.Name})
				}
			}
		}
	}
	return out
}

// kept is what the next run compares with.
func (e environment) kept() map[string]string {
	kept := e.fixed()
	for _, l := range e.labels() {
		kept[l.key] = l.name
	}
	for _, p := range e.NodePools {
		kept["pool "+p.Name] = cmp.Or(p.KubernetesVersion, e.KubernetesVersion)
	}
	return kept
}

// Settings of which parts may be added.
const (
	settingVersion      = "kubernetesVersion"
	settingZones        = "network.zones"
	settingRepositories = "registry.repositories"
)

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
	for _, field := range slices.Sorted(maps.Keys(now)) {
		was, is := last[field], now[field]
		switch {
		case was == is || was == "" || slices.Contains(e.AllowReplacement, field):
		case is == "" && slices.Contains([]string{"network.cidr", "logs.archive.bucket", "logs.archive.lock"}, field): // said of network.existing, logs.archive.disabled
		case field == settingVersion:
			if err := step(was, is); err != nil {
				add(field, err.Error(), fmt.Sprintf("write a version of %s, or of the minor after it", was))
			}
		case field == settingZones || field == settingRepositories:
			for _, each := range strings.Split(was, ",") {
				if !slices.Contains(strings.Split(is, ","), each) {
					add(field, each+" is left out, which deletes it", "write it again, or, once nothing is left in it, write "+field+" in allowReplacement")
				}
			}
		default:
			add(field, fmt.Sprintf("was %s and is %s, which deletes what there is", was, cmp.Or(is, "not set")),
				"write what it was, or, after a run with unprotected: true, write "+field+" in allowReplacement")
		}
	}
	for _, l := range e.labels() {
		if was := last[l.key]; was != "" && was != l.name {
			add(l.field, fmt.Sprintf("was %s and is %s: AWS takes one of its kind, and the new one would come before the old one goes", was, l.name), "write "+was)
		}
	}
	for i, p := range e.NodePools {
		is := cmp.Or(p.KubernetesVersion, e.KubernetesVersion)
		if was := last["pool "+p.Name]; minor(is) < minor(was) && p.KubernetesVersion != "" {
			add(fmt.Sprintf("nodePools[%d].kubernetesVersion", i), fmt.Sprintf("goes down from %s to %s, which EKS never does", was, is), "write "+was+" or leave it out")
		}
	}
	return errors.Join(problems...)
}

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
