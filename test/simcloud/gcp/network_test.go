package gcp_test

import (
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// rule is a firewall rule that works, changed.
func rule(ctx *pulumi.Context, name string, network pulumi.StringInput, change func(*compute.FirewallArgs)) *compute.Firewall {
	args := &compute.FirewallArgs{Network: network, SourceRanges: pulumi.ToStringArray([]string{"10.0.0.0/8"}),
		Allows: compute.FirewallAllowArray{&compute.FirewallAllowArgs{Protocol: pulumi.String("tcp"), Ports: pulumi.ToStringArray([]string{"443", "30000-32767"})}}}
	change(args)
	return must(compute.NewFirewall(ctx, name, args))
}

func allowing(protocol string, ports ...string) compute.FirewallAllowArray {
	return compute.FirewallAllowArray{&compute.FirewallAllowArgs{Protocol: pulumi.String(protocol), Ports: pulumi.ToStringArray(ports)}}
}

func texts(list ...string) pulumi.StringArray { return pulumi.ToStringArray(list) }

func TestPlansOfNetworksAreRefused(t *testing.T) {
	t.Parallel()
	net := pulumi.String("n")
	simtest.Unplanned(t, open(t), settings, func(ctx *pulumi.Context) error {
		must(compute.NewNetwork(ctx, "fine", &compute.NetworkArgs{Mtu: pulumi.IntPtr(8896), RoutingMode: str("GLOBAL")}))
		must(compute.NewNetwork(ctx, "mtu", &compute.NetworkArgs{Mtu: pulumi.IntPtr(9000)}))
		must(compute.NewNetwork(ctx, "named", &compute.NetworkArgs{Name: str("Main_Net")}))
		must(compute.NewNetwork(ctx, "dash", &compute.NetworkArgs{Name: str("main-")}))
		subnet := func(name, cidr string, logs *compute.SubnetworkLogConfigArgs) {
			args := &compute.SubnetworkArgs{Network: net, IpCidrRange: pulumi.String(cidr), SecondaryIpRanges: secondary("10.1.0.0/16", "10.2.0.0/20")}
			if logs != nil {
				args.LogConfig = logs
			}
			must(compute.NewSubnetwork(ctx, name, args))
		}
		subnet("subnet", "10.0.0.0/20", &compute.SubnetworkLogConfigArgs{AggregationInterval: str("INTERVAL_5_SEC"), FlowSampling: pulumi.Float64Ptr(0.5), Metadata: str("CUSTOM_METADATA"), MetadataFields: texts("src_gke_details")})
		subnet("small", "10.0.0.0/30", nil)
		subnet("host-bits", "10.0.0.1/20", nil)
		subnet("interval", "10.0.0.0/20", &compute.SubnetworkLogConfigArgs{AggregationInterval: str("INTERVAL_2_MIN")})
		subnet("sampling", "10.0.0.0/20", &compute.SubnetworkLogConfigArgs{FlowSampling: pulumi.Float64Ptr(50)})
		subnet("fields", "10.0.0.0/20", &compute.SubnetworkLogConfigArgs{Metadata: str("INCLUDE_ALL_METADATA"), MetadataFields: texts("src_gke_details")})
		must(compute.NewSubnetwork(ctx, "twice", &compute.SubnetworkArgs{Network: net, IpCidrRange: pulumi.String("10.0.0.0/20"), SecondaryIpRanges: compute.SubnetworkSecondaryIpRangeArray{
			&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String("pods"), IpCidrRange: pulumi.String("10.1.0.0/16")}, &compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String("pods"), IpCidrRange: pulumi.String("10.2.0.0/16")}}}))

		rule(ctx, "rule", net, func(a *compute.FirewallArgs) { a.Priority, a.TargetTags = pulumi.IntPtr(0), texts("gke-node") })
		rule(ctx, "lowest", net, func(a *compute.FirewallArgs) { a.Priority = pulumi.IntPtr(65535) })
		rule(ctx, "priority", net, func(a *compute.FirewallArgs) { a.Priority = pulumi.IntPtr(65536) })
		rule(ctx, "both", net, func(a *compute.FirewallArgs) {
			a.Denies = compute.FirewallDenyArray{&compute.FirewallDenyArgs{Protocol: pulumi.String("udp")}}
		})
		rule(ctx, "neither", net, func(a *compute.FirewallArgs) { a.Allows = nil })
		rule(ctx, "tags-and-accounts", net, func(a *compute.FirewallArgs) {
			a.TargetTags, a.TargetServiceAccounts = texts("node"), texts("node@redoubt-test.iam.gserviceaccount.com")
		})
		rule(ctx, "no-source", net, func(a *compute.FirewallArgs) { a.SourceRanges = nil })
		rule(ctx, "out-with-source", net, func(a *compute.FirewallArgs) { a.Direction = str("EGRESS") })
		rule(ctx, "out", net, func(a *compute.FirewallArgs) {
			a.Direction, a.SourceRanges, a.DestinationRanges = str("EGRESS"), nil, texts("0.0.0.0/0")
		})
		rule(ctx, "range", net, func(a *compute.FirewallArgs) { a.SourceRanges = texts("10.0.0.1/8") })
		rule(ctx, "tag", net, func(a *compute.FirewallArgs) { a.TargetTags = texts("Node_Pool") })
		rule(ctx, "direction", net, func(a *compute.FirewallArgs) { a.Direction = str("OUT") })

		hop := func(name string, change func(*compute.RouteArgs)) {
			args := &compute.RouteArgs{Network: net, DestRange: pulumi.String("199.36.153.4/30"), NextHopGateway: str("default-internet-gateway")}
			change(args)
			must(compute.NewRoute(ctx, name, args))
		}
		hop("route", func(*compute.RouteArgs) {})
		hop("route-nowhere", func(a *compute.RouteArgs) { a.NextHopGateway = nil })
		hop("route-twice", func(a *compute.RouteArgs) { a.NextHopIp = str("10.0.0.2") })
		bgp := func(name string, asn int) {
			must(compute.NewRouter(ctx, name, &compute.RouterArgs{Network: net, Bgp: &compute.RouterBgpArgs{Asn: pulumi.Int(asn)}}))
		}
		bgp("router", 64512)
		bgp("router-public", 15169)
		must(compute.NewRouterNat(ctx, "nat", &compute.RouterNatArgs{Router: pulumi.String("r"), SourceSubnetworkIpRangesToNat: pulumi.String("ALL")}))
		must(compute.NewInstance(ctx, "machine", &compute.InstanceArgs{MachineType: pulumi.String("huge"), BootDisk: &compute.InstanceBootDiskArgs{},
			NetworkInterfaces: compute.InstanceNetworkInterfaceArray{&compute.InstanceNetworkInterfaceArgs{Subnetwork: str("s")}}}))
		return nil
	}, simtest.Refusals{
		"mtu": "(1300 - 8896)", "named": "doesn't match regexp", "dash": "doesn't match regexp", "small": "between 4 and 29 significant bits", "host-bits": `did you mean "10.0.0.0/20"`,
		"interval": "INTERVAL_5_SEC", "sampling": "(0 - 1)", "fields": "CUSTOM_METADATA", "twice": "there twice",
		"priority": "(0 - 65535)", "both": "exactly one of `allows,denies`", "neither": "exactly one of `allows,denies`", "tags-and-accounts": "conflicts with targetTags",
		"no-source": "one of source_tags, source_ranges, or source_service_accounts must be defined", "out-with-source": "cannot be set for a rule with direction EGRESS",
		"range": "did you mean", "tag": "doesn't match regexp", "direction": "to be one of [INGRESS EGRESS]",
		"route-nowhere": "exactly one of `nextHopGateway", "route-twice": "exactly one of `nextHopGateway", "router-public": "RFC6996", "nat": "ALL_SUBNETWORKS_ALL_IP_RANGES",
		"machine": "boot disk must include",
	})
}

func TestNetworksAreRefused(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.Refused(t, cloud, settings, func(ctx *pulumi.Context) error {
		main := newNetwork(ctx, "main", pulumi.Bool(true))
		taken := must(compute.NewNetwork(ctx, "auto", &compute.NetworkArgs{Name: str("auto")}))
		subnet := func(name, cidr string, in pulumi.StringInput, more compute.SubnetworkSecondaryIpRangeArray, options ...pulumi.ResourceOption) *compute.Subnetwork {
			return must(compute.NewSubnetwork(ctx, name, &compute.SubnetworkArgs{Name: str(name), Network: in, IpCidrRange: pulumi.String(cidr), SecondaryIpRanges: more}, options...))
		}
		first := subnet("first", "10.0.0.0/20", main.ID(), secondary("10.1.0.0/16", "10.2.0.0/20"))
		subnet("by-link", "10.0.16.0/20", main.SelfLink, nil, after(first))
		subnet("by-name", "100.64.0.0/16", main.Name, nil, after(first))
		subnet("overlap", "10.0.8.0/21", main.ID(), nil, after(first))
		subnet("in-pods", "10.1.4.0/24", main.ID(), nil, after(first))
		subnet("pods-over", "10.0.32.0/20", main.ID(), secondary("10.2.8.0/21", "10.3.0.0/20"), after(first))
		subnet("own-overlap", "10.0.48.0/20", main.ID(), secondary("10.4.0.0/16", "10.4.16.0/20"), after(first))
		subnet("public", "8.8.8.0/24", main.ID(), nil)
		subnet("link-local", "169.254.0.0/24", main.ID(), nil)
		subnet("in-auto", "10.128.0.0/24", taken.ID(), nil)
		subnet("beside-auto", "10.0.0.0/24", taken.ID(), nil)
		subnet("nowhere", "10.9.0.0/24", pulumi.String("missing"), nil)
		must(compute.NewSubnetwork(ctx, "region", &compute.SubnetworkArgs{Network: main.ID(), IpCidrRange: pulumi.String("10.8.0.0/24"), Region: str("europe-middle1")}))
		must(compute.NewNetwork(ctx, "again", &compute.NetworkArgs{Name: str("main")}, after(main)))

		rule(ctx, "rule", main.SelfLink, func(*compute.FirewallArgs) {})
		rule(ctx, "icmp", main.SelfLink, func(a *compute.FirewallArgs) { a.Allows = allowing("icmp") })
		rule(ctx, "icmp-port", main.SelfLink, func(a *compute.FirewallArgs) { a.Allows = allowing("icmp", "8") })
		rule(ctx, "protocol", main.SelfLink, func(a *compute.FirewallArgs) { a.Allows = allowing("https") })
		rule(ctx, "backwards", main.SelfLink, func(a *compute.FirewallArgs) { a.Allows = allowing("tcp", "444-443") })
		rule(ctx, "account", main.SelfLink, func(a *compute.FirewallArgs) { a.TargetServiceAccounts = texts("node") })
		rule(ctx, "lost", pulumi.String("missing"), func(*compute.FirewallArgs) {})

		route := func(name, dest, gateway string) {
			must(compute.NewRoute(ctx, name, &compute.RouteArgs{Network: main.ID(), DestRange: pulumi.String(dest), NextHopGateway: str(gateway)}, after(first)))
		}
		route("vip", "199.36.153.4/30", "default-internet-gateway")
		route("inside", "10.0.0.0/24", "default-internet-gateway")
		route("gateway", "0.0.0.0/0", "internet")

		router := must(compute.NewRouter(ctx, "router", &compute.RouterArgs{Name: str("router"), Network: main.ID()}))
		nat := func(name, option string, list compute.RouterNatSubnetworkArray, options ...pulumi.ResourceOption) *compute.RouterNat {
			return must(compute.NewRouterNat(ctx, name, &compute.RouterNatArgs{Router: router.Name, NatIpAllocateOption: str("AUTO_ONLY"), SourceSubnetworkIpRangesToNat: pulumi.String(option), Subnetworks: list}, options...))
		}
		all := nat("nat", "ALL_SUBNETWORKS_ALL_IP_RANGES", nil)
		nat("second", "ALL_SUBNETWORKS_ALL_IP_RANGES", nil, after(all))
		nat("no-list", "LIST_OF_SUBNETWORKS", nil)
		must(compute.NewRouterNat(ctx, "manual", &compute.RouterNatArgs{Router: router.Name, NatIpAllocateOption: str("MANUAL_ONLY"), SourceSubnetworkIpRangesToNat: pulumi.String("ALL_SUBNETWORKS_ALL_IP_RANGES")}, after(all)))
		must(compute.NewRouterNat(ctx, "no-router", &compute.RouterNatArgs{Router: pulumi.String("missing"), NatIpAllocateOption: str("AUTO_ONLY"), SourceSubnetworkIpRangesToNat: pulumi.String("ALL_SUBNETWORKS_ALL_IP_RANGES")}))
		return nil
	}, simtest.Refusals{
		"overlap":   "Invalid IPCidrRange: 10.0.8.0/21 conflicts with existing subnetwork 'first' in region 'europe-west3'.",
		"in-pods":   "conflicts with existing subnetwork 'first'",
		"pods-over": "Invalid IPCidrRange: 10.2.8.0/21 conflicts with existing subnetwork 'first'", "own-overlap": "conflicts with another range of the same subnetwork",
		"public": "is not a range that a subnetwork may have", "link-local": "is not a range that a subnetwork may have", "in-auto": "conflicts with existing subnetwork 'auto'",
		"nowhere": "Error 404: The resource 'missing' was not found, notFound", "region": "Unknown region",
		"again":     "Error creating Network: googleapi: Error 409: The resource 'projects/redoubt-test/global/networks/main' already exists, alreadyExists",
		"icmp-port": "ports are not allowed for protocol 'icmp'", "protocol": "Must be one of tcp", "backwards": "ports go up", "account": "not a valid email address", "lost": "was not found",
		"inside": "must not lie in that of the subnetwork", "gateway": "global/gateways/default-internet-gateway",
		"second": "Can not create new Nats since a Nat with option ALL_SUBNETWORKS_ALL_IP_RANGES exists.", "no-list": "subnetworks are listed with LIST_OF_SUBNETWORKS",
		"manual": "addresses are given with MANUAL_ONLY", "no-router": "was not found",
	})
	for _, o := range cloud.Objects("gcp:compute/subnetwork:Subnetwork") {
		if want := "projects/redoubt-test/regions/" + o.State.String("region") + "/subnetworks/" + o.State.String("name"); o.ID != want || o.State.String("selfLink") != "https://www.googleapis.com/compute/v1/"+want {
			t.Errorf("id %s, self link %s", o.ID, o.State.String("selfLink"))
		}
	}
}

// A subnetwork grows in place; one that shrinks, and a rule that turns round, are made anew.
func TestNetworksChangeInPlaceWhereTheyCan(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	program := func(cidr, direction string, priority int) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			net := newNetwork(ctx, "main", pulumi.Bool(true))
			must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Network: net.ID(), IpCidrRange: pulumi.String(cidr)}))
			rule(ctx, "rule", net.SelfLink, func(a *compute.FirewallArgs) {
				a.Priority, a.Direction = pulumi.IntPtr(priority), str(direction)
				if direction == "EGRESS" {
					a.SourceRanges, a.DestinationRanges = nil, texts("10.0.0.0/8")
				}
			})
			return nil
		}
	}
	e.MustUp(program("10.0.0.0/22", "INGRESS", 1000))
	if result := e.MustUp(program("10.0.0.0/20", "INGRESS", 900)); result.Updates() != 2 || result.Replaces() != 0 {
		t.Errorf("growing: %v", result.Changes)
	}
	if result, err := e.Preview(program("10.0.0.0/21", "EGRESS", 900)); err != nil || result.Replaces() != 2 {
		t.Errorf("shrinking and turning round: %v %v", result.Changes, err)
	}
}

func TestANetworkInUseCannotGo(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(func(ctx *pulumi.Context) error { newNetwork(ctx, "main", pulumi.Bool(false)); return nil })
	if n := len(cloud.Objects("gcp:compute/route:Route")); n != 1 {
		t.Errorf("%d routes came with the network", n)
	}
	foreign := simtest.New(t, cloud, settings)
	foreign.MustUp(func(ctx *pulumi.Context) error {
		rule(ctx, "theirs", pulumi.String("projects/redoubt-test/global/networks/main"), func(*compute.FirewallArgs) {})
		return nil
	})
	theirs := cloud.Objects("gcp:compute/firewall:Firewall")[0].ID
	says(t, e.Destroy(), "Error waiting for Deleting Network: The network resource 'projects/redoubt-test/global/networks/main' is already being used by '"+theirs+"'")
	if err := foreign.Destroy(); err != nil {
		t.Fatal(err)
	}
	if err := e.Destroy(); err != nil || len(cloud.Objects()) > 0 {
		t.Errorf("%v; left: %v", err, cloud.Objects())
	}
}
