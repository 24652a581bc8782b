package aws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// What the security groups let through is the port table and nothing more, computed from what exists (M04).
func TestReachabilityIsThePortTable(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	result := simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		keys, err := aws.NewKeys(ctx, "main", &aws.KeysArgs{Region: region, AccountID: simaws.Account, Cluster: "main", MakeAutoScalingRole: true})
		if err != nil {
			return err
		}
		logs, err := aws.NewLogs(ctx, "main", &aws.LogsArgs{Region: region, AccountID: simaws.Account, Cluster: "main", Keys: keys})
		if err != nil {
			return err
		}
		network, err := aws.NewNetwork(ctx, "main", &aws.NetworkArgs{Region: region, AccountID: simaws.Account, CIDR: "10.0.0.0/16", Zones: []string{region + "a", region + "b"}, Logs: logs})
		if err != nil {
			return err
		}
		// In the place of the group that EKS makes: it lets everything out, and in what the firewall adds.
		everything := ec2.SecurityGroupEgressArray{&ec2.SecurityGroupEgressArgs{Protocol: pulumi.String("-1"), FromPort: pulumi.Int(0), ToPort: pulumi.Int(0), CidrBlocks: pulumi.ToStringArray([]string{"0.0.0.0/0"})}}
		cluster, err := ec2.NewSecurityGroup(ctx, "cluster", &ec2.SecurityGroupArgs{VpcId: network.VpcID.ToStringOutput().ToStringPtrOutput(), Egress: everything})
		if err != nil {
			return err
		}
		firewall, err := aws.NewFirewall(ctx, "main", &aws.FirewallArgs{Network: network, ClusterGroupID: cluster.ID().ToStringOutput(), Operators: []string{"10.90.0.0/22"}, Webhooks: []int{9443}})
		if err != nil {
			return err
		}
		ctx.Export("vpc", network.VpcID)
		ctx.Export("cluster", cluster.ID())
		ctx.Export("nodes", firewall.NodesGroupID)
		ctx.Export("endpoints", network.EndpointGroupID)
		return nil
	})
	allowed := map[string]bool{"nodes>cluster tcp 443": true, "cluster>nodes tcp 443": true, "cluster>nodes tcp 10250": true, "cluster>nodes tcp 9443": true, "nodes>endpoints tcp 443": true}
	ends := []string{"nodes", "cluster", "endpoints"}
	for _, from := range ends {
		for _, to := range ends {
			for _, protocol := range []string{"tcp", "udp"} {
				for _, port := range []int{22, 53, 80, 443, 2379, 4194, 6443, 8443, 9443, 10249, 10250, 10255, 30000, 65535} {
					flow := fmt.Sprintf("%s>%s %s %d", from, to, protocol, port)
					want := allowed[flow] || from == "nodes" && to == "nodes"
					got := simaws.Reaches(cloud, region, result.Output("vpc"), []string{result.Output(from)}, []string{result.Output(to)}, protocol, port)
					if got != want {
						t.Errorf("%s: reaches %v", flow, got)
					}
				}
			}
		}
	}
	operators := 0
	for _, o := range cloud.Objects("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule") {
		if len(o.State.String("description")) < 20 {
			t.Errorf("%s has no reason: %v", o.ID, o.State)
		}
		if cidr := o.State.String("cidrIpv4"); cidr != "" {
			operators++
			if cidr != "10.90.0.0/22" || o.State.String("securityGroupId") != result.Output("cluster") || o.State.Int("fromPort") != 443 || strings.Contains(o.Type, "Egress") {
				t.Errorf("a range where none belongs: %v", o.State)
			}
		}
	}
	if operators != 1 {
		t.Errorf("%d rules for operators", operators)
	}
}

func TestBadFirewallsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	err := aws.FirewallArgs{Operators: []string{"0.0.0.0/0", "10.0.0.1/8"}, Webhooks: []int{0}}.Validate()
	for _, want := range []string{"network", "clusterGroupId", "operators[0]", "operators[1]", "webhooks[0]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
}
