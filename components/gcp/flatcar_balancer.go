package gcp

import (
	"strconv"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// balancer is the only way to the API servers: an internal load balancer that
// passes packets on as they are, so that the firewall of control planes judges who
// comes, and the audit log tells it.
// https://cloud.google.com/load-balancing/docs/internal
type balancer struct {
	subnetwork *compute.Subnetwork
	groups     []*compute.NetworkEndpointGroup
	// rule is what people wait for: its address answers as soon as a control plane does.
	rule *compute.ForwardingRule
}

// newBalancer registers the subnetwork of control planes and the load balancer in
// front of them, with an empty group of endpoints for each.
func newBalancer(ctx *pulumi.Context, name string, a FlatcarClusterArgs, address string, opts ...pulumi.ResourceOption) (*balancer, error) {
	port := hostconfig.DefaultPorts().APIServer
	project, region := pulumi.String(a.Project.ID), pulumi.String(a.Project.Region)
	b := &balancer{}
	var err error
	if b.subnetwork, err = compute.NewSubnetwork(ctx, name+"-control-plane", &compute.SubnetworkArgs{
		Name: pulumi.String(a.Cluster + "-control-plane"), Project: project, Region: region, Network: a.NetworkID,
		Description: pulumi.String("Control planes of the cluster " + a.Cluster), IpCidrRange: pulumi.String(a.ControlPlaneCIDR),
		PrivateIpGoogleAccess: pulumi.Bool(true), StackType: pulumi.String("IPV4_ONLY"), LogConfig: everyFlow(),
	}, opts...); err != nil {
		return nil, err
	}
	reserved, err := a.reserve(ctx, name+"-api", a.Cluster+"-api", "API of "+a.Cluster, address, b.subnetwork, opts...)
	if err != nil {
		return nil, err
	}
	check, err := compute.NewRegionHealthCheck(ctx, name+"-api", &compute.RegionHealthCheckArgs{
		Name: pulumi.String(a.Cluster + "-api"), Project: project, Region: region, Description: pulumi.String("API servers that serve"),
		CheckIntervalSec: pulumi.Int(5), TimeoutSec: pulumi.Int(5), HealthyThreshold: pulumi.Int(2), UnhealthyThreshold: pulumi.Int(2),
		// One of the paths that need no credential (M14).
		HttpsHealthCheck: compute.RegionHealthCheckHttpsHealthCheckArgs{Port: pulumi.Int(port), RequestPath: pulumi.String("/readyz")},
		LogConfig:        compute.RegionHealthCheckLogConfigArgs{Enable: pulumi.Bool(true)},
	}, opts...)
	if err != nil {
		return nil, err
	}
	var backends compute.RegionBackendServiceBackendArray
	for i := range a.ControlPlane.Machines {
		group, err := compute.NewNetworkEndpointGroup(ctx, name+"-"+controlPlane(i), &compute.NetworkEndpointGroupArgs{
			Name: pulumi.String(a.controlPlaneName(i)), Project: project, Zone: pulumi.String(a.zone(i)), Network: a.NetworkID, Subnetwork: b.subnetwork.ID(),
			Description: pulumi.String("API server of " + a.controlPlaneName(i)), NetworkEndpointType: pulumi.String("GCE_VM_IP"),
		}, opts...)
		if err != nil {
			return nil, err
		}
		b.groups = append(b.groups, group)
		backends = append(backends, compute.RegionBackendServiceBackendArgs{Group: group.ID(), BalancingMode: pulumi.String("CONNECTION")})
	}
	service, err := compute.NewRegionBackendService(ctx, name+"-api", &compute.RegionBackendServiceArgs{
		Name: pulumi.String(a.Cluster + "-api"), Project: project, Region: region, Description: pulumi.String("API servers of " + a.Cluster),
		LoadBalancingScheme: pulumi.String("INTERNAL"), Protocol: pulumi.String("TCP"), SessionAffinity: pulumi.String("NONE"), HealthChecks: check.ID(), Backends: backends,
		ConnectionDrainingTimeoutSec: pulumi.Int(30), // the API server ends its own requests within it
		Network:                      a.NetworkID.ToStringOutput().ToStringPtrOutput(),
	}, opts...)
	if err != nil {
		return nil, err
	}
	b.rule, err = compute.NewForwardingRule(ctx, name+"-api", &compute.ForwardingRuleArgs{
		Name: pulumi.String(a.Cluster + "-api"), Project: project, Region: region, Description: pulumi.String("The way to the API servers of " + a.Cluster),
		LoadBalancingScheme: pulumi.String("INTERNAL"), BackendService: service.ID().ToStringOutput().ToStringPtrOutput(), IpAddress: reserved.SelfLink, IpProtocol: pulumi.String("TCP"),
		Ports: pulumi.ToStringArray([]string{strconv.Itoa(port)}), AllowGlobalAccess: pulumi.Bool(false),
		Network: a.NetworkID.ToStringOutput().ToStringPtrOutput(), Subnetwork: b.subnetwork.ID().ToStringOutput().ToStringPtrOutput(), Labels: labelled(a.Labels, a.Cluster),
	}, opts...)
	return b, err
}

// reserve keeps an address for what may come again. It is kept from being deleted
// by a mistake: certificates and every machine name it.
func (a FlatcarClusterArgs) reserve(ctx *pulumi.Context, name, full, description, address string, in *compute.Subnetwork, opts ...pulumi.ResourceOption) (*compute.Address, error) {
	return compute.NewAddress(ctx, name, &compute.AddressArgs{
		Name: pulumi.String(full), Project: pulumi.String(a.Project.ID), Region: pulumi.String(a.Project.Region), Description: pulumi.String(description),
		AddressType: pulumi.String("INTERNAL"), Purpose: pulumi.String("GCE_ENDPOINT"), Address: pulumi.String(address), Subnetwork: in.ID().ToStringOutput().ToStringPtrOutput(),
		Labels: labelled(a.Labels, a.Cluster),
	}, append(opts, pulumi.Protect(!a.Unprotected))...)
}
