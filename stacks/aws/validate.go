package aws

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	components "github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// later stands for what other resources will give.
var later = pulumi.StringOutput{}

// Where the fields of components are settings of another name. What every
// component is given is reported once, of the roles.
var (
	once      = map[string]string{"account": "", "cluster": "", "tags": "", "exceptions": ""}
	ofRoles   = map[string]string{"cluster": ""}
	ofNetwork = merged(once, map[string]string{"retentionDays": "", "uses": "uses"})
	ofVPN     = merged(once, map[string]string{"retentionDays": "", "networkCidr": "", "clientCidr": "vpn.clientCIDR"})
	ofCluster = merged(once, map[string]string{"serviceCidr": "network.serviceCIDR", "publicCidrs": "publicCIDRs"})
	// The roles of the access entries are reported there.
	ofDetection = merged(once, map[string]string{"breakGlassArns": "access", "trailLogGroupName": "detection.trailLogGroup"})
	ofPool      = merged(once, map[string]string{"controlPlaneVersion": "", "host.node.exceptions": ""})
)

// validate reports everything that is wrong with the settings: what each
// component finds, under the name of the setting, and what no component sees
// alone. The time decides whether exceptions and versions still hold.
func (e environment) validate(r *settings.Reader, now time.Time) {
	r.Report("", e.roles().Validate(now), ofRoles)
	r.Report("keys", e.keys(later).Validate(now), once)
	r.Report("logs", e.logs(later).Validate(now), once)
	r.Report("network", e.network(later, later).Validate(now), ofNetwork)
	r.Report("firewall", e.firewall(later, later, later).Validate(now), once)
	control := e.controlPlane()
	control.SubnetIDs, control.SecurityGroupID, control.SecretsKeyArn, control.LogGroupName = pulumi.StringArrayOutput{}, later, later, later
	control.ClusterRoleArn, control.NetworkRoleArn = later, later
	r.Report("", control.Validate(now), ofCluster)
	if !e.Detection.Disabled {
		var breakGlass pulumi.StringArray
		for _, who := range e.Access {
			if who.Role == components.AccessBreakGlass {
				breakGlass = append(breakGlass, pulumi.String(who.PrincipalArn))
			}
		}
		r.Report("detection", e.detection(later, later, later, later, later, breakGlass).Validate(now), ofDetection)
	}
	if e.sessions() {
		r.Report("logs", e.sessionLogging(later).Validate(now), once)
	}
	if e.VPN != nil {
		e.checkVPN(r, now)
	}
	if e.Runner != nil {
		r.Report("runner", e.runner(later, later, later, later).Validate(now), once)
	}
	e.checkPools(r, now)
	if e.Registry != nil {
		r.Report("registry", e.registry(nil).Validate(now), once)
	}
	e.checkTogether(r)
}

func (e environment) checkVPN(r *settings.Reader, now time.Time) {
	subnets := []pulumi.StringInput{}
	for i, at := range e.vpnZones() {
		if at < 0 {
			r.Add(fmt.Sprintf("vpn.zones[%d]", i), e.VPN.Zones[i]+" is no zone of the network", "write one of network.zones")
		}
		if len(e.VPN.Zones) > 0 && slices.Contains(e.VPN.Zones[:i], e.VPN.Zones[i]) {
			r.Add(fmt.Sprintf("vpn.zones[%d]", i), e.VPN.Zones[i]+" is repeated", "list it once")
		}
		subnets = append(subnets, later)
	}
	r.Report("vpn", e.vpn(later, later, later, subnets).Validate(now), ofVPN)
}

func (e environment) checkPools(r *settings.Reader, now time.Time) {
	if len(e.NodePools) == 0 {
		r.Add("nodePools", "there are none, and add-ons need nodes", "write one")
	}
	for i, p := range e.NodePools {
		at := fmt.Sprintf("nodePools[%d]", i)
		args := e.pool(p)
		args.ClusterName, args.ControlPlaneVersion, args.SubnetIDs = later, pulumi.String(e.KubernetesVersion), pulumi.StringArrayOutput{}
		args.SecurityGroupID, args.VolumesKeyArn, args.NodeRoleArn = later, later, later
		version := "" // of the environment, where it is reported
		if p.KubernetesVersion != "" {
			version = at + ".kubernetesVersion"
		}
		r.Report(at, args.Validate(now), merged(ofPool, map[string]string{"host.node.kubernetesVersion": version}))
		if slices.ContainsFunc(e.NodePools[:i], func(other NodePool) bool { return other.Name == p.Name }) {
			r.Add(at+".name", p.Name+" is another's name", "give each pool a name of its own")
		}
	}
}

// checkTogether judges what one component is told against what another is.
func (e environment) checkTogether(r *settings.Reader) {
	if e.Logs.Archive.Disabled && !hostconfig.Excepted(e.Exceptions, "M38/archive") {
		r.Add("logs.archive.disabled", "who gets into the account can delete every log (M38/archive)", hostconfig.AcceptRisk("M38/archive"))
	}
	if e.Detection.Disabled && !hostconfig.Excepted(e.Exceptions, "M39/detection") {
		r.Add("detection.disabled", "nobody hears of what an intruder does (M39/detection)", hostconfig.AcceptRisk("M39/detection"))
	}
	if e.Logs.Trail && e.Detection.TrailLogGroup != "" {
		r.Add("detection.trailLogGroup", "is given, and logs.trail makes one", "leave one of the two out")
	}
	if e.Network.Existing == nil {
		known := prefixes(append([]string{e.Network.CIDR}, e.Network.PeerCIDRs...))
		for i, cidr := range e.Firewall.Operators {
			if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Bits() > 0 && !inside(prefix, known) {
				r.Add(fmt.Sprintf("firewall.operators[%d]", i), cidr+" is neither in the network nor in one that reaches it", "write its network among network.peerCIDRs, and make the route to it")
			}
		}
		e.checkEgress(r, "firewall", e.Firewall.Egress, known)
		if e.Runner != nil {
			e.checkEgress(r, "runner", e.Runner.Egress, known)
		}
	}
	if v := e.VPN; v != nil {
		if clients, err := netip.ParsePrefix(v.ClientCIDR); err == nil {
			for _, other := range append(prefixes(e.Network.PeerCIDRs), prefixes([]string{e.Network.ServiceCIDR})...) {
				if clients.Overlaps(other) {
					r.Add("vpn.clientCIDR", fmt.Sprintf("%s overlaps %s", clients, other), "choose ranges that are apart")
				}
			}
		}
	}
	e.checkProxy(r)
	for i, name := range e.AllowReplacement {
		if !slices.Contains(e.replaceable(), name) {
			r.Add(fmt.Sprintf("allowReplacement[%d]", i), fmt.Sprintf("%q is no setting that is kept", name),
				"write one of "+strings.Join(e.replaceable(), ", "))
		}
	}
}

// checkProxy judges the add-on that is a part of Kubernetes: no newer than the
// control plane, and at most three minors older.
// https://kubernetes.io/releases/version-skew-policy/#kube-proxy
func (e environment) checkProxy(r *settings.Reader) {
	const addon, oldest = "kube-proxy", 3
	version := e.AddonVersions[addon]
	behind := kept.Minor(e.KubernetesVersion) - kept.Minor(version)
	if kept.Minor(version) > 0 && kept.Minor(e.KubernetesVersion) > 0 && (behind < 0 || behind > oldest) {
		r.Add(fmt.Sprintf("addonVersions[%s]", addon), fmt.Sprintf("%s does not go with Kubernetes %s", version, e.KubernetesVersion), "write one of the same minor")
	}
}

// checkEgress judges that what nodes or automation may reach has a way there: the network's
// own list of access lets only some ports out.
func (e environment) checkEgress(r *settings.Reader, of string, flows []Egress, known []netip.Prefix) {
	ports := e.Network.EgressPorts
	if len(ports) == 0 {
		ports = []int{443}
	}
	for i, to := range flows {
		at := fmt.Sprintf("%s.egress[%d]", of, i)
		outside := slices.ContainsFunc(prefixes(to.CIDRs), func(prefix netip.Prefix) bool { return !inside(prefix, known) })
		if !outside {
			continue
		}
		port := to.Port
		if port == 0 {
			port = 443
		}
		switch {
		case e.Network.Egress == "" || e.Network.Egress == components.EgressNone:
			r.Add(at+".cidrs", "are outside, and the network has no way out", "write nat or firewall as network.egress, or the network among network.peerCIDRs")
		case to.Protocol == hostconfig.ProtocolUDP || !slices.Contains(ports, port):
			r.Add(at+".port", fmt.Sprintf("%d does not leave the network", port), "write it among network.egressPorts, which are of TCP")
		}
	}
}

// prefixes are the ranges that can be read; the others are reported elsewhere.
func prefixes(cidrs []string) []netip.Prefix {
	var out []netip.Prefix
	for _, cidr := range cidrs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil {
			out = append(out, prefix)
		}
	}
	return out
}

func inside(prefix netip.Prefix, known []netip.Prefix) bool {
	return slices.ContainsFunc(known, func(k netip.Prefix) bool { return k.Bits() <= prefix.Bits() && k.Contains(prefix.Addr()) })
}

func merged(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, each := range all {
		maps.Copy(out, each)
	}
	return out
}
