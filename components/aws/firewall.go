package aws

import (
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

const echoRequest = 8 // RFC 792

// Firewall is the security groups of a cluster, made from the port table: a rule
// for each flow, at both of its ends, and no other (M08).
type Firewall struct {
	pulumi.ResourceState

	// ClusterSecurityGroupID is for the interfaces of the control plane, known
	// once its own rules are in place, and NodeSecurityGroupID for nodes, once all
	// are.
	ClusterSecurityGroupID pulumi.StringOutput `pulumi:"clusterSecurityGroupId"`
	NodeSecurityGroupID    pulumi.StringOutput `pulumi:"nodeSecurityGroupId"`
	// PodSecurityGroupID is that of nodes where pods share it.
	PodSecurityGroupID pulumi.StringOutput `pulumi:"podSecurityGroupId"`
	// LoadBalancerSecurityGroupID is for the load balancer of a self-managed
	// control plane, empty otherwise.
	LoadBalancerSecurityGroupID pulumi.StringOutput `pulumi:"loadBalancerSecurityGroupId"`
}

// NewFirewall registers the groups and their rules. The arguments are checked,
// all at once, before anything is registered.
func NewFirewall(ctx *pulumi.Context, name string, args *FirewallArgs, opts ...pulumi.ResourceOption) (*Firewall, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	f := &Firewall{}
	if err := ctx.RegisterComponentResource(firewallToken, name, f, opts...); err != nil {
		return nil, err
	}
	groups := map[string]pulumi.StringOutput{endpointGroup: a.EndpointSecurityGroupID.ToStringOutput()}
	for _, g := range []struct{ name, description string }{
		{clusterGroup, "Interfaces of the control plane"}, {nodeGroup, "Nodes"}, {podGroup, "Pods with interfaces of their own"},
		{balancerGroup, "Load balancer of the API"},
	} {
		if g.name == podGroup && !a.SeparatePods || g.name == balancerGroup && !a.SelfManaged {
			continue
		}
		// Without inline rules, and so without AWS's own, which lets everything out.
		group, err := ec2.NewSecurityGroup(ctx, name+"-"+g.name, &ec2.SecurityGroupArgs{
			Name: pulumi.String(a.Cluster + "-" + g.name), Description: pulumi.String(g.description), VpcId: a.VpcID.ToStringOutput().ToStringPtrOutput(),
			RevokeRulesOnDelete: pulumi.Bool(true), Tags: tagged(a.Tags, a.Cluster, a.Cluster+"-"+g.name),
		}, pulumi.Parent(f))
		if err != nil {
			return nil, err
		}
		groups[g.name] = group.ID().ToStringOutput()
	}
	var made, ofCluster []any
	for _, r := range rules(a) {
		id, err := r.register(ctx, name, a, groups, pulumi.Parent(f))
		if err != nil {
			return nil, err
		}
		if made = append(made, id); r.group == clusterGroup || r.group == balancerGroup {
			ofCluster = append(ofCluster, id)
		}
	}
	// The control plane takes longest of all: it waits for its own rules, not for those of nodes, which wait for endpoints.
	f.ClusterSecurityGroupID = once(append([]any{groups[clusterGroup]}, ofCluster...)...)
	f.NodeSecurityGroupID = once(append([]any{groups[nodeGroup]}, made...)...)
	f.PodSecurityGroupID, f.LoadBalancerSecurityGroupID = f.NodeSecurityGroupID, pulumi.String("").ToStringOutput()
	if a.SelfManaged {
		f.LoadBalancerSecurityGroupID = once(append([]any{groups[balancerGroup]}, ofCluster...)...)
	}
	if a.SeparatePods {
		f.PodSecurityGroupID = once(append([]any{groups[podGroup]}, made...)...)
	}
	return f, ctx.RegisterResourceOutputs(f, pulumi.Map{
		"clusterSecurityGroupId": f.ClusterSecurityGroupID, "nodeSecurityGroupId": f.NodeSecurityGroupID, "podSecurityGroupId": f.PodSecurityGroupID,
		"loadBalancerSecurityGroupId": f.LoadBalancerSecurityGroupID,
	})
}

// register makes the rule a resource.
func (r rule) register(ctx *pulumi.Context, name string, a FirewallArgs, groups map[string]pulumi.StringOutput, opts ...pulumi.ResourceOption) (pulumi.IDOutput, error) {
	args := vpc.SecurityGroupIngressRuleArgs{
		SecurityGroupId: groups[r.group], Description: pulumi.String(description(r.name + ": " + r.reason)),
		IpProtocol: pulumi.String("-1"), Tags: tagged(a.Tags, a.Cluster, r.name),
	}
	switch {
	case r.protocol == hostconfig.ProtocolAny:
	case r.protocol == hostconfig.ProtocolEcho:
		// Of ICMP, type and code stand in the place of ports.
		args.IpProtocol, args.FromPort, args.ToPort = pulumi.String("icmp"), pulumi.Int(echoRequest), pulumi.Int(0)
	default:
		args.IpProtocol, args.FromPort, args.ToPort = pulumi.String(r.protocol), pulumi.Int(r.port), pulumi.Int(r.port)
		if r.port == 0 {
			args.ToPort = pulumi.Int(65535)
		}
	}
	suffix := ""
	if a.SelfManaged { // machines are of two groups, and so a flow is of several rules
		suffix = "-" + r.group
		if r.peer.group != "" {
			suffix += "-" + r.peer.group
		}
	}
	switch {
	case r.peer.group != "":
		args.ReferencedSecurityGroupId = groups[r.peer.group].ToStringPtrOutput()
	case r.peer.list:
		args.PrefixListId = a.S3PrefixListID.ToStringOutput().ToStringPtrOutput()
	case isIPv6(r.peer.cidr):
		suffix, args.CidrIpv6 = suffix+"-"+r.peer.cidr, pulumi.String(r.peer.cidr)
	default:
		suffix, args.CidrIpv4 = suffix+"-"+r.peer.cidr, pulumi.String(r.peer.cidr)
	}
	if r.ingress {
		made, err := vpc.NewSecurityGroupIngressRule(ctx, name+"-"+r.name+"-in"+suffix, &args, opts...)
		if err != nil {
			return pulumi.IDOutput{}, err
		}
		return made.ID(), nil
	}
	egress := vpc.SecurityGroupEgressRuleArgs(args)
	made, err := vpc.NewSecurityGroupEgressRule(ctx, name+"-"+r.name+"-out"+suffix, &egress, opts...)
	if err != nil {
		return pulumi.IDOutput{}, err
	}
	return made.ID(), nil
}

var undescribable = regexp.MustCompile(`[^a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]+`)

// description is a text as rules of AWS take it: of few characters, fewer than 256.
// https://docs.aws.amazon.com/vpc/latest/userguide/creating-security-groups.html
func description(text string) string {
	const longest = 255
	text = undescribable.ReplaceAllString(strings.ReplaceAll(text, "'", ""), "-")
	if len(text) > longest {
		text = text[:longest-3] + "..."
	}
	return text
}
