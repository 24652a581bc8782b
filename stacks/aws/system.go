package aws

import (
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
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

// within is the network that the cluster's policies know of.
func (f first) within(s baseline.Spec) baseline.Spec {
	// Rules see addresses of services before they become those of pods and of the
	// control plane, whose interfaces stand in the network, as endpoints do.
	return s.WithAPIServers(network.Endpoint{CIDR: f.networkCIDR}, network.Endpoint{CIDR: incluster.Nth(f.serviceCIDR, 1)}).
		WithResolvers(incluster.Nth(f.networkCIDR, 2), linkLocalResolver)
}

// systemWorkloads are the add-ons of EKS that run as pods: the others share the
// network of their node, and no policy holds for them.
var systemWorkloads = []network.SystemWorkload{{
	Name: "ebs-csi", Labels: map[string]string{"app.kubernetes.io/name": "aws-ebs-csi-driver"},
	Egress: []network.SystemFlow{
		{APIServer: true, Reason: "the API server, and the endpoint of EC2"},
		{CIDRs: []string{podIdentityAgent}, Ports: []network.Port{{Port: 80}}, Reason: "credentials of its role"},
	},
}}
