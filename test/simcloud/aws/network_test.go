package aws_test

import (
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const region = "eu-central-1"

var settings = map[string]string{"aws:region": region}

// account is a fresh simulated account in which waiting is free.
func account(t *testing.T) *simcloud.Cloud {
	t.Helper()
	cloud, err := aws.Open(simcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

func str(text string) pulumi.StringPtrInput { return pulumi.StringPtr(text) }

func newVPC(ctx *pulumi.Context, name, cidr string) *ec2.Vpc {
	v, err := ec2.NewVpc(ctx, name, &ec2.VpcArgs{CidrBlock: str(cidr), EnableDnsHostnames: pulumi.Bool(true), EnableDnsSupport: pulumi.Bool(true)})
	if err != nil {
		panic(err)
	}
	return v
}

func newSubnet(ctx *pulumi.Context, name string, in *ec2.Vpc, cidr, zone string) *ec2.Subnet {
	s, err := ec2.NewSubnet(ctx, name, &ec2.SubnetArgs{VpcId: in.ID(), CidrBlock: str(cidr), AvailabilityZone: str(region + zone)})
	if err != nil {
		panic(err)
	}
	return s
}

func TestNetworksAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Unplanned(t, account(t), settings, func(ctx *pulumi.Context) error {
		newVPC(ctx, "wide", "10.0.0.0/8")
		newVPC(ctx, "host-bits", "10.0.0.1/16")
		newVPC(ctx, "fine", "10.0.0.0/16")
		return nil
	}, simtest.Refusals{
		"wide":      "between 16 and 28 significant bits",
		"host-bits": `did you mean "10.0.0.0/16"`,
	})
	simtest.Refused(t, account(t), settings, func(ctx *pulumi.Context) error {
		v := newVPC(ctx, "net", "10.0.0.0/16")
		s := newSubnet(ctx, "first", v, "10.0.0.0/20", "a")
		newSubnet(ctx, "outside", v, "10.1.0.0/20", "b")
		newSubnet(ctx, "zone", v, "10.0.32.0/20", "z")
		_, err := ec2.NewSubnet(ctx, "overlap", &ec2.SubnetArgs{VpcId: v.ID(), CidrBlock: str("10.0.0.0/24")}, pulumi.DependsOn([]pulumi.Resource{s}))
		_, err = ec2.NewSubnet(ctx, "dangling", &ec2.SubnetArgs{VpcId: pulumi.String("vpc-0123456789abcdef0"), CidrBlock: str("10.0.16.0/20")})
		return err
	}, simtest.Refusals{
		"outside":  "InvalidSubnet.Range",
		"zone":     "parameter availabilityZone is invalid",
		"overlap":  "InvalidSubnet.Conflict: The CIDR '10.0.0.0/24' conflicts with another subnet",
		"dangling": "InvalidVpcID.NotFound",
	})
}
