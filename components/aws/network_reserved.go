package aws

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/addressplan"
)

// reservedBits is the size of what is kept of a subnet for addresses that never
// change: 16 of them, the second 16 because AWS has the first four itself.
// https://docs.aws.amazon.com/vpc/latest/userguide/subnet-cidr-reservation.html
const reservedBits = 28

// reserve keeps addresses of a subnet from what AWS gives away by itself, before
// anything else takes one, and gives the subnet once that is so.
func (n *Network) reserve(ctx *pulumi.Context, name, zone string, subnet *ec2.Subnet) (pulumi.StringOutput, error) {
	block, err := reserved(n.args.Account, n.args.CIDR, zone)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	made, err := ec2.NewSubnetCidrReservation(ctx, name, &ec2.SubnetCidrReservationArgs{
		SubnetId: subnet.ID(), CidrBlock: pulumi.String(block.String()), ReservationType: pulumi.String("explicit"),
		Description: pulumi.String("addresses of control planes"),
	}, n.child())
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return once(subnet.ID(), made.ID()), nil
}

// reserved is the block of a zone that is kept for fixed addresses.
func reserved(account Account, cidr, zone string) (netip.Prefix, error) {
	plan, err := addressplan.New(cidr)
	if err != nil {
		return netip.Prefix{}, err
	}
	at, err := slot(account.Region, zone)
	if err != nil {
		return netip.Prefix{}, err
	}
	subnet, err := plan.Zone(at)
	if err != nil {
		return netip.Prefix{}, err
	}
	return addressplan.Subnet(subnet, reservedBits-subnet.Bits(), 1)
}

// ControlPlaneAddresses are the addresses of so many control planes in a network
// of this package, one in each zone in turn. That of a number never changes while
// its zone does not: the zones are those of the control plane, in their order.
func ControlPlaneAddresses(account Account, cidr string, zones []string, count int) ([]string, error) {
	if len(zones) == 0 {
		return nil, fmt.Errorf("there are no zones")
	}
	var out []string
	for i := range count {
		block, err := reserved(account, cidr, zones[i%len(zones)])
		if err != nil {
			return nil, err
		}
		address := block.Addr()
		for range i / len(zones) {
			address = address.Next()
		}
		out = append(out, address.String())
	}
	return out, nil
}
