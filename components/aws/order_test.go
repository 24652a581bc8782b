package aws

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// consumer registers something that uses an output, to see what that waits for.
func consumer(ctx *pulumi.Context, name string, output pulumi.StringOutput) error {
	_, err := iam.NewRole(ctx, name, &iam.RoleArgs{AssumeRolePolicy: pulumi.String("{}"), Description: output.ToStringPtrOutput()})
	return err
}

func joined(ids pulumi.StringArrayOutput) pulumi.StringOutput {
	return ids.ApplyT(func(ids []string) string { return strings.Join(ids, " ") }).(pulumi.StringOutput)
}

// Real dependencies, no timers: a node waits for every endpoint, route and rule
// that it needs to boot; the control plane, which takes long, does not.
func TestOrder(t *testing.T) {
	c := run(t, func(ctx *pulumi.Context) error {
		args := testNetwork()
		args.Egress = EgressNAT
		net, err := NewNetwork(ctx, "net", &args)
		if err != nil {
			return err
		}
		wall, err := NewFirewall(ctx, "wall", &FirewallArgs{Cluster: "prod", VpcID: net.VpcID, EndpointSecurityGroupID: net.EndpointSecurityGroupID, S3PrefixListID: net.S3PrefixListID})
		if err != nil {
			return err
		}
		for name, output := range map[string]pulumi.StringOutput{
			"node-subnets": joined(net.NodeSubnetIDs), "cluster-subnets": joined(net.PrivateSubnetIDs),
			"node-group": wall.NodeSecurityGroupID, "cluster-group": wall.ClusterSecurityGroupID,
		} {
			if err := consumer(ctx, name, output); err != nil {
				return err
			}
		}
		return nil
	})
	for name, kinds := range map[string][]string{
		"node-subnets": {"Subnet", "VpcEndpoint", "Route", "RouteTableAssociation", "NetworkAcl"},
		"node-group":   {"SecurityGroupIngressRule", "SecurityGroupEgressRule"},
	} {
		for _, kind := range kinds {
			for _, each := range c.Of(kind) {
				if kind == "Subnet" && !strings.Contains(each.Name, "private") {
					continue
				}
				if !c.One(t, "Role", name).WaitsFor(each) {
					t.Errorf("%s does not wait for %s %s", name, kind, each.Name)
				}
			}
		}
	}
	for _, rule := range append(c.Of("SecurityGroupIngressRule"), c.Of("SecurityGroupEgressRule")...) {
		if own := rule.Text("securityGroupId") == "wall-"+clusterGroup+"_id"; own != c.One(t, "Role", "cluster-group").WaitsFor(rule) {
			t.Errorf("cluster-group and the rule %s: %t is whose it is", rule.Name, own)
		}
	}
	for _, name := range []string{"cluster-subnets", "cluster-group"} {
		for _, endpoint := range c.Of("VpcEndpoint") {
			if c.One(t, "Role", name).WaitsFor(endpoint) {
				t.Errorf("%s waits for the endpoint %s, which takes minutes", name, endpoint.Name)
			}
		}
	}
}

// The archive takes flows once its policy, encryption and lock are in place.
func TestArchiveIsReadyBeforeItIsUsed(t *testing.T) {
	c := run(t, func(ctx *pulumi.Context) error {
		args := testLogs()
		logs, err := NewLogs(ctx, "logs", &args)
		if err != nil {
			return err
		}
		return consumer(ctx, "flows", logs.ArchiveArn)
	})
	for _, kind := range []string{"BucketPolicy", "BucketVersioningV2", "BucketServerSideEncryptionConfigurationV2", "BucketObjectLockConfigurationV2"} {
		if !c.One(t, "Role", "flows").WaitsFor(c.Of(kind)[0]) {
			t.Errorf("flows may arrive before the %s", kind)
		}
	}
}
