package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Ports from which the answers to a connection out come back (RFC 6056 and the
// kernel's own choice).
const (
	firstEphemeral = 1024
	lastEphemeral  = 65535
	remoteDesktop  = 3389 // lies among them; CIS AWS Foundations 5.2 wants it shut
)

// aclRule is one line of a network ACL, which knows no connections: the answers
// need a line too.
type aclRule struct {
	allow    bool
	cidr     string // of either family; empty is the IPv6 range of the network
	protocol string
	from, to int
	kind     int // of ICMP, with code
	code     int
}

// fragmentationNeeded tells a sender that its packets are too large (RFC 792,
// RFC 1191): without it connections that leave the network hang.
var fragmentationNeeded = aclRule{allow: true, protocol: "icmp", kind: 3, code: 4, cidr: anyIPv4}

// aclRules are the outer wall, coarser than the security groups: machines of
// this network and its peers among themselves, and the ports that leave it. S3
// has public addresses, behind its endpoint too.
func aclRules(a NetworkArgs) (in, out []aclRule) {
	inside := []string{a.CIDR}
	outside := []string{anyIPv4}
	if a.IPv6 {
		inside = append(inside, "")
		if a.Egress != EgressNone {
			outside = append(outside, anyIPv6)
		}
	}
	for _, cidr := range append(inside, a.PeerCIDRs...) {
		in = append(in, aclRule{allow: true, cidr: cidr, protocol: "-1"})
		out = append(out, aclRule{allow: true, cidr: cidr, protocol: "-1"})
	}
	for _, cidr := range outside {
		in = append(in,
			aclRule{cidr: cidr, protocol: "tcp", from: remoteDesktop, to: remoteDesktop},
			aclRule{allow: true, cidr: cidr, protocol: "tcp", from: firstEphemeral, to: lastEphemeral})
		for _, port := range a.EgressPorts {
			out = append(out, aclRule{allow: true, cidr: cidr, protocol: "tcp", from: port, to: port})
		}
	}
	if a.Egress != EgressNone {
		in = append(in, fragmentationNeeded)
	}
	return in, out
}

// newACL registers the ACL of all subnets that this network made.
func (n *Network) newACL(ctx *pulumi.Context, name string, vpc *ec2.Vpc, subnets pulumi.StringArray) error {
	in, out := aclRules(n.args)
	args := &ec2.NetworkAclArgs{VpcId: vpc.ID(), SubnetIds: subnets, Tags: n.tags("subnets")}
	var ingress ec2.NetworkAclIngressArray
	for i, r := range in {
		ipv4, ipv6 := r.ranges(vpc)
		ingress = append(ingress, ec2.NetworkAclIngressArgs{RuleNo: pulumi.Int(100 + 10*i), Action: pulumi.String(r.action()), Protocol: pulumi.String(r.protocol),
			FromPort: pulumi.Int(r.from), ToPort: pulumi.Int(r.to), CidrBlock: ipv4, Ipv6CidrBlock: ipv6, IcmpType: r.icmp(r.kind), IcmpCode: r.icmp(r.code)})
	}
	var egress ec2.NetworkAclEgressArray
	for i, r := range out {
		ipv4, ipv6 := r.ranges(vpc)
		egress = append(egress, ec2.NetworkAclEgressArgs{RuleNo: pulumi.Int(100 + 10*i), Action: pulumi.String(r.action()), Protocol: pulumi.String(r.protocol),
			FromPort: pulumi.Int(r.from), ToPort: pulumi.Int(r.to), CidrBlock: ipv4, Ipv6CidrBlock: ipv6, IcmpType: r.icmp(r.kind), IcmpCode: r.icmp(r.code)})
	}
	args.Ingress, args.Egress = ingress, egress
	acl, err := ec2.NewNetworkAcl(ctx, name, args, n.child())
	if err == nil {
		n.ready = append(n.ready, acl.ID())
	}
	return err
}

func (r aclRule) action() string {
	if r.allow {
		return "allow"
	}
	return "deny"
}

func (r aclRule) icmp(value int) pulumi.IntPtrInput {
	if r.protocol != "icmp" {
		return nil
	}
	return pulumi.Int(value)
}

func (r aclRule) ranges(vpc *ec2.Vpc) (ipv4, ipv6 pulumi.StringPtrInput) {
	switch {
	case r.cidr == "":
		return nil, vpc.Ipv6CidrBlock.ToStringPtrOutput()
	case isIPv6(r.cidr):
		return nil, pulumi.String(r.cidr)
	}
	return pulumi.String(r.cidr), nil
}
