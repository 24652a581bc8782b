package aws

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// RunnerArgs describes the way in for automation. All of Cluster, VpcID,
// ClusterSecurityGroupID, EndpointSecurityGroupID and S3PrefixListID are required.
type RunnerArgs struct {
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// VpcID, EndpointSecurityGroupID and S3PrefixListID are those of [Network],
	// whose Uses must have automation.
	VpcID                   pulumi.StringInput `pulumi:"vpcId"`
	EndpointSecurityGroupID pulumi.StringInput `pulumi:"endpointSecurityGroupId"`
	S3PrefixListID          pulumi.StringInput `pulumi:"s3PrefixListId"`
	// ClusterSecurityGroupID is that of [Firewall], which lets the runner in.
	ClusterSecurityGroupID pulumi.StringInput `pulumi:"clusterSecurityGroupId"`
	// Egress is what it reaches outside, such as the host of its sources, over
	// HTTPS. None by default; the network must have a way out.
	Egress     []EgressArgs      `pulumi:"egress,optional"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a RunnerArgs) Validate(now time.Time) error {
	var p problems
	p.cluster("cluster", a.Cluster)
	p.required("vpcId", a.VpcID, "give that of Network")
	p.required("endpointSecurityGroupId", a.EndpointSecurityGroupID, "give that of Network")
	p.required("s3PrefixListId", a.S3PrefixListID, "give that of Network")
	p.required("clusterSecurityGroupId", a.ClusterSecurityGroupID, "give that of Firewall")
	for i, e := range a.Egress {
		p.egressTo(fmt.Sprintf("egress[%d]", i), e, a.Exceptions)
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Runner is the way to the API server for automation that runs inside the
// network, such as builds of CodeBuild or machines of a CI: a security group that
// nobody calls and that reaches the cluster, the endpoints, S3 and what is named
// (M09). What runs there gets into the cluster by the access entry of its role.
type Runner struct {
	pulumi.ResourceState

	// SecurityGroupID is known once its rules are there.
	SecurityGroupID pulumi.StringOutput `pulumi:"securityGroupId"`
}

// NewRunner registers the way in. The arguments are checked, all at once, before
// anything is registered.
func NewRunner(ctx *pulumi.Context, name string, args *RunnerArgs, opts ...pulumi.ResourceOption) (*Runner, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	r := &Runner{}
	if err := ctx.RegisterComponentResource(runnerToken, name, r, opts...); err != nil {
		return nil, err
	}
	c := callers{cluster: a.Cluster, use: "runner", who: "automation", tags: a.Tags, vpc: a.VpcID}
	group, err := c.register(ctx, name+"-runner", map[string]pulumi.StringInput{"api": a.ClusterSecurityGroupID, "endpoints": a.EndpointSecurityGroupID}, pulumi.Parent(r))
	if err != nil {
		return nil, err
	}
	ready := []any{group}
	rules := map[string]vpc.SecurityGroupEgressRuleArgs{"s3": {
		PrefixListId: a.S3PrefixListID.ToStringOutput().ToStringPtrOutput(), Description: pulumi.String("automation to its state and artefacts in S3"),
		IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(443), ToPort: pulumi.Int(443),
	}}
	for _, e := range a.Egress {
		setDefault(&e.Protocol, hostconfig.ProtocolTCP)
		setDefault(&e.Port, 443)
		for _, cidr := range e.CIDRs {
			rule := vpc.SecurityGroupEgressRuleArgs{Description: pulumi.String(description("automation to " + e.Name + ": " + e.Reason)),
				IpProtocol: pulumi.String(e.Protocol), FromPort: pulumi.Int(e.Port), ToPort: pulumi.Int(e.Port)}
			if isIPv6(cidr) {
				rule.CidrIpv6 = pulumi.String(cidr)
			} else {
				rule.CidrIpv4 = pulumi.String(cidr)
			}
			// AWS tells rules apart by this, and not by the name.
			rules[fmt.Sprintf("%s-%s-%d", cidr, e.Protocol, e.Port)] = rule
		}
	}
	for _, to := range sorted(rules) {
		rule := rules[to]
		rule.SecurityGroupId, rule.Tags = group, tagged(a.Tags, a.Cluster, "runner-"+to)
		made, err := vpc.NewSecurityGroupEgressRule(ctx, name+"-runner-"+to, &rule, pulumi.Parent(r))
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.ID())
	}
	r.SecurityGroupID = once(ready...)
	return r, ctx.RegisterResourceOutputs(r, pulumi.Map{"securityGroupId": r.SecurityGroupID})
}
