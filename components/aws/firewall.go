package aws

import (
	"fmt"
	"net/netip"
	"regexp"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// FirewallArgs describe who may reach whom. Network and ClusterGroupID are required.
type FirewallArgs struct {
	Network *Network `pulumi:"-"`
	// ClusterGroupID is the security group that EKS makes for a cluster's interfaces.
	ClusterGroupID pulumi.StringInput `pulumi:"clusterGroupId"`
	// Operators are ranges from which people and automation reach the API.
	Operators []string `pulumi:"operators"`
	// Webhooks are the ports of pods that the API server calls.
	Webhooks []int             `pulumi:"webhooks"`
	Tags     map[string]string `pulumi:"tags"`
}

// Firewall are the security groups of a cluster, from the port table: a rule for each flow, with its reason, and
// nothing else (M03, M04).
type Firewall struct {
	pulumi.ResourceState

	// NodesGroupID goes into the launch templates.
	NodesGroupID pulumi.IDOutput `pulumi:"nodesGroupId"`

	// Ready are the rules that a node needs before it starts.
	Ready []pulumi.Resource `pulumi:"-"`
}

// Validate says everything that is wrong with the arguments.
func (a FirewallArgs) Validate() error {
	var p problems
	if a.Network == nil {
		p.add("network", "give the Network component", "the network is missing")
	}
	if a.ClusterGroupID == nil {
		p.add("clusterGroupId", "give the cluster's own security group", "the group is missing")
	}
	for i, text := range a.Operators {
		field := fmt.Sprintf("operators[%d]", i)
		switch prefix, err := netip.ParsePrefix(text); {
		case err != nil || prefix.Masked() != prefix || !prefix.Addr().Is4():
			p.add(field, "write a range such as 10.90.0.0/22", "%q is not an IPv4 range", text)
		case prefix.Bits() < 8:
			p.add(field, "name the ranges of your operators", "%q is most of the world", text)
		}
	}
	for i, port := range a.Webhooks {
		if port < 1 || port > 65535 {
			p.add(fmt.Sprintf("webhooks[%d]", i), "write a port between 1 and 65535", "%d is not a port", port)
		}
	}
	return p.join()
}

// groupFlow is a flow between two ends that are security groups, or ranges of operators, here.
type groupFlow struct {
	hostconfig.Flow
	fromNodes, toNodes bool
}

// groupFlows are those of the port table that cross a security group of ours. The control plane is one end: what its
// members say to each other is EKS's affair. With AWS's network agent a pod has the groups of its node, so that pods and
// workers are one end too; flows that fall together are one. Names, time, metadata and addresses come from AWS's own
// services on the link, which no security group sees:
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func groupFlows(webhooks []int) []groupFlow {
	nodes := map[hostconfig.Endpoint]bool{hostconfig.Workers: true, hostconfig.Pods: true, hostconfig.OwnPods: true}
	ours := func(e hostconfig.Endpoint) bool {
		return nodes[e] || e == hostconfig.ControlPlanes || e == hostconfig.Operators
	}
	wide := map[[2]bool]bool{} // pairs of ends between which everything flows
	var out []groupFlow
	seen := map[string]bool{}
	for _, flow := range hostconfig.PortTable(hostconfig.Topology{Platform: hostconfig.PlatformAWS, Managed: true, Ports: hostconfig.Ports{Webhooks: webhooks}}) {
		if !ours(flow.From) || !ours(flow.To) {
			continue
		}
		f := groupFlow{Flow: flow, fromNodes: nodes[flow.From], toNodes: nodes[flow.To]}
		key := fmt.Sprint(f.fromNodes, f.toNodes, flow.From == hostconfig.Operators, flow.Protocol, flow.Port)
		if seen[key] || wide[[2]bool{f.fromNodes, f.toNodes}] {
			continue
		}
		seen[key] = true
		if flow.Protocol == hostconfig.ProtocolAny {
			wide[[2]bool{f.fromNodes, f.toNodes}] = true
		}
		out = append(out, f)
	}
	return out
}

// NewFirewall makes the nodes' group and the rules.
func NewFirewall(ctx *pulumi.Context, name string, args *FirewallArgs, opts ...pulumi.ResourceOption) (*Firewall, error) {
	if err := args.Validate(); err != nil {
		return nil, err
	}
	f := &Firewall{}
	if err := ctx.RegisterComponentResource(firewallToken, name, f, opts...); err != nil {
		return nil, err
	}
	child := pulumi.Parent(f)
	group, err := ec2.NewSecurityGroup(ctx, name+"-nodes", &ec2.SecurityGroupArgs{VpcId: args.Network.VpcID.ToStringOutput().ToStringPtrOutput(),
		Description: pulumi.StringPtr("nodes and pods of " + name), Tags: pulumi.ToStringMap(args.Tags)}, child)
	if err != nil {
		return nil, err
	}
	f.NodesGroupID = group.ID()
	b := &ruleBuilder{ctx: ctx, name: name, child: child, firewall: f}
	nodes, cluster := group.ID().ToStringOutput(), args.ClusterGroupID.ToStringOutput()
	for _, flow := range groupFlows(args.Webhooks) {
		switch {
		case flow.From == hostconfig.Operators:
			for i, text := range args.Operators {
				b.ingress(fmt.Sprintf("%s-%d", flow.Name, i), cluster, end{cidr: text}, flow.Flow)
			}
		case flow.fromNodes && flow.toNodes:
			b.ingress(flow.Name, nodes, end{group: nodes}, flow.Flow)
			b.egress(flow.Name, nodes, end{group: nodes}, flow.Flow)
		case flow.fromNodes:
			b.egress(flow.Name, nodes, end{group: cluster}, flow.Flow)
			b.ingress(flow.Name, cluster, end{group: nodes}, flow.Flow)
		default: // the cluster's own group lets everything out
			b.ingress(flow.Name, nodes, end{group: cluster}, flow.Flow)
		}
	}
	services := hostconfig.Flow{Protocol: hostconfig.ProtocolTCP, Port: 443, Reason: "nodes and pods call AWS through the interface endpoints"}
	b.egress("endpoints", nodes, end{group: args.Network.EndpointGroupID.ToStringOutput()}, services)
	b.ingress("endpoints", args.Network.EndpointGroupID.ToStringOutput(), end{group: nodes}, services)
	b.egress("s3", nodes, end{list: args.Network.S3PrefixListID}, hostconfig.Flow{Protocol: hostconfig.ProtocolTCP, Port: 443, Reason: "ECR serves the layers of images from S3"})
	if b.err != nil {
		return nil, b.err
	}
	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{"nodesGroupId": f.NodesGroupID})
}

// end is the other end of a rule: a group, a range or a prefix list.
type end struct {
	group pulumi.StringInput
	cidr  string
	list  pulumi.StringInput
}

func (e end) inputs() (group, cidr, list pulumi.StringPtrInput) {
	switch {
	case e.group != nil:
		group = e.group.ToStringOutput().ToStringPtrOutput()
	case e.list != nil:
		list = e.list.ToStringOutput().ToStringPtrOutput()
	default:
		cidr = pulumi.StringPtr(e.cidr)
	}
	return group, cidr, list
}

// ruleBuilder registers rules and keeps the first error.
type ruleBuilder struct {
	ctx      *pulumi.Context
	name     string
	child    pulumi.ResourceOption
	firewall *Firewall
	err      error
}

func (b *ruleBuilder) keep(made pulumi.Resource, err error) {
	if b.err == nil {
		b.err = err
	}
	if err == nil {
		b.firewall.Ready = append(b.firewall.Ready, made)
	}
}

func (b *ruleBuilder) ingress(name string, at pulumi.StringInput, from end, flow hostconfig.Flow) {
	group, cidr, list := from.inputs()
	protocol, low, high := wire(flow)
	b.keep(vpc.NewSecurityGroupIngressRule(b.ctx, b.name+"-"+name+"-in", &vpc.SecurityGroupIngressRuleArgs{SecurityGroupId: at, ReferencedSecurityGroupId: group,
		CidrIpv4: cidr, PrefixListId: list, IpProtocol: pulumi.String(protocol), FromPort: low, ToPort: high, Description: reason(flow)}, b.child))
}

func (b *ruleBuilder) egress(name string, at pulumi.StringInput, to end, flow hostconfig.Flow) {
	group, cidr, list := to.inputs()
	protocol, low, high := wire(flow)
	b.keep(vpc.NewSecurityGroupEgressRule(b.ctx, b.name+"-"+name+"-out", &vpc.SecurityGroupEgressRuleArgs{SecurityGroupId: at, ReferencedSecurityGroupId: group,
		CidrIpv4: cidr, PrefixListId: list, IpProtocol: pulumi.String(protocol), FromPort: low, ToPort: high, Description: reason(flow)}, b.child))
}

// wire is a flow in the words of a security group. No flow of a managed cluster is an echo.
func wire(flow hostconfig.Flow) (protocol string, low, high pulumi.IntPtrInput) {
	switch {
	case flow.Protocol == hostconfig.ProtocolAny:
		return "-1", nil, nil
	case flow.Port == 0:
		return flow.Protocol, pulumi.IntPtr(0), pulumi.IntPtr(65535)
	}
	return flow.Protocol, pulumi.IntPtr(flow.Port), pulumi.IntPtr(flow.Port)
}

// forbidden are the characters that EC2 refuses in a description.
var forbidden = regexp.MustCompile(`[^a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]`)

func reason(flow hostconfig.Flow) pulumi.StringPtrInput {
	text := forbidden.ReplaceAllString(flow.Reason, "")
	return pulumi.StringPtr(text[:min(len(text), 255)])
}
