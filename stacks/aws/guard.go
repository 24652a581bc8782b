package aws

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/kept"
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
		kept.Zones: strings.Join(e.Network.Zones, ","), kept.Version: e.KubernetesVersion,
		"keys.createAutoScalingRole": whether(e.Keys.CreateAutoScalingRole), "keys.accountDefault": whether(e.Keys.AccountDefault),
		"logs.archive.disabled": "", "logs.archive.bucket": "", "logs.archive.lock": "", "logs.trail": whether(e.Logs.Trail),
		"vpn.clientCIDR": "", "vpn.clientCertificateArn": "", "vpn.samlProviderArn": "", kept.Repositories: "",
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
		fixed[kept.Repositories] = strings.Join(r.Repositories, ",")
	}
	// AWS takes one of a kind: another name would make a second before the first goes.
	for _, who := range e.Access {
		fixed[accessName(who)] = who.Name
	}
	for _, to := range e.Firewall.Egress {
		for _, cidr := range to.CIDRs {
			if field := egressName(to, cidr); fixed[field] == "" { // rules that are the same are one, of the first name
				fixed[field] = to.Name
			}
		}
	}
	// What goes together with something else is said of that.
	maps.DeleteFunc(fixed, func(field, value string) bool {
		return value == "" && slices.Contains([]string{"network.cidr", "logs.archive.bucket", "logs.archive.lock"}, field)
	})
	return fixed
}

// replaceable are those of them that allowReplacement may name: where AWS takes
// one of a kind, it would refuse the second.
func (e environment) replaceable() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(e.fixed())), func(field string) bool { return strings.Contains(field, "[") })
}

func whether(on bool) string {
	if on {
		return "true"
	}
	return ""
}

// standing is what the next run compares with.
func (e environment) standing() map[string]string {
	standing := kept.Standing(e.fixed())
	for _, p := range e.NodePools {
		standing[poolVersion(p)] = cmp.Or(p.KubernetesVersion, e.KubernetesVersion)
	}
	return standing
}

func poolVersion(p NodePool) string { return "nodePools[" + p.Name + "].kubernetesVersion" }

// guard compares the settings with those of the last run, and refuses what would
// delete and make anew, unless allowReplacement names it.
func (e environment) guard(ctx *pulumi.Context) error {
	last, err := kept.Last(ctx)
	if err != nil {
		return err
	}
	return e.compare(last)
}

// compare reports every setting that must not change as it did, by the names that
// people wrote.
func (e environment) compare(last map[string]string) error {
	r, written := settings.New(nil), map[string]string{}
	for i, who := range e.Access {
		written[accessName(who)] = fmt.Sprintf("access[%d].name", i)
	}
	for i, to := range e.Firewall.Egress {
		for _, cidr := range to.CIDRs {
			written[egressName(to, cidr)] = fmt.Sprintf("firewall.egress[%d].name", i)
		}
	}
	for i, p := range e.NodePools {
		if was := last[poolVersion(p)]; p.KubernetesVersion != "" && kept.Minor(p.KubernetesVersion) < kept.Minor(was) {
			r.Add(fmt.Sprintf("nodePools[%d].kubernetesVersion", i), fmt.Sprintf("goes down from %s to %s, which EKS never does", was, p.KubernetesVersion), "write "+was+" or leave it out")
		}
	}
	r.Report("", kept.Compare(last, e.fixed(), e.AllowReplacement), written)
	return r.Err()
}

func accessName(who Access) string { return "access[" + who.PrincipalArn + "].name" }

func egressName(to Egress, cidr string) string {
	return fmt.Sprintf("firewall.egress[%s %s %d].name", cidr, cmp.Or(to.Protocol, hostconfig.ProtocolTCP), cmp.Or(to.Port, 443))
}
