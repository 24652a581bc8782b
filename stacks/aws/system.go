package aws

import (
	"net/netip"

	"github.com/redoubt-dev/redoubt/policies/baseline"
)

// Addresses on each node or network of AWS.
const (
	// podIdentityAgent gives pods their credentials.
	// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
	podIdentityAgent = "169.254.170.23/32"
	// linkLocalResolver is the resolver of every VPC.
	// https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html
	linkLocalResolver = "169.254.169.253/32"
)

// systemPolicies are what the add-ons of EKS that run as pods may reach: the
// others share the network of their node, and no policy holds for them.
func (f first) systemPolicies() *baseline.SystemPoliciesArgs {
	// Rules see addresses of services before they become those of pods and of the
	// control plane, whose interfaces stand in the network, as endpoints do.
	api := []string{f.networkCIDR, nth(f.serviceCIDR, 1)}
	return &baseline.SystemPoliciesArgs{
		Resolvers: []string{nth(f.networkCIDR, 2), linkLocalResolver}, APIServers: api,
		Workloads: []baseline.SystemWorkload{{
			Name: "ebs-csi", Labels: map[string]string{"app.kubernetes.io/name": "aws-ebs-csi-driver"},
			Egress: []baseline.SystemFlow{
				{CIDRs: api, Port: 443, Reason: "the API server, and the endpoint of EC2"},
				{CIDRs: []string{podIdentityAgent}, Port: 80, Reason: "credentials of its role"},
			},
		}},
	}
}

// nth is the n-th address of a range, as a range of its own: AWS answers DNS at
// the second of a network, and Kubernetes its API at the first of the services.
func nth(cidr string, n int) string {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return cidr // what the first stack checked
	}
	address := prefix.Masked().Addr()
	for range n {
		address = address.Next()
	}
	return netip.PrefixFrom(address, address.BitLen()).String()
}
