package gcp_test

import (
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
)

// environment is a private cluster with one pool in a network without a way out, written out resource by resource. Its
// switches leave out or change what a test wants to see missed.
type environment struct {
	without     string                              // a part that is not made: "api", "vip", "route", "zone", "pkg", "google access"
	internet    string                              // a way out besides: "open", "nat"
	change      func(*container.ClusterArgs)        // of the cluster
	changePool  func(*container.NodePoolArgs)       // of the pool
	deny        func(e *made) *compute.FirewallArgs // a rule that must not be there
	late        func(e *made)                       // what else there is, afterwards
	first       func(x *made)                       // and before the cluster
	protected   bool
	withoutPool bool
	bare        bool // no cluster either
}

// made is what an environment has made so far.
type made struct {
	ctx     *pulumi.Context
	net     *compute.Network
	subnet  *compute.Subnetwork
	secrets *kms.CryptoKey
	disks   *kms.CryptoKey
	node    *serviceaccount.Account
	cluster *container.Cluster
	pool    *container.NodePool
	held    []pulumi.Resource // what nothing names and the cluster or its nodes need
}

func (e environment) program(ctx *pulumi.Context) error {
	x := &made{ctx: ctx}
	e.network(x)
	e.names(x)
	e.walls(x)
	if e.first != nil {
		e.first(x)
	}
	e.keys(x)
	if !e.bare {
		e.control(x)
	}
	if e.late != nil {
		e.late(x)
	}
	if !e.bare {
		ctx.Export("endpoint", x.cluster.Endpoint)
	}
	return nil
}

func (x *made) holds(r pulumi.Resource) { x.held = append(x.held, r) }

func (e environment) network(x *made) {
	x.net = newNetwork(x.ctx, "main", pulumi.Bool(e.internet == ""))
	x.subnet = must(compute.NewSubnetwork(x.ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Network: x.net.ID(), IpCidrRange: pulumi.String("10.10.0.0/22"),
		PrivateIpGoogleAccess: pulumi.Bool(e.without != "google access"), SecondaryIpRanges: secondary("10.20.0.0/16", "10.30.0.0/20"),
		LogConfig: &compute.SubnetworkLogConfigArgs{Metadata: str("INCLUDE_ALL_METADATA"), FlowSampling: pulumi.Float64Ptr(1)}}))
	if e.without != "route" {
		x.holds(must(compute.NewRoute(x.ctx, "vip", &compute.RouteArgs{Network: x.net.Name, DestRange: pulumi.String("199.36.153.4/30"), NextHopGateway: str("default-internet-gateway")})))
	}
	if e.internet == "nat" {
		router := must(compute.NewRouter(x.ctx, "out", &compute.RouterArgs{Network: x.net.SelfLink}))
		x.holds(must(compute.NewRouterNat(x.ctx, "out", &compute.RouterNatArgs{Router: router.Name, NatIpAllocateOption: str("AUTO_ONLY"),
			SourceSubnetworkIpRangesToNat: pulumi.String("ALL_SUBNETWORKS_ALL_IP_RANGES")})))
	}
}

// names lead Google's names to the restricted VIP.
func (e environment) names(x *made) {
	if e.internet != "" {
		return
	}
	vip := pulumi.ToStringArray([]string{"199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"})
	for _, each := range []struct{ name, apex, at string }{{"apis", "googleapis.com.", "restricted.googleapis.com."}, {"gcr", "gcr.io.", "gcr.io."}, {"pkg", "pkg.dev.", "pkg.dev."}} {
		if e.without == "pkg" && each.name == "pkg" || e.without == "zone" && each.name == "apis" {
			continue
		}
		z := must(dns.NewManagedZone(x.ctx, each.name, &dns.ManagedZoneArgs{DnsName: pulumi.String(each.apex), Visibility: str("private"),
			PrivateVisibilityConfig: &dns.ManagedZonePrivateVisibilityConfigArgs{Networks: dns.ManagedZonePrivateVisibilityConfigNetworkArray{
				&dns.ManagedZonePrivateVisibilityConfigNetworkArgs{NetworkUrl: x.net.SelfLink}}}}))
		x.holds(must(dns.NewRecordSet(x.ctx, each.name+"-a", &dns.RecordSetArgs{ManagedZone: z.Name, Name: pulumi.String(each.at), Type: pulumi.String("A"), Ttl: pulumi.IntPtr(300), Rrdatas: vip})))
		x.holds(must(dns.NewRecordSet(x.ctx, each.name+"-all", &dns.RecordSetArgs{ManagedZone: z.Name, Name: pulumi.String("*." + each.apex), Type: pulumi.String("CNAME"), Ttl: pulumi.IntPtr(300),
			Rrdatas: pulumi.ToStringArray([]string{each.at})})))
	}
}

// walls are the firewall: nothing goes in or out but what is named.
func (e environment) walls(x *made) {
	rule := func(name, direction string, priority int, deny bool, to string, ports ...string) {
		args := &compute.FirewallArgs{Network: x.net.SelfLink, Direction: str(direction), Priority: pulumi.IntPtr(priority)}
		if deny {
			args.Denies = compute.FirewallDenyArray{&compute.FirewallDenyArgs{Protocol: pulumi.String("all")}}
		} else {
			args.Allows = compute.FirewallAllowArray{&compute.FirewallAllowArgs{Protocol: pulumi.String("tcp"), Ports: pulumi.ToStringArray(ports)}}
		}
		if direction == "EGRESS" {
			args.DestinationRanges = pulumi.ToStringArray([]string{to})
		} else {
			args.SourceRanges = pulumi.ToStringArray([]string{to})
		}
		x.holds(must(compute.NewFirewall(x.ctx, name, args)))
	}
	rule("deny-in", "INGRESS", 65000, true, "0.0.0.0/0")
	rule("deny-out", "EGRESS", 65000, true, "0.0.0.0/0")
	if e.without != "api" {
		rule("to-api", "EGRESS", 1000, false, "172.16.0.0/28", "443", "10250")
	}
	if e.without != "vip" {
		rule("to-vip", "EGRESS", 1000, false, "199.36.153.4/30", "443")
	}
	if e.internet != "" {
		rule("to-all", "EGRESS", 1000, false, "0.0.0.0/0", "443")
	}
	if e.deny != nil {
		x.holds(must(compute.NewFirewall(x.ctx, "wrong", e.deny(x))))
	}
}

func (e environment) keys(x *made) {
	ring := newRing(x.ctx, "main")
	x.secrets, x.disks = newKey(x.ctx, "secrets", ring), newKey(x.ctx, "disks", ring)
	x.holds(grant(x.ctx, "secrets", x.secrets, "serviceAccount:service-"+gcp.Number(project)+"@container-engine-robot.iam.gserviceaccount.com"))
	x.holds(grant(x.ctx, "disks", x.disks, "serviceAccount:service-"+gcp.Number(project)+"@compute-system.iam.gserviceaccount.com"))
	x.node = must(serviceaccount.NewAccount(x.ctx, "node", &serviceaccount.AccountArgs{AccountId: pulumi.String("gke-main-node")}))
	for _, role := range []string{"roles/logging.logWriter", "roles/monitoring.metricWriter"} {
		x.holds(must(projects.NewIAMMember(x.ctx, "node-"+role, &projects.IAMMemberArgs{Project: pulumi.String(project), Role: pulumi.String(role), Member: x.node.Member})))
	}
}

// clusterArgs are those of a cluster that works.
func (e environment) clusterArgs(x *made) *container.ClusterArgs {
	return &container.ClusterArgs{Name: str("main"), Location: str(region), Network: x.net.SelfLink, Subnetwork: x.subnet.SelfLink,
		InitialNodeCount: pulumi.IntPtr(1), RemoveDefaultNodePool: pulumi.BoolPtr(true), DeletionProtection: pulumi.BoolPtr(e.protected),
		ReleaseChannel:     &container.ClusterReleaseChannelArgs{Channel: pulumi.String("REGULAR")},
		IpAllocationPolicy: &container.ClusterIpAllocationPolicyArgs{ClusterSecondaryRangeName: str("pods"), ServicesSecondaryRangeName: str("services")},
		PrivateClusterConfig: &container.ClusterPrivateClusterConfigArgs{EnablePrivateNodes: pulumi.BoolPtr(true), EnablePrivateEndpoint: pulumi.BoolPtr(true),
			MasterIpv4CidrBlock: str("172.16.0.0/28")},
		MasterAuthorizedNetworksConfig: authorized("10.10.0.0/22"),
		WorkloadIdentityConfig:         &container.ClusterWorkloadIdentityConfigArgs{WorkloadPool: str(project + ".svc.id.goog")},
		DatabaseEncryption:             &container.ClusterDatabaseEncryptionArgs{State: pulumi.String("ENCRYPTED"), KeyName: x.secrets.ID().ToStringOutput().ToStringPtrOutput()},
		DatapathProvider:               str("ADVANCED_DATAPATH"), EnableFqdnNetworkPolicy: pulumi.BoolPtr(true), EnableShieldedNodes: pulumi.BoolPtr(true),
		NodeConfig: &container.ClusterNodeConfigArgs{ServiceAccount: x.node.Email, BootDiskKmsKey: x.disks.ID().ToStringOutput().ToStringPtrOutput()},
	}
}

func (e environment) control(x *made) {
	args := e.clusterArgs(x)
	if e.change != nil {
		e.change(args)
	}
	x.cluster = must(container.NewCluster(x.ctx, "main", args, after(x.held...)))
	if e.withoutPool {
		return
	}
	pool := &container.NodePoolArgs{Cluster: x.cluster.Name, Location: x.cluster.Location, NodeCount: pulumi.IntPtr(1),
		Management: &container.NodePoolManagementArgs{AutoRepair: pulumi.BoolPtr(true), AutoUpgrade: pulumi.BoolPtr(true)},
		NodeConfig: &container.NodePoolNodeConfigArgs{MachineType: str("e2-standard-4"), ImageType: str("COS_CONTAINERD"), ServiceAccount: x.node.Email,
			BootDiskKmsKey:         x.disks.ID().ToStringOutput().ToStringPtrOutput(),
			WorkloadMetadataConfig: &container.NodePoolNodeConfigWorkloadMetadataConfigArgs{Mode: pulumi.String("GKE_METADATA")},
			ShieldedInstanceConfig: &container.NodePoolNodeConfigShieldedInstanceConfigArgs{EnableSecureBoot: pulumi.BoolPtr(true), EnableIntegrityMonitoring: pulumi.BoolPtr(true)}}}
	if e.changePool != nil {
		e.changePool(pool)
	}
	x.pool = must(container.NewNodePool(x.ctx, "general", pool, after(x.held...)))
}
