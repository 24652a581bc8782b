package aws

import (
	"net/netip"
	"testing"
)

// packet is one direction of a connection, as an ACL sees it: it knows no more.
type packet struct {
	address  string // of the other end
	protocol string
	port     int // of the destination
}

// passes gives the verdict of the first line that fits, as AWS does.
func passes(rules []any, p packet) bool {
	best, verdict := 1<<15, false
	for _, each := range rules {
		r := each.(map[string]any)
		cidr, _ := r["cidrBlock"].(string)
		if cidr == "" {
			cidr, _ = r["ipv6CidrBlock"].(string)
		}
		number := int(r["ruleNo"].(float64))
		fits := netip.MustParsePrefix(cidr).Contains(netip.MustParseAddr(p.address)) &&
			(r["protocol"] == "-1" || r["protocol"] == p.protocol && r["fromPort"].(float64) <= float64(p.port) && float64(p.port) <= r["toPort"].(float64))
		if fits && number < best {
			best, verdict = number, r["action"] == "allow"
		}
	}
	return verdict
}

// M06, M08: the outer wall lets connections out on the ports that may leave, and
// nobody in.
func TestNetworkACL(t *testing.T) {
	args := testNetwork()
	args.PeerCIDRs = []string{"10.9.0.0/16"}
	args.IPv6, args.Egress = true, EgressNAT
	c := newTestNetwork(t, args)
	acl := c.One(t, "NetworkAcl", "net")
	if n := len(acl.List("subnetIds")); n != len(c.Of("Subnet")) {
		t.Errorf("%d of %d subnets have the ACL: the others have the default one, which is empty", n, len(c.Of("Subnet")))
	}
	for name, each := range map[string]struct {
		direction string
		packet    packet
		want      bool
	}{
		"machine to machine":       {"ingress", packet{"10.0.40.1", "tcp", 10250}, true},
		"machine to machine, IPv6": {"ingress", packet{"2001:db8:0:101::1", "udp", 53}, true},
		"peer":                     {"ingress", packet{"10.9.1.1", "tcp", 443}, true},
		"to a peer":                {"egress", packet{"10.9.1.1", "tcp", 40000}, true},
		"S3":                       {"egress", packet{"52.219.0.1", "tcp", 443}, true},
		"answer of S3":             {"ingress", packet{"52.219.0.1", "tcp", 40000}, true},
		"web over IPv6":            {"egress", packet{"2600::1", "tcp", 443}, true},
		"world to the API":         {"ingress", packet{"203.0.113.1", "tcp", 443}, false},
		"world to SSH":             {"ingress", packet{"203.0.113.1", "tcp", 22}, false},
		"world to remote desktop":  {"ingress", packet{"203.0.113.1", "tcp", 3389}, false},
		"world to DNS":             {"ingress", packet{"203.0.113.1", "udp", 53}, false},
		"world over IPv6":          {"ingress", packet{"2600::1", "tcp", 22}, false},
		"mail out":                 {"egress", packet{"203.0.113.1", "tcp", 25}, false},
		"foreign DNS":              {"egress", packet{"8.8.8.8", "udp", 53}, false},
	} {
		if got := passes(acl.List(each.direction), each.packet); got != each.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	args.Egress, args.EgressPorts = EgressNone, nil
	private := newTestNetwork(t, args).One(t, "NetworkAcl", "net")
	if passes(private.List("egress"), packet{"2600::1", "tcp", 443}) {
		t.Error("IPv6 leaves a network without a way out")
	}
	if !passes(private.List("egress"), packet{"52.219.0.1", "tcp", 443}) {
		t.Error("S3 cannot be reached through its endpoint")
	}
	for _, direction := range []string{"ingress", "egress"} {
		if n := len(acl.List(direction)); n > 20 {
			t.Errorf("%d rules: AWS takes 20", n)
		}
	}
}
