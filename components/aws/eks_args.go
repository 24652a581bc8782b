package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// EksClusterArgs describes a control plane. Account, Cluster, SubnetIDs,
// SecurityGroupID, SecretsKeyArn, LogGroupName, ClusterRoleArn, NetworkRoleArn,
// Access and AddonVersions are required.
type EksClusterArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// KubernetesVersion is a full version, as for nodes, of which EKS takes the
	// minor; [hostconfig.DefaultKubernetesVersion] by default. EKS goes up one
	// minor at a time and never down.
	KubernetesVersion string `pulumi:"kubernetesVersion,optional"`
	// SubnetIDs are the PrivateSubnetIDs of [Network], in two zones or more.
	SubnetIDs pulumi.StringArrayInput `pulumi:"subnetIds"`
	// SecurityGroupID is the ClusterSecurityGroupID of [Firewall].
	SecurityGroupID pulumi.StringInput `pulumi:"securityGroupId"`
	// SecretsKeyArn is that of [Keys]. A cluster keeps its key for ever.
	SecretsKeyArn pulumi.StringInput `pulumi:"secretsKeyArn"`
	// LogGroupName is the ClusterLogGroupName of [Logs]: a group that is not there
	// first is made by EKS, without key and end.
	LogGroupName pulumi.StringInput `pulumi:"logGroupName"`
	// ClusterRoleArn and NetworkRoleArn are those of [Roles].
	ClusterRoleArn pulumi.StringInput `pulumi:"clusterRoleArn"`
	NetworkRoleArn pulumi.StringInput `pulumi:"networkRoleArn"`
	// ServiceCIDR is the range of services, private and of 12 to 24 bits. EKS
	// chooses one without. It is never changed.
	ServiceCIDR string `pulumi:"serviceCidr,optional"`
	// Access is who gets in. At least one entry administers the cluster.
	Access []AccessArgs `pulumi:"access"`
	// AddonVersions pin vpc-cni, kube-proxy, eks-pod-identity-agent and, where
	// GuardDuty is set, aws-guardduty-agent.
	AddonVersions map[string]string `pulumi:"addonVersions"`
	// GuardDuty installs its agent on nodes, which reports to the endpoint
	// guardduty-data of [Network]. Leave it off where GuardDuty manages the agent.
	GuardDuty bool `pulumi:"guardDuty,optional"`
	// PublicCIDRs are ranges of the internet that reach the API server. None by
	// default, and then there is no public endpoint; any needs an exception for
	// M10/public-endpoint.
	PublicCIDRs []string `pulumi:"publicCidrs,optional"`
	// Unprotected lets the cluster be deleted together with its stack, for
	// environments that come and go.
	Unprotected bool              `pulumi:"unprotected,optional"`
	Tags        map[string]string `pulumi:"tags,optional"`
	Exceptions  []hostconfig.Exception
}

func (a EksClusterArgs) withDefaults() EksClusterArgs {
	setDefault(&a.KubernetesVersion, hostconfig.DefaultKubernetesVersion)
	return a
}

// nodeAddons are those that nodes need before they take pods.
func (a EksClusterArgs) nodeAddons() []string {
	names := []string{addonNetwork, addonProxy, addonPodIdentity}
	if a.GuardDuty {
		names = append(names, addonGuardDuty)
	}
	return names
}

// keyPattern is a key itself: what an alias names can change.
var keyPattern = regexp.MustCompile(`^arn:aws(-us-gov)?:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`)

func (p *problems) key(field string, given pulumi.StringInput) {
	if text, known := given.(pulumi.String); given == nil || known && !keyPattern.MatchString(string(text)) {
		p.add(field, "is not the ARN of a key", "give that of Keys")
	}
}

// required reports inputs that nobody gave.
func (p *problems) required(field string, given any, remedy string) {
	if given == nil {
		p.add(field, "is missing", remedy)
	}
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a EksClusterArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	if err := hostconfig.CheckVersion("kubernetesVersion", a.KubernetesVersion, a.Exceptions, now); err != nil {
		p = append(p, err)
	}
	p.required("subnetIds", a.SubnetIDs, "give the private subnets of Network")
	if known, ok := a.SubnetIDs.(pulumi.StringArray); ok && len(known) < 2 {
		p.add("subnetIds", fmt.Sprintf("there are %d, and EKS wants two zones", len(known)), "give the private subnets of Network")
	}
	p.required("securityGroupId", a.SecurityGroupID, "give that of Firewall for the cluster")
	p.key("secretsKeyArn", a.SecretsKeyArn)
	p.required("logGroupName", a.LogGroupName, "give that of Logs")
	if text, known := a.LogGroupName.(pulumi.String); known {
		if err := a.logGroupProblem(string(text)); err != nil {
			p.add("logGroupName", err.Error(), "give that of Logs")
		}
	}
	p.role("clusterRoleArn", a.ClusterRoleArn, "give that of Roles")
	p.role("networkRoleArn", a.NetworkRoleArn, "give that of Roles")
	p.serviceRange("serviceCidr", a.ServiceCIDR)
	p.access("access", a.Access)
	p.versions("addonVersions", a.AddonVersions, a.nodeAddons()...)
	for i, cidr := range a.PublicCIDRs {
		at := fmt.Sprintf("publicCidrs[%d]", i)
		if prefix, ok := p.narrowRange(at, cidr); ok && (open(prefix) || prefix.Addr().Is6() || prefix.Addr().IsPrivate()) {
			p.add(at, cidr+" names nobody on the internet (M10)", "write the IPv4 ranges from which people come")
		}
		if slices.Contains(a.PublicCIDRs[:i], cidr) {
			p.add(at, cidr+" is repeated", "list it once")
		}
	}
	if len(a.PublicCIDRs) > 0 {
		p.weakens("publicCidrs", "the API server is on the internet", "M10/public-endpoint", a.Exceptions)
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// serviceRange wants what EKS takes.
// https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
func (p *problems) serviceRange(field, cidr string) {
	if cidr == "" {
		return
	}
	prefix, ok := p.narrowRange(field, cidr)
	if !ok {
		return
	}
	private := slices.ContainsFunc([]string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}, func(block string) bool {
		whole := netip.MustParsePrefix(block)
		return whole.Contains(prefix.Addr()) && prefix.Bits() >= whole.Bits()
	})
	if !private || prefix.Bits() < 12 || prefix.Bits() > 24 {
		p.add(field, cidr+" is no range that EKS takes for services", "write a private range of 12 to 24 bits, such as 172.20.0.0/16, apart from that of the network")
	}
}

// logGroupProblem says that a log group is not the one to which EKS writes.
func (a EksClusterArgs) logGroupProblem(name string) error {
	if want := fmt.Sprintf(clusterLogGroup, a.Cluster); name != want {
		return fmt.Errorf("%q is not %s, to which EKS writes", name, want)
	}
	return nil
}
