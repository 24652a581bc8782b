package gcp_test

import (
	"net/netip"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/binaryauthorization"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/secretmanager"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// What a private zone says of a name is what nodes believe.
func TestNodesBelieveTheirZones(t *testing.T) {
	t.Parallel()
	zone := func(address string) func(x *made) {
		return func(x *made) {
			z := must(dns.NewManagedZone(x.ctx, "docker", &dns.ManagedZoneArgs{DnsName: pulumi.String("europe-west3-docker.pkg.dev."), Visibility: str("private"), PrivateVisibilityConfig: &dns.ManagedZonePrivateVisibilityConfigArgs{
				Networks: dns.ManagedZonePrivateVisibilityConfigNetworkArray{&dns.ManagedZonePrivateVisibilityConfigNetworkArgs{NetworkUrl: x.net.ID()}}}}))
			x.holds(z)
			if address != "" {
				x.holds(must(dns.NewRecordSet(x.ctx, "docker", &dns.RecordSetArgs{ManagedZone: z.ID(), Name: pulumi.String("europe-west3-docker.pkg.dev."), Type: pulumi.String("A"), Rrdatas: texts(address)})))
			}
		}
	}
	for address, want := range map[string]string{"": "has no address for it", "10.10.0.9": "which is none of the addresses of Google's APIs", "199.36.153.5": ""} {
		_, err := simtest.New(t, open(t), settings).Up(environment{withoutPool: true, first: zone(address)}.program)
		if want != "" {
			says(t, err, want)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// A route for machines with a tag is none for others, and the more specific one wins.
func TestRoutesAreForWhomTheySay(t *testing.T) {
	t.Parallel()
	route := func(dest string, priority int, tags ...string) func(x *made) {
		return func(x *made) {
			x.holds(must(compute.NewRoute(x.ctx, "more", &compute.RouteArgs{Network: x.net.ID(), DestRange: pulumi.String(dest), NextHopIp: str("10.10.0.9"), Priority: pulumi.IntPtr(priority), Tags: texts(tags...)}, after(x.subnet))))
		}
	}
	for name, test := range map[string]struct {
		first func(x *made)
		works bool
	}{
		"specific": {route("199.36.153.4/31", 1000), false}, "first": {route("199.36.153.4/30", 900), false}, "later": {route("199.36.153.4/30", 1100), true},
		"wider": {route("199.36.0.0/16", 1), true}, "others'": {route("199.36.153.4/31", 1, "appliance"), true},
	} {
		_, err := simtest.New(t, open(t), settings).Up(environment{withoutPool: true, first: test.first}.program)
		if (err == nil) != test.works {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A pool is changed in place, and its nodes follow the control plane in their own time.
func TestAPoolChangesInPlace(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	program := func(master, nodes string, count int) pulumi.RunFunc {
		return environment{change: func(a *container.ClusterArgs) { a.MinMasterVersion = str(master) }, changePool: func(a *container.NodePoolArgs) {
			a.Name, a.NodeCount, a.NodeLocations = str("general"), pulumi.IntPtr(count), texts(region+"-a", region+"-b")
			if nodes != "" {
				a.Version = str(nodes)
			}
		}}.program
	}
	version := func() string { return cloud.Objects("gcp:container/nodePool:NodePool")[0].State.String("version") }
	e.MustUp(program("1.35", "", 1))
	if groups := cloud.Objects("gcp:container/nodePool:NodePool")[0].State.Strings("instanceGroupUrls"); len(groups) != 2 {
		t.Errorf("instance groups %v", groups)
	}
	was := version()
	if result := e.MustUp(program("1.36", "", 2)); result.Updates() != 2 || result.Replaces() != 0 || version() != was {
		t.Errorf("%v, nodes at %s, before %s", result.Changes, version(), was)
	}
	if result := e.MustUp(program("1.36", "1.36", 2)); result.Updates() != 1 || version() == was {
		t.Errorf("%v, nodes at %s", result.Changes, version())
	}
	_, err := e.Up(program("1.36", "1.37", 2))
	says(t, err, "must not have a minor version greater than master version")
}

// The default network has a subnetwork in every region, which a cluster finds by itself; a zonal cluster has one zone.
func TestClustersInAutoNetworks(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(func(ctx *pulumi.Context) error {
		net := must(compute.NewNetwork(ctx, "default", &compute.NetworkArgs{Name: str("default")}))
		main := must(container.NewCluster(ctx, "main", &container.ClusterArgs{Name: str("main"), Location: str(region + "-b"), InitialNodeCount: pulumi.IntPtr(1), DeletionProtection: no(),
			IpAllocationPolicy: &container.ClusterIpAllocationPolicyArgs{ClusterIpv4CidrBlock: str("10.20.0.0/16"), ServicesIpv4CidrBlock: str("10.30.0.0/20")}}, after(net)))
		must(container.NewNodePool(ctx, "pool", &container.NodePoolArgs{Cluster: main.ID(), Location: str(region + "-b"), Version: str("latest")}))
		return nil
	})
	for _, o := range cloud.Objects(clusterToken, "gcp:container/nodePool:NodePool") {
		if state := o.State; o.Type == clusterToken && state.String("subnetwork") != "projects/redoubt-test/regions/europe-west3/subnetworks/default" || o.Type != clusterToken && len(state.Strings("instanceGroupUrls")) != 1 {
			t.Errorf("%s: %v %v", o.ID, state["subnetwork"], state["instanceGroupUrls"])
		}
	}
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		must(compute.NewSubnetwork(ctx, "in-pods", &compute.SubnetworkArgs{Network: pulumi.String("default"), IpCidrRange: pulumi.String("10.20.1.0/24")}))
		must(compute.NewSubnetwork(ctx, "fine", &compute.SubnetworkArgs{Network: pulumi.String("global/networks/default"), IpCidrRange: pulumi.String("10.40.1.0/24")}))
		return nil
	}, simtest.Refusals{"in-pods": "conflicts with the range 10.20.0.0/16 (pods) of 'projects/redoubt-test/locations/europe-west3-b/clusters/main'"})
}

func TestNumberedProtocolsAndNatsBySubnetwork(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		net := newNetwork(ctx, "main", pulumi.Bool(true))
		rule(ctx, "numbers", net.ID(), func(a *compute.FirewallArgs) { a.Allows = allowing("6", "8080") })
		rule(ctx, "unknown", net.ID(), func(a *compute.FirewallArgs) { a.Allows, a.Priority = allowing("47"), pulumi.IntPtr(1) })
		return nil
	})
	for port, want := range map[int]bool{8080: true, 8081: false} {
		if got := gcp.Allows(cloud, gcp.Flow{Network: "projects/redoubt-test/global/networks/main", Direction: gcp.Ingress, Remote: netip.MustParsePrefix("10.0.0.1/32"), Protocol: "tcp", Port: port}); got != want {
			t.Errorf("%d: %v", port, got)
		}
	}
	listed := func(name string) func(x *made) {
		return func(x *made) {
			router := must(compute.NewRouter(x.ctx, "listed", &compute.RouterArgs{Network: x.net.ID()}))
			in := x.subnet.SelfLink
			if name != "nodes" {
				in = must(compute.NewSubnetwork(x.ctx, name, &compute.SubnetworkArgs{Network: x.net.ID(), IpCidrRange: pulumi.String("10.11.0.0/24")})).SelfLink
			}
			x.holds(must(compute.NewRouterNat(x.ctx, "listed", &compute.RouterNatArgs{Router: router.Name, NatIpAllocateOption: str("AUTO_ONLY"), SourceSubnetworkIpRangesToNat: pulumi.String("LIST_OF_SUBNETWORKS"),
				Subnetworks: compute.RouterNatSubnetworkArray{&compute.RouterNatSubnetworkArgs{Name: in, SourceIpRangesToNats: texts("ALL_IP_RANGES")}}})))
		}
	}
	simtest.New(t, open(t), settings).MustUp(environment{internet: "open", without: "google access", withoutPool: true, first: listed("nodes")}.program)
	_, err := simtest.New(t, open(t), settings).Up(environment{internet: "open", without: "google access", withoutPool: true, first: listed("other")}.program)
	says(t, err, "has neither Private Google Access nor a NAT")
}

func TestWhatElseServicesTake(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		node := newAccount(ctx, "gke-node")
		must(serviceaccount.NewKey(ctx, "key", &serviceaccount.KeyArgs{ServiceAccountId: node.Name})) // known, and taken: policies refuse it
		ring := newRing(ctx, "ring")
		k := newKey(ctx, "key", ring)
		identity := must(projects.NewServiceIdentity(ctx, "secrets", &projects.ServiceIdentityArgs{Service: pulumi.String("secretmanager.googleapis.com")}))
		granted := must(newGrant(ctx, "secrets", k, serviceAgent("gcp-sa-secretmanager"), identity))
		hidden := func(name, location string, key pulumi.StringInput) {
			must(secretmanager.NewSecret(ctx, name, &secretmanager.SecretArgs{SecretId: pulumi.String(name), Replication: &secretmanager.SecretReplicationArgs{UserManaged: &secretmanager.SecretReplicationUserManagedArgs{
				Replicas: secretmanager.SecretReplicationUserManagedReplicaArray{&secretmanager.SecretReplicationUserManagedReplicaArgs{Location: pulumi.String(location),
					CustomerManagedEncryption: &secretmanager.SecretReplicationUserManagedReplicaCustomerManagedEncryptionArgs{KmsKeyName: key}}}}}}, after(granted)))
		}
		hidden("secret", region, k.ID())
		hidden("secret-afar", "europe-west1", k.ID())
		hidden("secret-denied", region, newKey(ctx, "bare", ring).ID())
		must(secretmanager.NewSecret(ctx, "plain", &secretmanager.SecretArgs{SecretId: pulumi.String("plain"), Replication: &secretmanager.SecretReplicationArgs{Auto: &secretmanager.SecretReplicationAutoArgs{}}}))
		must(secretmanager.NewSecret(ctx, "global", &secretmanager.SecretArgs{SecretId: pulumi.String("global"), Replication: &secretmanager.SecretReplicationArgs{Auto: &secretmanager.SecretReplicationAutoArgs{
			CustomerManagedEncryption: &secretmanager.SecretReplicationAutoCustomerManagedEncryptionArgs{KmsKeyName: k.ID()}}}}, after(granted)))
		audit := func(name, service, exempted string) {
			must(projects.NewIAMAuditConfig(ctx, name, &projects.IAMAuditConfigArgs{Project: pulumi.String(project), Service: pulumi.String(service), AuditLogConfigs: projects.IAMAuditConfigAuditLogConfigArray{
				&projects.IAMAuditConfigAuditLogConfigArgs{LogType: pulumi.String("DATA_READ"), ExemptedMembers: texts(exempted)}}}))
		}
		audit("audit", "dns.googleapis.com", "user:a@example.com")
		audit("audit-nobody", "storage.googleapis.com", "serviceAccount:nobody@redoubt-test.iam.gserviceaccount.com")
		policy := func(name, in, cluster string) {
			must(binaryauthorization.NewPolicy(ctx, name, &binaryauthorization.PolicyArgs{Project: str(in), DefaultAdmissionRule: admission("ALWAYS_DENY"), ClusterAdmissionRules: binaryauthorization.PolicyClusterAdmissionRuleArray{
				&binaryauthorization.PolicyClusterAdmissionRuleArgs{Cluster: pulumi.String(cluster), EvaluationMode: pulumi.String("REQUIRE_ATTESTATION"), EnforcementMode: pulumi.String("ENFORCED_BLOCK_AND_AUDIT_LOG")}}}))
		}
		policy("cluster-rule", "project-one", region+".main")
		return nil
	}, simtest.Refusals{"secret-afar": "it must be in europe-west1", "secret-denied": "useToEncrypt' denied", "global": "it must be in global", "audit-nobody": "does not exist", "cluster-rule": "names attestors with REQUIRE_ATTESTATION"})
}
