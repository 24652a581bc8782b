package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/vpc"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// callers is a group of those who call other groups over HTTPS, and whom nobody calls.
type callers struct {
	cluster, use, who string
	vpc               pulumi.StringInput
	tags              map[string]string
}

// callNames say what is called, for descriptions of rules.
var callNames = map[string]string{"api": "the API server", "endpoints": "services of AWS"}

// register makes the group, and with it, at both ends, the rules to the groups
// that it calls. It gives the group once all of them are there.
func (c callers) register(ctx *pulumi.Context, name string, calls map[string]pulumi.StringInput, opts ...pulumi.ResourceOption) (pulumi.StringOutput, error) {
	none := pulumi.StringOutput{}
	full := c.cluster + "-" + c.use
	group, err := ec2.NewSecurityGroup(ctx, name, &ec2.SecurityGroupArgs{
		Name: pulumi.String(full), Description: pulumi.String(c.who + " who call the cluster"), VpcId: c.vpc.ToStringOutput().ToStringPtrOutput(),
		RevokeRulesOnDelete: pulumi.Bool(true), Tags: tagged(c.tags, c.cluster, full),
	}, opts...)
	if err != nil {
		return none, err
	}
	ready := []any{group.ID()}
	for _, to := range sorted(calls) {
		called := calls[to].ToStringOutput()
		args := vpc.SecurityGroupEgressRuleArgs{
			SecurityGroupId: group.ID(), ReferencedSecurityGroupId: called.ToStringPtrOutput(), IpProtocol: pulumi.String("tcp"), FromPort: pulumi.Int(443), ToPort: pulumi.Int(443),
			Description: pulumi.String(c.who + " to " + callNames[to]), Tags: tagged(c.tags, c.cluster, c.use+"-"+to),
		}
		out, err := vpc.NewSecurityGroupEgressRule(ctx, name+"-"+to, &args, opts...)
		if err != nil {
			return none, err
		}
		ingress := vpc.SecurityGroupIngressRuleArgs(args)
		ingress.SecurityGroupId, ingress.ReferencedSecurityGroupId = called, group.ID().ToStringPtrOutput()
		in, err := vpc.NewSecurityGroupIngressRule(ctx, name+"-"+to, &ingress, opts...)
		if err != nil {
			return none, err
		}
		ready = append(ready, out.ID(), in.ID())
	}
	return once(ready...), nil
}
