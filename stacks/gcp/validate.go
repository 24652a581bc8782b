package gcp

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// later stands for what other resources will give.
var later = pulumi.StringOutput{}

// Where the fields of components are settings of another name. What every
// component is given is reported once, of the roles.
var (
	once        = map[string]string{"project": "", "cluster": "", "labels": "", "exceptions": ""}
	ofRoles     = map[string]string{"cluster": "exceptions"}
	ofKeys      = map[string]string{"project": "", "cluster": "", "exceptions": "", "labels": "labels"}
	ofCluster   = merged(once, map[string]string{"publicCidrs": "publicCIDRs", "zones": "network.zones"})
	ofImages    = merged(once, map[string]string{"images": "images.allowed"})
	ofVPN       = merged(once, map[string]string{"peerIps": "vpn.peerIPs", "peerAsn": "vpn.peerASN"})
	ofDetection = merged(once, map[string]string{"breakGlassMembers": ""})
)

// validate reports everything that is wrong with the settings: what each
// component finds, under the name of the setting, and what no component sees
// alone. The time decides whether exceptions and versions still hold.
func (e environment) validate(r *settings.Reader, now time.Time) {
	r.Report("", e.roles().Validate(now), ofRoles)
	r.Report("keys", e.keys().Validate(now), ofKeys)
	ofLogs := once
	if e.Logs.Archive.Bucket == "" { // made from what is reported elsewhere
		ofLogs = merged(once, map[string]string{"archive.bucket": ""})
	}
	r.Report("logs", e.logs(later).Validate(now), ofLogs)
	r.Report("network", e.network().Validate(now), once)
	wall := e.firewall()
	wall.NetworkID, wall.NodeCIDR, wall.PodCIDR, wall.ControlPlaneCIDR, wall.NodeServiceAccount = later, later, later, later, later
	r.Report("firewall", wall.Validate(now), once)
	control := e.controlPlane()
	control.NetworkID, control.SubnetworkID, control.PodRangeName, control.ServiceRangeName = later, later, later, later
	control.ControlPlaneCIDR, control.SecretsKeyID, control.DisksKeyID, control.NodeServiceAccount, control.PolicyProject = later, later, later, later, later
	r.Report("", control.Validate(now), ofCluster)
	r.Report("images", e.images().Validate(now), ofImages)
	if e.Entry != nil {
		ofEntry := once
		if e.entryCIDR() == "" {
			ofEntry = merged(once, map[string]string{"cidr": ""})
			if e.Network.Existing != nil {
				r.Add("entry.cidr", "is missing: an existing network has no plan", "write a free range of it, of 28 bits or fewer")
			}
		}
		r.Report("entry", e.entry(later, later, later, later).Validate(now), ofEntry)
	}
	if e.VPN != nil {
		r.Report("vpn", e.vpn(later, later).Validate(now), ofVPN)
	}
	e.checkPools(r, now)
	if e.Registry != nil {
		r.Report("registry", e.registry(later, later).Validate(now), merged(once, map[string]string{"generation": ""}))
	}
	if e.Constraints != nil {
		r.Report("constraints", e.constraints().Validate(now), once)
	}
	e.checkWatch(r, now)
	e.checkEgress(r)
	may := slices.DeleteFunc(slices.Sorted(maps.Keys(e.fixed())), never)
	for i, name := range e.AllowReplacement {
		if !slices.Contains(may, name) {
			r.Add(fmt.Sprintf("allowReplacement[%d]", i), fmt.Sprintf("%q is no setting that is kept", name), "write one of "+strings.Join(may, ", "))
		}
	}
}

func (e environment) checkPools(r *settings.Reader, now time.Time) {
	switch {
	case e.Autopilot && len(e.NodePools) > 0:
		r.Add("nodePools", "are given, and Autopilot makes its own", "leave them out")
	case !e.Autopilot && len(e.NodePools) == 0:
		r.Add("nodePools", "there are none, and the cluster needs nodes", "write one, or autopilot")
	}
	for i, p := range e.NodePools {
		at := fmt.Sprintf("nodePools[%d]", i)
		args := e.pool(p)
		args.ClusterName, args.DisksKeyID, args.NodeServiceAccount = later, later, later
		r.Report(at, args.Validate(now), merged(once, map[string]string{"kubelet.podPidsLimit": at + ".podPidsLimit", "upgrade.strategy": at + ".upgradeStrategy"}))
		if slices.ContainsFunc(e.NodePools[:i], func(other NodePool) bool { return other.Name == p.Name }) {
			r.Add(at+".name", p.Name+" is another's name", "give each pool a name of its own")
		}
	}
	if len(e.NodePools) > 0 && !slices.ContainsFunc(e.NodePools, func(p NodePool) bool { return !p.GVisor && p.Isolation == "" }) {
		r.Add("nodePools", "every one is kept for some workloads, and what GKE runs itself has no place", "write one without gvisor and isolation")
	}
}

// checkEgress judges that what nodes may reach has a way there.
func (e environment) checkEgress(r *settings.Reader) {
	if e.Network.Egress == components.EgressNAT || e.Network.Existing != nil {
		return
	}
	for i, to := range e.Firewall.Egress {
		for _, cidr := range to.CIDRs {
			prefix, err := netip.ParsePrefix(cidr)
			if err == nil && prefix.Bits() > 0 && !slices.ContainsFunc(append(e.Network.PeerCIDRs, e.Network.CIDR), func(known string) bool {
				k, err := netip.ParsePrefix(known)
				return err == nil && k.Bits() <= prefix.Bits() && k.Contains(prefix.Addr())
			}) {
				r.Add(fmt.Sprintf("firewall.egress[%d].cidrs", i), cidr+" is outside, and the network has no way out",
					"write nat as network.egress, or the network among network.peerCIDRs")
			}
		}
	}
}

func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, each := range all {
		maps.Copy(out, each)
	}
	return out
}
