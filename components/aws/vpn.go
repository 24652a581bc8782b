package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2clientvpn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// connectionLogGroup is where connections of a VPN are logged.
const connectionLogGroup = "/aws/clientvpn/%s/connections"

// ClientVpnLogGroup is the name of the log group of a cluster's VPN, which
// LogGroups of [Keys] must have.
func ClientVpnLogGroup(cluster string) string { return fmt.Sprintf(connectionLogGroup, cluster) }

// ClientVpnArgs describes the way in for people. All of Cluster, VpcID,
// NetworkCIDR, SubnetIDs, ClusterSecurityGroupID, ClientCIDR,
// ServerCertificateArn and LogsKeyArn are required, and one of
// ClientCertificateArn and SamlProviderArn.
type ClientVpnArgs struct {
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string             `pulumi:"cluster"`
	VpcID   pulumi.StringInput `pulumi:"vpcId"`
	// NetworkCIDR is the range of the VPC, whose resolver knows the private name
	// of the API server.
	NetworkCIDR string `pulumi:"networkCidr"`
	// SubnetIDs are private subnets, one of each zone. Every one costs.
	SubnetIDs []pulumi.StringInput `pulumi:"subnetIds"`
	// Zones are those of the subnets, in their order. Without them a subnet is told
	// by its place: another order would take the way in away.
	Zones []string `pulumi:"zones,optional"`
	// ClusterSecurityGroupID is that of [Firewall], which lets the VPN in.
	ClusterSecurityGroupID pulumi.StringInput `pulumi:"clusterSecurityGroupId"`
	// ClientCIDR is the range of those who connect, of 12 to 22 bits, apart from
	// the network.
	ClientCIDR string `pulumi:"clientCidr"`
	// ServerCertificateArn is of ACM.
	ServerCertificateArn string `pulumi:"serverCertificateArn"`
	// ClientCertificateArn is the authority, in ACM, of certificates of clients.
	ClientCertificateArn string `pulumi:"clientCertificateArn,optional"`
	// SamlProviderArn is an identity provider in IAM, which can ask for a second
	// factor (M41), and AccessGroup the group of it that may connect.
	SamlProviderArn string `pulumi:"samlProviderArn,optional"`
	AccessGroup     string `pulumi:"accessGroup,optional"`
	// LogsKeyArn is that of [Keys], whose LogGroups must have
	// /aws/clientvpn/<cluster>/connections.
	LogsKeyArn pulumi.StringInput `pulumi:"logsKeyArn"`
	// RetentionDays is 365 by default. Less needs an exception for M17/retention.
	RetentionDays int               `pulumi:"retentionDays,optional"`
	Tags          map[string]string `pulumi:"tags,optional"`
	Exceptions    []hostconfig.Exception
}

var (
	certificatePattern = regexp.MustCompile(`^arn:aws(-us-gov)?:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$`)
	samlPattern        = regexp.MustCompile(`^arn:aws(-us-gov)?:iam::[0-9]{12}:saml-provider/[\w.-]+$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a ClientVpnArgs) Validate(now time.Time) error {
	setDefault(&a.RetentionDays, shortestRetention)
	var p problems
	p.cluster("cluster", a.Cluster)
	p.required("vpcId", a.VpcID, "give that of Network")
	p.required("clusterSecurityGroupId", a.ClusterSecurityGroupID, "give that of Firewall")
	p.key("logsKeyArn", a.LogsKeyArn)
	if len(a.SubnetIDs) == 0 {
		p.add("subnetIds", "are missing", "give private subnets of Network")
	}
	if len(a.Zones) > 0 && len(a.Zones) != len(a.SubnetIDs) {
		p.add("zones", fmt.Sprintf("there are %d for %d subnets", len(a.Zones), len(a.SubnetIDs)), "give the zone of each subnet, or none")
	}
	network, known := p.narrowRange("networkCidr", a.NetworkCIDR)
	clients, ok := p.narrowRange("clientCidr", a.ClientCIDR)
	switch {
	case ok && (!clients.Addr().Is4() || clients.Bits() < 12 || clients.Bits() > 22):
		p.add("clientCidr", a.ClientCIDR+" is no range that Client VPN takes", "write an IPv4 range of 12 to 22 bits, such as 10.250.0.0/22")
	case ok && known && clients.Overlaps(network):
		p.add("clientCidr", a.ClientCIDR+" overlaps the network", "write a range apart from "+a.NetworkCIDR)
	}
	if !certificatePattern.MatchString(a.ServerCertificateArn) {
		p.add("serverCertificateArn", fmt.Sprintf("%q is not the ARN of a certificate", a.ServerCertificateArn), "write that of one in ACM")
	}
	switch {
	case (a.ClientCertificateArn == "") == (a.SamlProviderArn == ""):
		p.add("samlProviderArn", "one way to authenticate is needed, and one only", "write samlProviderArn or clientCertificateArn")
	case a.SamlProviderArn != "" && !samlPattern.MatchString(a.SamlProviderArn):
		p.add("samlProviderArn", fmt.Sprintf("%q is not the ARN of an identity provider", a.SamlProviderArn), "write one such as arn:aws:iam::123456789012:saml-provider/name")
	case a.SamlProviderArn != "" && a.AccessGroup == "":
		p.add("accessGroup", "is missing: everybody whom the provider knows could connect (M09)", "write the id of a group")
	case a.SamlProviderArn == "" && a.AccessGroup != "":
		p.add("accessGroup", "has no effect: certificates know no groups", "leave it out")
	case a.ClientCertificateArn != "" && !certificatePattern.MatchString(a.ClientCertificateArn):
		p.add("clientCertificateArn", fmt.Sprintf("%q is not the ARN of a certificate", a.ClientCertificateArn), "write that of one in ACM")
	}
	p.retention("retentionDays", a.RetentionDays, a.Exceptions)
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// ClientVpn is the way to the API server for people, who reach nothing else
// through it but the network's resolver (M09).
type ClientVpn struct {
	pulumi.ResourceState

	EndpointID pulumi.StringOutput `pulumi:"endpointId"`
	DNSName    pulumi.StringOutput `pulumi:"dnsName"`
}

// NewClientVpn registers the VPN. The arguments are checked, all at once, before
// anything is registered.
func NewClientVpn(ctx *pulumi.Context, name string, args *ClientVpnArgs, opts ...pulumi.ResourceOption) (*ClientVpn, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	setDefault(&a.RetentionDays, shortestRetention)
	v := &ClientVpn{}
	if err := ctx.RegisterComponentResource(clientVpnToken, name, v, opts...); err != nil {
		return nil, err
	}
	parent := pulumi.Parent(v)
	logs, err := newLogGroup(ctx, name, connectionLogGroup, a.Cluster, a.LogsKeyArn, a.RetentionDays, a.Tags, parent)
	if err != nil {
		return nil, err
	}
	group, err := v.group(ctx, name, a)
	if err != nil {
		return nil, err
	}
	authentication := ec2clientvpn.EndpointAuthenticationOptionArgs{Type: pulumi.String("certificate-authentication"), RootCertificateChainArn: pulumi.String(a.ClientCertificateArn)}
	if a.SamlProviderArn != "" {
		authentication = ec2clientvpn.EndpointAuthenticationOptionArgs{Type: pulumi.String("federated-authentication"), SamlProviderArn: pulumi.String(a.SamlProviderArn)}
	}
	endpoint, err := ec2clientvpn.NewEndpoint(ctx, name, &ec2clientvpn.EndpointArgs{
		Description: pulumi.String("People to the cluster " + a.Cluster), VpcId: a.VpcID.ToStringOutput().ToStringPtrOutput(), SecurityGroupIds: pulumi.StringArray{group},
		ClientCidrBlock: pulumi.String(a.ClientCIDR), ServerCertificateArn: pulumi.String(a.ServerCertificateArn),
		AuthenticationOptions: ec2clientvpn.EndpointAuthenticationOptionArray{authentication},
		ConnectionLogOptions:  ec2clientvpn.EndpointConnectionLogOptionsArgs{Enabled: pulumi.Bool(true), CloudwatchLogGroup: logs.Name},
		// Only what is for the network goes through it, and a working day at most.
		SplitTunnel: pulumi.Bool(true), SessionTimeoutHours: pulumi.Int(8), DisconnectOnSessionTimeout: pulumi.Bool(true),
		DnsServers: pulumi.ToStringArray([]string{resolverOf(a.NetworkCIDR)}), TransportProtocol: pulumi.String("udp"), Tags: tagged(a.Tags, a.Cluster, a.Cluster+"-vpn"),
	}, parent)
	if err != nil {
		return nil, err
	}
	for i, subnet := range a.SubnetIDs {
		child := fmt.Sprintf("%s-%d", name, i)
		if len(a.Zones) > 0 {
			child = name + "-" + a.Zones[i]
		}
		// AWS takes one subnet of a zone: the old one goes first.
		if _, err := ec2clientvpn.NewNetworkAssociation(ctx, child, &ec2clientvpn.NetworkAssociationArgs{ClientVpnEndpointId: endpoint.ID(), SubnetId: subnet}, parent, pulumi.DeleteBeforeReplace(true)); err != nil {
			return nil, err
		}
	}
	rule := &ec2clientvpn.AuthorizationRuleArgs{ClientVpnEndpointId: endpoint.ID(), TargetNetworkCidr: pulumi.String(a.NetworkCIDR), Description: pulumi.String("the network")}
	if a.AccessGroup != "" {
		rule.AccessGroupId = pulumi.String(a.AccessGroup)
	} else {
		rule.AuthorizeAllGroups = pulumi.Bool(true) // whoever has a certificate of the authority
	}
	if _, err := ec2clientvpn.NewAuthorizationRule(ctx, name, rule, parent); err != nil {
		return nil, err
	}
	v.EndpointID, v.DNSName = endpoint.ID().ToStringOutput(), endpoint.DnsName
	return v, ctx.RegisterResourceOutputs(v, pulumi.Map{"endpointId": v.EndpointID, "dnsName": v.DNSName})
}

// resolverOf gives the resolver of a network: its third address.
// https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
func resolverOf(cidr string) string {
	return netip.MustParsePrefix(cidr).Addr().Next().Next().String()
}

// group lets those who are connected reach the API server, and lets it be reached.
func (v *ClientVpn) group(ctx *pulumi.Context, name string, a ClientVpnArgs) (pulumi.StringOutput, error) {
	c := callers{cluster: a.Cluster, use: "vpn", who: "people", tags: a.Tags, vpc: a.VpcID}
	return c.register(ctx, name, map[string]pulumi.StringInput{"api": a.ClusterSecurityGroupID}, pulumi.Parent(v))
}
