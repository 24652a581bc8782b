package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Release channels.
const (
	ChannelRegular  = "REGULAR"
	ChannelStable   = "STABLE"
	ChannelExtended = "EXTENDED"
)

// GkeClusterArgs describes a control plane. Project, Cluster, NetworkID,
// SubnetworkID, PodRangeName, ServiceRangeName, ControlPlaneCIDR, SecretsKeyID,
// DisksKeyID, NodeServiceAccount, PolicyProject, SecurityGroup,
// AuthorizedNetworks and Access are required.
type GkeClusterArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// KubernetesVersion is a full version, of which GKE takes the minor as the
	// oldest; [hostconfig.DefaultKubernetesVersion] by default. The channel goes on
	// from there.
	KubernetesVersion string `pulumi:"kubernetesVersion,optional"`
	// Channel is REGULAR by default, or STABLE, or EXTENDED.
	Channel string `pulumi:"channel,optional"`
	// Autopilot leaves nodes to Google, with the same guarantees: there are no
	// node pools, and no Zones and MaxPodsPerNode. It is never changed.
	Autopilot bool `pulumi:"autopilot,optional"`
	// NetworkID, PodRangeName and ServiceRangeName are those of [Network], and
	// SubnetworkID its NodeSubnetworkID: the first machine comes with the cluster.
	NetworkID        pulumi.StringInput `pulumi:"networkId"`
	SubnetworkID     pulumi.StringInput `pulumi:"subnetworkId"`
	PodRangeName     pulumi.StringInput `pulumi:"podRangeName"`
	ServiceRangeName pulumi.StringInput `pulumi:"serviceRangeName"`
	// ControlPlaneCIDR is a /28, that of [Network].
	ControlPlaneCIDR pulumi.StringInput `pulumi:"controlPlaneCidr"`
	// SecretsKeyID and DisksKeyID are those of [Keys].
	SecretsKeyID pulumi.StringInput `pulumi:"secretsKeyId"`
	DisksKeyID   pulumi.StringInput `pulumi:"disksKeyId"`
	// NodeServiceAccount is that of [Firewall].
	NodeServiceAccount pulumi.StringInput `pulumi:"nodeServiceAccount"`
	// PolicyProject is that of [ImagePolicy].
	PolicyProject pulumi.StringInput `pulumi:"policyProject"`
	// SecurityGroup is gke-security-groups@<domain>, the group whose member groups
	// role bindings of the cluster may name.
	SecurityGroup string `pulumi:"securityGroup"`
	// AuthorizedNetworks are the ranges from which people and automation reach the
	// API server, beside nodes and pods: private ones, such as that of [IapAccess].
	AuthorizedNetworks []AuthorizedNetworkArgs `pulumi:"authorizedNetworks"`
	// Access is who gets in. At least one entry administers the cluster.
	Access []AccessArgs `pulumi:"access"`
	// Zones are those of nodes; three of the region by default.
	Zones []string `pulumi:"zones,optional"`
	// MaxPodsPerNode is 110 by default, and never changed.
	MaxPodsPerNode int `pulumi:"maxPodsPerNode,optional"`
	// Maintenance is when Google may upgrade; nights of weekends by default.
	Maintenance *MaintenanceArgs `pulumi:"maintenance,optional"`
	// NotificationTopic gets notices of upgrades and security bulletins:
	// projects/<project>/topics/<name>.
	NotificationTopic pulumi.StringInput `pulumi:"notificationTopic,optional"`
	// CostAllocation shows costs by namespace and label.
	CostAllocation bool `pulumi:"costAllocation,optional"`
	// ManagedPrometheus collects metrics of workloads.
	ManagedPrometheus bool `pulumi:"managedPrometheus,optional"`
	// PublicCIDRs are ranges of the internet that reach the API server. None by
	// default, and then there is no public endpoint; any needs an exception for
	// M11/public-endpoint.
	PublicCIDRs []string `pulumi:"publicCidrs,optional"`
	// Unprotected lets the cluster be deleted together with its stack, for
	// environments that come and go.
	Unprotected bool              `pulumi:"unprotected,optional"`
	Labels      map[string]string `pulumi:"labels,optional"`
	Exceptions  []hostconfig.Exception
}

// AuthorizedNetworkArgs is a range that reaches the API server.
type AuthorizedNetworkArgs struct {
	// Name says whose it is.
	Name string `pulumi:"name"`
	CIDR string `pulumi:"cidr"`
}

const defaultMaxPods = 110 // of the kubelet

func (a GkeClusterArgs) withDefaults() GkeClusterArgs {
	setDefault(&a.KubernetesVersion, hostconfig.DefaultKubernetesVersion)
	setDefault(&a.Channel, ChannelRegular)
	if !a.Autopilot {
		setDefault(&a.MaxPodsPerNode, defaultMaxPods)
	}
	maintenance := given(a.Maintenance).withDefaults()
	a.Maintenance = &maintenance
	return a
}

var (
	securityGroupPattern = regexp.MustCompile(`^gke-security-groups@[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	topicPattern         = regexp.MustCompile(`^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a GkeClusterArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	if err := hostconfig.CheckVersion("kubernetesVersion", a.KubernetesVersion, a.Exceptions, now); err != nil {
		p = append(p, err)
	}
	if !slices.Contains([]string{ChannelRegular, ChannelStable, ChannelExtended}, a.Channel) {
		p.add("channel", fmt.Sprintf("%q is no channel for an environment that people rely on", a.Channel), "write REGULAR, STABLE or EXTENDED")
	}
	for _, each := range []struct {
		field string
		given pulumi.StringInput
		of    string
	}{
		{"networkId", a.NetworkID, "Network"}, {"subnetworkId", a.SubnetworkID, "Network, its NodeSubnetworkID"}, {"podRangeName", a.PodRangeName, "Network"},
		{"serviceRangeName", a.ServiceRangeName, "Network"}, {"controlPlaneCidr", a.ControlPlaneCIDR, "Network"},
	} {
		p.required(each.field, each.given, "give that of "+each.of)
	}
	if cidr, known := a.ControlPlaneCIDR.(pulumi.String); known {
		p.narrowRange("controlPlaneCidr", string(cidr))
		p.controlPlaneRange("controlPlaneCidr", string(cidr))
	}
	p.key("secretsKeyId", a.SecretsKeyID)
	p.key("disksKeyId", a.DisksKeyID)
	p.account("nodeServiceAccount", a.NodeServiceAccount, "give that of Firewall")
	p.known("policyProject", a.PolicyProject, projectPattern, "is no project with a policy of images", "give that of ImagePolicy")
	if project, known := a.PolicyProject.(pulumi.String); known && string(project) != a.Project.ID && projectPattern.MatchString(string(project)) {
		p.add("policyProject", string(project)+" is another project", "give that of ImagePolicy in "+a.Project.ID)
	}
	if !securityGroupPattern.MatchString(a.SecurityGroup) {
		p.add("securityGroup", fmt.Sprintf("%q is not the group that GKE wants (CIS-GKE-5.8.2)", a.SecurityGroup), "write gke-security-groups@ and your domain")
	}
	p.authorized(a)
	p.access("access", a.Access)
	p.standard(a)
	p.maintenance("maintenance", *a.Maintenance)
	if a.NotificationTopic != nil {
		p.known("notificationTopic", a.NotificationTopic, topicPattern, "is not a topic", "write projects/<project>/topics/<name>")
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// standard checks what only a cluster with nodes of its own has.
func (p *problems) standard(a GkeClusterArgs) {
	if a.Autopilot {
		for field, given := range map[string]bool{"zones": len(a.Zones) > 0, "maxPodsPerNode": a.MaxPodsPerNode != 0} {
			if given {
				p.add(field, "is decided by Autopilot", "leave it out")
			}
		}
		return
	}
	if a.MaxPodsPerNode < 8 || a.MaxPodsPerNode > 256 {
		p.add("maxPodsPerNode", fmt.Sprintf("%d is not a number of pods that GKE takes", a.MaxPodsPerNode), "write 8 to 256")
	}
	p.zones("zones", a.Project.Region, a.Zones)
}

func (p *problems) zones(field, region string, zones []string) {
	for i, zone := range zones {
		at := fmt.Sprintf("%s[%d]", field, i)
		p.zone(at, region, zone)
		if slices.Contains(zones[:i], zone) {
			p.add(at, zone+" is repeated", "list each zone once")
		}
	}
}

func (p *problems) zone(field, region, zone string) {
	if !zonePattern.MatchString(zone) || !strings.HasPrefix(zone, region+"-") {
		p.add(field, fmt.Sprintf("%q is not a zone of %s", zone, region), fmt.Sprintf("write one such as %s-a", region))
	}
}

// authorized wants ranges that name somebody (CIS-GKE-5.6.3, 5.6.4).
func (p *problems) authorized(a GkeClusterArgs) {
	if len(a.AuthorizedNetworks) == 0 {
		p.add("authorizedNetworks", "are missing: nobody could reach the API server", "write the range of IapAccess or of a VPN")
	}
	var ranges []addressplan.Range
	for i, each := range a.AuthorizedNetworks {
		at := fmt.Sprintf("authorizedNetworks[%d]", i)
		if strings.TrimSpace(each.Name) == "" {
			p.add(at+".name", "is empty", "say whose range it is")
		}
		if prefix, ok := p.narrowRange(at+".cidr", each.CIDR); ok {
			if open(prefix) || !prefix.Addr().IsPrivate() {
				p.add(at+".cidr", each.CIDR+" is no private range", "write that of IapAccess or of a VPN; ranges of the internet are publicCidrs")
			}
			ranges = append(ranges, addressplan.Range{Field: at + ".cidr", CIDR: each.CIDR})
		}
	}
	for i, cidr := range a.PublicCIDRs {
		at := fmt.Sprintf("publicCidrs[%d]", i)
		if prefix, ok := p.narrowRange(at, cidr); ok {
			if open(prefix) || prefix.Addr().IsPrivate() {
				p.add(at, cidr+" names nobody on the internet (M11)", "write the ranges from which people come")
			}
			ranges = append(ranges, addressplan.Range{Field: at, CIDR: cidr})
		}
	}
	for _, overlap := range addressplan.Overlaps(ranges) {
		p.add(overlap.Second.Field, overlap.String(), "list each range once")
	}
	if len(a.PublicCIDRs) > 0 {
		p.weakens("publicCidrs", "the API server is on the internet", "M11/public-endpoint", a.Exceptions)
	}
}
