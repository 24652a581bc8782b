package aws

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// flatcarUses are those that a cluster which runs itself has: its machines know no
// Session Manager, and detection of EKS is not for them.
var flatcarUses = []string{"cluster-autoscaler", "load-balancers", "secrets-manager"}

// Where the fields of components are settings of another name.
var (
	ofFlatcarRoles   = map[string]string{"cluster": "", "pools": ""}
	ofFlatcarNetwork = merged(ofNetwork, map[string]string{"podCIDRs": "podCIDR"})
	ofFlatcarCluster = merged(once, map[string]string{
		"pools": "nodePools", "networkCidr": "network.cidr", "podCidr": "podCIDR", "serviceCidr": "network.serviceCIDR", "programFile": "nodeProgram",
		"controlPlane.zones": "network.zones", "host.exceptions": "", "host.pools": "nodePools", "host.controlPlanes": "controlPlane", "host.network.cni": "cni", "host.program": "nodeProgram", "host.kubernetes": "kubernetes", "host.kubernetesVersion": "kubernetesVersion",
	})
)

// validate reports everything that is wrong with the settings: what each
// component finds, under the name of the setting, and what no component sees
// alone. The time decides whether exceptions and versions still hold.
func (e flatcarEnvironment) validate(r *settings.Reader, now time.Time) {
	for i, use := range e.Uses {
		if !slices.Contains(flatcarUses, use) {
			r.Add(fmt.Sprintf("uses[%d]", i), fmt.Sprintf("%q is no use of a cluster that runs itself", use), "write one of "+strings.Join(flatcarUses, ", "))
		}
	}
	r.Report("", e.roles().Validate(now), ofFlatcarRoles)
	r.Report("keys", e.keys(later).Validate(now), once)
	r.Report("logs", e.logs(later).Validate(now), once)
	r.Report("network", e.network(later, later).Validate(now), ofFlatcarNetwork)
	r.Report("firewall", e.firewall(later, later).Validate(now), once)
	if !e.Detection.Disabled {
		r.Report("detection", e.detection(later, later, later).Validate(now), ofDetection)
	}
	if args, err := e.cluster(); err == nil {
		args.VpcID, args.ControlPlaneSecurityGroupID, args.NodeSecurityGroupID, args.LoadBalancerSecurityGroupID = later, later, later, later
		args.PrivateSubnetIDs, args.NodeSubnetIDs = pulumi.StringArrayOutput{}, pulumi.StringArrayOutput{}
		args.VolumesKeyArn, args.SecretsKeyArn, args.ControlPlaneRoleArn, args.ControlPlaneProfile = later, later, later, later
		args.PoolRoleArns, args.PoolProfiles = pulumi.StringMapOutput{}, pulumi.StringMapOutput{}
		r.Report("", args.Validate(now), ofFlatcarCluster)
	}
	if len(e.NodePools) == 0 {
		r.Add("nodePools", "there are none, and workloads need nodes", "write one")
	}
	e.checkMachines(r)
	own := e.common()
	own.AllowReplacement = nil // judged below, by what this environment keeps
	own.checkTogether(r)
	for i, name := range e.AllowReplacement {
		if !slices.Contains(e.replaceable(), name) {
			r.Add(fmt.Sprintf("allowReplacement[%d]", i), fmt.Sprintf("%q is no setting that is kept", name), "write one of "+strings.Join(e.replaceable(), ", "))
		}
	}
}

// checkMachines judges the machines of the control plane against the network.
func (e flatcarEnvironment) checkMachines(r *settings.Reader) {
	c := e.ControlPlane
	if len(c.Addresses) > 0 && len(c.Addresses) != c.Count {
		r.Add("controlPlane.addresses", fmt.Sprintf("there are %d for %d machines", len(c.Addresses), c.Count), "write one for each machine")
	}
	if e.Network.Existing != nil && len(c.Addresses) == 0 {
		r.Add("controlPlane.addresses", "are missing: nobody here plans the network that exists", "write an address that is free and reserved in the subnet of each zone in turn")
	}
	if c.Count > 1 && c.Count > len(e.Network.Zones) && len(e.Network.Zones) < 3 {
		r.Add("network.zones", fmt.Sprintf("there are %d, and the loss of one takes the majority of %d machines", len(e.Network.Zones), c.Count), "write three")
	}
	pods, err := netip.ParsePrefix(e.PodCIDR)
	network, other := netip.ParsePrefix(cmp.Or(e.Network.CIDR, "0.0.0.0/32"))
	if err == nil && other == nil && e.Network.Existing != nil && pods.Overlaps(network) {
		r.Add("podCIDR", fmt.Sprintf("%s overlaps the network %s", pods, network), "choose ranges that are apart")
	}
}
