package gcp_test

import (
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/iap"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// machine is a forwarder that works, changed.
func machine(ctx *pulumi.Context, name string, subnet pulumi.StringPtrInput, change func(*compute.InstanceArgs), options ...pulumi.ResourceOption) *compute.Instance {
	args := &compute.InstanceArgs{Name: str(name), Zone: str(region + "-a"), MachineType: pulumi.String("e2-small"), Tags: texts("forwarder"),
		BootDisk:          &compute.InstanceBootDiskArgs{InitializeParams: &compute.InstanceBootDiskInitializeParamsArgs{Image: str("projects/cos-cloud/global/images/family/cos-stable")}},
		NetworkInterfaces: compute.InstanceNetworkInterfaceArray{&compute.InstanceNetworkInterfaceArgs{Subnetwork: subnet}}}
	if change != nil {
		change(args)
	}
	return must(compute.NewInstance(ctx, name, args, options...))
}

func TestMachinesAreRefused(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		net := newNetwork(ctx, "main", pulumi.Bool(true))
		subnet := must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Network: net.ID(), IpCidrRange: pulumi.String("10.0.0.0/24")}))
		account := newAccount(ctx, "forwarder")
		ring := newRing(ctx, "ring")
		key := newKey(ctx, "disks", ring)
		disk := func(k pulumi.StringPtrInput) func(*compute.InstanceArgs) {
			return func(a *compute.InstanceArgs) { a.BootDisk.(*compute.InstanceBootDiskArgs).KmsKeySelfLink = k }
		}
		identity := func(email pulumi.StringPtrInput, scopes ...string) func(*compute.InstanceArgs) {
			return func(a *compute.InstanceArgs) {
				a.ServiceAccount = &compute.InstanceServiceAccountArgs{Email: email, Scopes: texts(scopes...)}
			}
		}
		link := subnet.SelfLink.ToStringPtrOutput()
		forwarder := machine(ctx, "forwarder", link, identity(account.Email, "cloud-platform"))
		machine(ctx, "by-name", str("nodes"), nil, after(subnet))
		machine(ctx, "zone", link, func(a *compute.InstanceArgs) { a.Zone = str("europe-west3-z") })
		machine(ctx, "other-region", link, func(a *compute.InstanceArgs) { a.Zone = str("europe-west1-b") })
		machine(ctx, "lost", str("none"), nil)
		machine(ctx, "account", link, identity(str("nobody@redoubt-test.iam.gserviceaccount.com"), "cloud-platform"))
		machine(ctx, "scopes", link, identity(account.Email))
		machine(ctx, "disk", link, disk(newKey(ctx, "bare", ring).ID().ToStringOutput().ToStringPtrOutput()))
		granted := grant(ctx, "disks", key, serviceAgent("compute-system"))
		machine(ctx, "disk-granted", link, disk(granted.CryptoKeyId.ToStringPtrOutput()))
		tunnel := func(name string, to pulumi.StringInput, role string) {
			must(iap.NewTunnelInstanceIAMMember(ctx, name, &iap.TunnelInstanceIAMMemberArgs{Instance: to, Zone: str(region + "-a"), Role: pulumi.String(role), Member: pulumi.String("group:ops@example.com")}))
		}
		tunnel("tunnel", forwarder.Name, "roles/iap.tunnelResourceAccessor")
		tunnel("tunnel-role", forwarder.Name, "roles/compute.osLogin")
		tunnel("tunnel-nowhere", pulumi.String("none"), "roles/iap.tunnelResourceAccessor")
		must(compute.NewAddress(ctx, "address", &compute.AddressArgs{AddressType: str("INTERNAL"), Subnetwork: link, Address: str("10.0.0.9")}))
		must(compute.NewAddress(ctx, "address-outside", &compute.AddressArgs{AddressType: str("INTERNAL"), Subnetwork: link, Address: str("10.1.0.9")}))
		must(compute.NewProjectMetadataItem(ctx, "oslogin", &compute.ProjectMetadataItemArgs{Key: pulumi.String("enable-oslogin"), Value: pulumi.String("TRUE")}))
		return nil
	}, simtest.Refusals{
		"zone": "Unknown zone", "other-region": "is in region europe-west3, the instance in zone europe-west1-b", "lost": "was not found", "account": "of type 'serviceAccount' was not found", "scopes": "At least one scope is required",
		"disk": "useToEncrypt' denied", "tunnel-role": "is not supported for this resource", "tunnel-nowhere": "was not found", "address-outside": "must be in the range of the subnetwork",
	})
	for _, o := range cloud.Objects("gcp:iap/tunnelInstanceIAMMember:TunnelInstanceIAMMember") {
		if want := "projects/redoubt-test/iap_tunnel/zones/europe-west3-a/instances/forwarder/roles/iap.tunnelResourceAccessor/group:ops@example.com"; o.ID != want {
			t.Errorf("id %s", o.ID)
		}
	}
}

func TestAMachineStopsToChange(t *testing.T) {
	t.Parallel()
	e := simtest.New(t, open(t), settings)
	program := func(kind string, stop, protect bool) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			net := newNetwork(ctx, "main", pulumi.Bool(true))
			subnet := must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Network: net.ID(), IpCidrRange: pulumi.String("10.0.0.0/24")}))
			machine(ctx, "forwarder", subnet.SelfLink.ToStringPtrOutput(), func(a *compute.InstanceArgs) {
				a.MachineType, a.AllowStoppingForUpdate, a.DeletionProtection = pulumi.String(kind), pulumi.BoolPtr(stop), pulumi.BoolPtr(protect)
			})
			return nil
		}
	}
	e.MustUp(program("e2-small", false, true))
	_, err := e.Up(program("e2-medium", false, true))
	says(t, err, "set allow_stopping_for_update = true")
	if result := e.MustUp(program("e2-medium", true, true)); result.Updates() != 1 || result.Replaces() != 0 {
		t.Errorf("%v", result.Changes)
	}
	says(t, e.Destroy(), "Error 412", "protected against deletion")
	e.MustUp(program("e2-medium", true, false))
	if err := e.Destroy(); err != nil {
		t.Error(err)
	}
}

func TestTunnelsAreRefused(t *testing.T) {
	t.Parallel()
	simtest.Refused(t, open(t), settings, func(ctx *pulumi.Context) error {
		net := newNetwork(ctx, "main", pulumi.Bool(true))
		router := must(compute.NewRouter(ctx, "router", &compute.RouterArgs{Name: str("router"), Network: net.ID(), Bgp: &compute.RouterBgpArgs{Asn: pulumi.Int(64514)}}))
		gateway := must(compute.NewHaVpnGateway(ctx, "gateway", &compute.HaVpnGatewayArgs{Network: net.ID()}))
		peer := must(compute.NewExternalVpnGateway(ctx, "office", &compute.ExternalVpnGatewayArgs{RedundancyType: str("SINGLE_IP_INTERNALLY_REDUNDANT"),
			Interfaces: compute.ExternalVpnGatewayInterfaceArray{&compute.ExternalVpnGatewayInterfaceArgs{Id: pulumi.IntPtr(0), IpAddress: str("198.51.100.1")}}}))
		tunnel := func(name string, change func(*compute.VPNTunnelArgs)) *compute.VPNTunnel {
			args := &compute.VPNTunnelArgs{VpnGateway: gateway.ID().ToStringOutput().ToStringPtrOutput(), VpnGatewayInterface: pulumi.IntPtr(0), Router: router.ID().ToStringOutput().ToStringPtrOutput(),
				PeerExternalGateway: peer.ID().ToStringOutput().ToStringPtrOutput(), PeerExternalGatewayInterface: pulumi.IntPtr(0), SharedSecret: pulumi.String("long and random")}
			change(args)
			return must(compute.NewVPNTunnel(ctx, name, args))
		}
		works := tunnel("tunnel", func(*compute.VPNTunnelArgs) {})
		tunnel("no-router", func(a *compute.VPNTunnelArgs) { a.Router = nil })
		tunnel("no-interface", func(a *compute.VPNTunnelArgs) { a.VpnGatewayInterface = nil })
		tunnel("no-peer", func(a *compute.VPNTunnelArgs) { a.PeerExternalGateway = nil })
		tunnel("gateway-lost", func(a *compute.VPNTunnelArgs) { a.VpnGateway = str("none") })
		inside := must(compute.NewRouterInterface(ctx, "inside", &compute.RouterInterfaceArgs{Name: str("inside"), Router: router.Name, IpRange: str("169.254.0.1/30"), VpnTunnel: works.Name}))
		session := func(name string, on pulumi.StringInput) {
			must(compute.NewRouterPeer(ctx, name, &compute.RouterPeerArgs{Router: router.Name, Interface: on, PeerAsn: pulumi.Int(64515), PeerIpAddress: str("169.254.0.2")}))
		}
		session("session", inside.Name)
		session("session-nowhere", pulumi.String("none"))
		return nil
	}, simtest.Refusals{"no-router": "needs a router", "no-interface": "interface of the HA VPN gateway", "no-peer": "one of peerExternalGateway", "gateway-lost": "was not found", "session-nowhere": "does not exist on router"})
}

func TestNamesAreRefused(t *testing.T) {
	t.Parallel()
	zoneArgs := func(dnsName string, network pulumi.StringInput) *dns.ManagedZoneArgs {
		return &dns.ManagedZoneArgs{DnsName: pulumi.String(dnsName), Visibility: str("private"), PrivateVisibilityConfig: &dns.ManagedZonePrivateVisibilityConfigArgs{
			Networks: dns.ManagedZonePrivateVisibilityConfigNetworkArray{&dns.ManagedZonePrivateVisibilityConfigNetworkArgs{NetworkUrl: network}}}}
	}
	recordArgs := func(zone pulumi.StringInput, name, kind string, data ...string) *dns.RecordSetArgs {
		return &dns.RecordSetArgs{ManagedZone: zone, Name: pulumi.String(name), Type: pulumi.String(kind), Ttl: pulumi.IntPtr(300), Rrdatas: texts(data...)}
	}
	simtest.Unplanned(t, open(t), settings, func(ctx *pulumi.Context) error {
		must(dns.NewManagedZone(ctx, "zone", zoneArgs("googleapis.com.", pulumi.String("n"))))
		must(dns.NewManagedZone(ctx, "no-dot", zoneArgs("googleapis.com", pulumi.String("n"))))
		must(dns.NewRecordSet(ctx, "record", recordArgs(pulumi.String("z"), "*.gcr.io.", "CNAME", "gcr.io.")))
		must(dns.NewRecordSet(ctx, "address", recordArgs(pulumi.String("z"), "gcr.io.", "A", "restricted.googleapis.com.")))
		must(dns.NewRecordSet(ctx, "alias", recordArgs(pulumi.String("z"), "*.gcr.io.", "CNAME", "gcr.io")))
		return nil
	}, simtest.Refusals{"no-dot": "ends with a dot", "address": "is not an IPv4 address", "alias": "ends with a dot"})

	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(func(ctx *pulumi.Context) error {
		net := newNetwork(ctx, "main", pulumi.Bool(true))
		z := zoneArgs("gcr.io.", net.SelfLink)
		z.Name = str("gcr")
		must(dns.NewManagedZone(ctx, "gcr", z))
		return nil
	})
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		must(dns.NewManagedZone(ctx, "second", zoneArgs("gcr.io.", pulumi.String("main"))))
		must(dns.NewManagedZone(ctx, "other", zoneArgs("pkg.dev.", pulumi.String("projects/redoubt-test/global/networks/main"))))
		must(dns.NewManagedZone(ctx, "lost", zoneArgs("pkg.dev.", pulumi.String("none"))))
		zone := pulumi.String("gcr")
		apex := must(dns.NewRecordSet(ctx, "apex", recordArgs(zone, "gcr.io.", "A", "199.36.153.4")))
		must(dns.NewRecordSet(ctx, "apex-alias", recordArgs(zone, "gcr.io.", "CNAME", "x.gcr.io."), after(apex)))
		must(dns.NewRecordSet(ctx, "alone", recordArgs(zone, "a.gcr.io.", "CNAME", "gcr.io.")))
		must(dns.NewRecordSet(ctx, "outside", recordArgs(zone, "pkg.dev.", "A", "199.36.153.4")))
		must(dns.NewRecordSet(ctx, "no-zone", recordArgs(pulumi.String("none"), "gcr.io.", "A", "199.36.153.4")))
		return nil
	}, simtest.Refusals{"second": "is already bound to the zone 'gcr'", "lost": "was not found", "apex-alias": "either one CNAME resource record set", "outside": "the zone 'gcr' is for 'gcr.io.'", "no-zone": "was not found"})
	says(t, e.Destroy(), "Error 400: The resource named 'gcr' cannot be deleted because it contains one or more 'resource records'., containerNotEmpty")
}

// A cluster in a shared network needs its project to be the host's guest, and GKE's agent to be let in.
func TestSharedNetworksLetClustersInByName(t *testing.T) {
	t.Parallel()
	const host = "network-host"
	agents := []string{serviceAgent("container-engine-robot"), "serviceAccount:" + gcp.Number(project) + "@cloudservices.gserviceaccount.com"}
	program := func(guest, user, hostAgent bool) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			of := str(host)
			net := must(compute.NewNetwork(ctx, "shared", &compute.NetworkArgs{Name: str("shared"), Project: of, AutoCreateSubnetworks: no()}))
			subnet := must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Project: of, Network: net.ID(), IpCidrRange: pulumi.String("10.0.0.0/22"),
				PrivateIpGoogleAccess: yes(), SecondaryIpRanges: secondary("10.20.0.0/16", "10.30.0.0/20")}))
			held := []pulumi.Resource{subnet}
			if guest {
				first := must(compute.NewSharedVPCHostProject(ctx, "host", &compute.SharedVPCHostProjectArgs{Project: pulumi.String(host)}))
				held = append(held, must(compute.NewSharedVPCServiceProject(ctx, "guest", &compute.SharedVPCServiceProjectArgs{HostProject: first.Project, ServiceProject: pulumi.String(project)})))
			}
			for i, each := range agents {
				if user {
					held = append(held, must(compute.NewSubnetworkIAMMember(ctx, []string{"gke", "apis"}[i], &compute.SubnetworkIAMMemberArgs{Project: of, Region: str(region), Subnetwork: subnet.Name,
						Role: pulumi.String("roles/compute.networkUser"), Member: pulumi.String(each)})))
				}
			}
			if hostAgent {
				held = append(held, must(projects.NewIAMMember(ctx, "host-agent", &projects.IAMMemberArgs{Project: pulumi.String(host), Role: pulumi.String("roles/container.hostServiceAgentUser"), Member: pulumi.String(agents[0])})))
			}
			must(container.NewCluster(ctx, "main", &container.ClusterArgs{Network: net.ID(), Subnetwork: subnet.ID(), InitialNodeCount: pulumi.IntPtr(1), DeletionProtection: no(),
				IpAllocationPolicy: &container.ClusterIpAllocationPolicyArgs{ClusterSecondaryRangeName: str("pods"), ServicesSecondaryRangeName: str("services")}}, after(held...)))
			return nil
		}
	}
	for _, test := range []struct {
		program pulumi.RunFunc
		want    string
	}{{program(false, true, true), "project redoubt-test is no service project of network-host"}, {program(true, true, false), "roles/container.hostServiceAgentUser"},
		{program(true, false, true), "Required 'compute.subnetworks.use' permission"}} {
		_, err := simtest.New(t, open(t), settings).Up(test.program)
		says(t, err, test.want)
	}
	e := simtest.New(t, open(t), settings)
	e.MustUp(program(true, true, true))
	if err := e.Destroy(); err != nil || len(e.Cloud.Objects()) > 0 {
		t.Errorf("%v; left: %v", err, e.Cloud.Objects())
	}
}
