package gcp_test

import (
	"fmt"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/binaryauthorization"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/dns"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/organizations"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/orgpolicy"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/pubsub"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// Values at the edges of what is taken, before the API is asked.
func TestLimitsOfPlans(t *testing.T) {
	t.Parallel()
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'x'
	}
	simtest.Unplanned(t, open(t), settings, func(ctx *pulumi.Context) error {
		must(serviceaccount.NewAccount(ctx, "description", &serviceaccount.AccountArgs{AccountId: pulumi.String("gke-node"), Description: str(string(long))}))
		must(projects.NewIAMCustomRole(ctx, "no-permissions", &projects.IAMCustomRoleArgs{RoleId: pulumi.String("none"), Title: pulumi.String("x"), Permissions: texts()}))
		must(compute.NewAddress(ctx, "address", &compute.AddressArgs{Address: str("10.0.0")}))
		must(binaryauthorization.NewAttestor(ctx, "attestor", &binaryauthorization.AttestorArgs{AttestationAuthorityNote: &binaryauthorization.AttestorAttestationAuthorityNoteArgs{NoteReference: pulumi.String("n"),
			PublicKeys: binaryauthorization.AttestorAttestationAuthorityNotePublicKeyArray{&binaryauthorization.AttestorAttestationAuthorityNotePublicKeyArgs{
				PkixPublicKey: &binaryauthorization.AttestorAttestationAuthorityNotePublicKeyPkixPublicKeyArgs{PublicKeyPem: str("MIIB")}}}}}))
		must(orgpolicy.NewPolicy(ctx, "constraint", &orgpolicy.PolicyArgs{Parent: pulumi.String("projects/redoubt-test")}))
		newBucket(ctx, "lifecycle", func(a *storage.BucketArgs) {
			a.LifecycleRules = storage.BucketLifecycleRuleArray{&storage.BucketLifecycleRuleArgs{Action: &storage.BucketLifecycleRuleActionArgs{Type: pulumi.String("SetStorageClass")}, Condition: &storage.BucketLifecycleRuleConditionArgs{Age: pulumi.IntPtr(30)}}}
		})
		newBucket(ctx, "aged", func(a *storage.BucketArgs) {
			a.LifecycleRules = storage.BucketLifecycleRuleArray{&storage.BucketLifecycleRuleArgs{Action: &storage.BucketLifecycleRuleActionArgs{Type: pulumi.String("Delete")}, Condition: &storage.BucketLifecycleRuleConditionArgs{Age: pulumi.IntPtr(30)}}}
		})
		newBucket(ctx, "label", func(a *storage.BucketArgs) { a.Labels = pulumi.StringMap{"Owner": pulumi.String("team")} })
		named := func(name string) {
			must(container.NewCluster(ctx, name, &container.ClusterArgs{Name: str(name), InitialNodeCount: pulumi.IntPtr(1)}))
		}
		named("1st")
		maintained := func(name string, policy *container.ClusterMaintenancePolicyArgs) {
			must(container.NewCluster(ctx, name, &container.ClusterArgs{InitialNodeCount: pulumi.IntPtr(1), MaintenancePolicy: policy}))
		}
		maintained("daily", &container.ClusterMaintenancePolicyArgs{DailyMaintenanceWindow: &container.ClusterMaintenancePolicyDailyMaintenanceWindowArgs{StartTime: pulumi.String("03:00")}})
		maintained("nightly", &container.ClusterMaintenancePolicyArgs{DailyMaintenanceWindow: &container.ClusterMaintenancePolicyDailyMaintenanceWindowArgs{StartTime: pulumi.String("3 am")}})
		maintained("often", &container.ClusterMaintenancePolicyArgs{RecurringWindow: &container.ClusterMaintenancePolicyRecurringWindowArgs{StartTime: pulumi.String("2026-01-03T00:00:00Z"), EndTime: pulumi.String("2026-01-03T08:00:00Z"), Recurrence: pulumi.String("weekly")}})
		must(dns.NewManagedZone(ctx, "public", &dns.ManagedZoneArgs{DnsName: pulumi.String("example.com."), PrivateVisibilityConfig: &dns.ManagedZonePrivateVisibilityConfigArgs{
			Networks: dns.ManagedZonePrivateVisibilityConfigNetworkArray{&dns.ManagedZonePrivateVisibilityConfigNetworkArgs{NetworkUrl: pulumi.String("n")}}}}))
		must(dns.NewRecordSet(ctx, "six", &dns.RecordSetArgs{ManagedZone: pulumi.String("z"), Name: pulumi.String("a.example.com."), Type: pulumi.String("AAAA"), Rrdatas: texts("10.0.0.1")}))
		rule(ctx, "unlogged", pulumi.String("n"), func(a *compute.FirewallArgs) {
			a.EnableLogging, a.LogConfig = no(), &compute.FirewallLogConfigArgs{Metadata: pulumi.String("INCLUDE_ALL_METADATA")}
		})
		machine(ctx, "nowhere", nil, nil)
		for name, period := range map[string]string{"century": "3153600000s", "longer": "3153686401s"} {
			must(kms.NewCryptoKey(ctx, name, &kms.CryptoKeyArgs{KeyRing: pulumi.String("projects/p/locations/l/keyRings/r"), RotationPeriod: str(period)}))
		}
		must(kms.NewCryptoKey(ctx, "algorithm", &kms.CryptoKeyArgs{KeyRing: pulumi.String("projects/p/locations/l/keyRings/r"), VersionTemplate: &kms.CryptoKeyVersionTemplateArgs{Algorithm: pulumi.String("RSA_SIGN_PSS_2048_SHA256")}}))
		must(logging.NewProjectSink(ctx, "filter", &logging.ProjectSinkArgs{Destination: pulumi.String("x"), Filter: str(fmt.Sprintf("%20001s", "x"))}))
		must(logging.NewMetric(ctx, "counts-all", &logging.MetricArgs{Filter: pulumi.String(" ")}))
		alert(ctx, "no-conditions", monitoring.AlertPolicyConditionArray{}, nil)
		must(container.NewNodePool(ctx, "quota", &container.NodePoolArgs{Cluster: pulumi.String("c"), NodeConfig: &container.NodePoolNodeConfigArgs{KubeletConfig: &container.NodePoolNodeConfigKubeletConfigArgs{
			CpuManagerPolicy: pulumi.String("static"), CpuCfsQuotaPeriod: str("often")}}}))
		must(pubsub.NewTopic(ctx, "topic", &pubsub.TopicArgs{MessageRetentionDuration: str("60s")}))
		must(compute.NewProjectMetadataItem(ctx, "metadata", &compute.ProjectMetadataItemArgs{Key: pulumi.String(string(long)), Value: pulumi.String("x")}))
		peers := func(name, address string, n int) {
			list := compute.ExternalVpnGatewayInterfaceArray{}
			for range n {
				list = append(list, &compute.ExternalVpnGatewayInterfaceArgs{IpAddress: str(address)})
			}
			must(compute.NewExternalVpnGateway(ctx, name, &compute.ExternalVpnGatewayArgs{RedundancyType: str("TWO_IPS_REDUNDANCY"), Interfaces: list}))
		}
		peers("two", "198.51.100.1", 2)
		peers("one-of-two", "198.51.100.1", 1)
		peers("named-peers", "office.example.com", 2)
		must(compute.NewVPNTunnel(ctx, "classic", &compute.VPNTunnelArgs{SharedSecret: pulumi.String("x"), TargetVpnGateway: str("g")}))
		must(compute.NewRouterPeer(ctx, "asn", &compute.RouterPeerArgs{Router: pulumi.String("r"), Interface: pulumi.String("i"), PeerAsn: pulumi.Int(0)}))
		return nil
	}, simtest.Refusals{
		"description": "(0 - 256)", "no-permissions": "at least 1 permission", "address": "valid IP", "attestor": "public key in PEM", "constraint": "needs a spec", "lifecycle": "belongs to SetStorageClass", "label": "lower-case letter",
		"1st": "must start with a letter", "nightly": "HH:MM", "often": "RFC 5545", "public": "visible to everybody", "six": "is not an IPv6 address", "unlogged": "enable_logging is false", "nowhere": "exactly one of network or subnetwork",
		"longer": "at most 100 years", "algorithm": "is not an algorithm for the purpose", "filter": "at most 20000", "counts-all": "needs a filter", "no-conditions": "at least 1 condition", "quota": "such as 100ms", "topic": "10 minutes",
		"metadata": "at most 128", "one-of-two": "needs 2 interfaces, got 1", "named-peers": "valid IP address", "classic": "no classic VPN gateways", "asn": "1 to 4294967295",
	})
}

// Values at the edges of what the APIs take.
func TestLimitsOfTheAPIs(t *testing.T) {
	t.Parallel()
	simtest.Refused(t, open(t), settings, func(ctx *pulumi.Context) error {
		net := newNetwork(ctx, "main", pulumi.Bool(true))
		subnet := must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Network: net.ID(), IpCidrRange: pulumi.String("10.0.0.0/22")}))
		link := subnet.SelfLink.ToStringPtrOutput()
		must(projects.NewIAMCustomRole(ctx, "wildcard", &projects.IAMCustomRoleArgs{RoleId: pulumi.String("wildcard"), Title: pulumi.String("x"), Permissions: texts("compute.instances.*")}))
		role := must(projects.NewIAMCustomRole(ctx, "reader", &projects.IAMCustomRoleArgs{RoleId: pulumi.String("reader"), Title: pulumi.String("x"), Permissions: texts("compute.instances.get")}))
		must(projects.NewIAMMember(ctx, "custom", &projects.IAMMemberArgs{Project: pulumi.String(project), Role: role.Name, Member: pulumi.String("user:a@example.com")}))
		must(projects.NewIAMMember(ctx, "sometimes-owner", &projects.IAMMemberArgs{Project: pulumi.String(project), Role: pulumi.String("roles/owner"), Member: pulumi.String("user:a@example.com"),
			Condition: &projects.IAMMemberConditionArgs{Title: pulumi.String("t"), Expression: pulumi.String("true")}}))
		member(ctx, "malformed", "roles/viewer", "serviceAccount:node")
		must(projects.NewServiceIdentity(ctx, "identity", &projects.ServiceIdentityArgs{Service: pulumi.String("spaceship.googleapis.com")}))
		must(projects.NewService(ctx, "other-project", &projects.ServiceArgs{Project: str("P"), Service: pulumi.String("dns.googleapis.com")}))

		must(compute.NewAddress(ctx, "external-in", &compute.AddressArgs{Subnetwork: link}))
		global := func(name, kind, at string, bits int, in pulumi.StringPtrInput, options ...pulumi.ResourceOption) *compute.GlobalAddress {
			args := &compute.GlobalAddressArgs{AddressType: str(kind), Purpose: str("VPC_PEERING"), PrefixLength: pulumi.IntPtr(bits), Network: in}
			if at != "" {
				args.Address = str(at)
			}
			return must(compute.NewGlobalAddress(ctx, name, args, options...))
		}
		own := net.ID().ToStringOutput().ToStringPtrOutput()
		peered := global("peered", "INTERNAL", "10.64.0.0", 16, own)
		global("no-network", "INTERNAL", "10.65.0.0", 16, nil)
		global("anywhere", "INTERNAL", "", 16, own)
		global("over", "INTERNAL", "10.0.0.0", 20, own, after(subnet))
		must(compute.NewSubnetwork(ctx, "in-peered", &compute.SubnetworkArgs{Network: net.ID(), IpCidrRange: pulumi.String("10.64.1.0/24")}, after(peered)))
		must(compute.NewSubnetwork(ctx, "proxies", &compute.SubnetworkArgs{Network: net.ID(), IpCidrRange: pulumi.String("10.3.0.0/24"), Purpose: str("REGIONAL_MANAGED_PROXY"), LogConfig: &compute.SubnetworkLogConfigArgs{}}))
		rule(ctx, "many-tags", net.ID(), func(a *compute.FirewallArgs) {
			list := pulumi.StringArray{}
			for i := range 71 {
				list = append(list, pulumi.String(fmt.Sprintf("t%d", i)))
			}
			a.TargetTags = list
		})
		hop := func(name, to string) {
			must(compute.NewRoute(ctx, name, &compute.RouteArgs{Network: net.ID(), DestRange: pulumi.String("192.168.0.0/16"), NextHopIp: str(to)}, after(subnet)))
		}
		hop("hop", "10.0.0.9")
		hop("hop-outside", "10.9.0.9")
		router := must(compute.NewRouter(ctx, "router", &compute.RouterArgs{Name: str("router"), Network: net.ID()}))
		nat := func(name string, change func(*compute.RouterNatArgs)) {
			args := &compute.RouterNatArgs{Router: router.Name, NatIpAllocateOption: str("AUTO_ONLY"), SourceSubnetworkIpRangesToNat: pulumi.String("LIST_OF_SUBNETWORKS"),
				Subnetworks: compute.RouterNatSubnetworkArray{&compute.RouterNatSubnetworkArgs{Name: subnet.SelfLink, SourceIpRangesToNats: texts("ALL_IP_RANGES")}}}
			change(args)
			must(compute.NewRouterNat(ctx, name, args))
		}
		nat("listed", func(*compute.RouterNatArgs) {})
		nat("unallocated", func(a *compute.RouterNatArgs) { a.NatIpAllocateOption = nil })
		nat("mapping", func(a *compute.RouterNatArgs) {
			a.EnableDynamicPortAllocation, a.EnableEndpointIndependentMapping = yes(), yes()
		})
		machine(ctx, "confidential", link, func(a *compute.InstanceArgs) {
			a.ConfidentialInstanceConfig = &compute.InstanceConfidentialInstanceConfigArgs{EnableConfidentialCompute: yes()}
		})

		must(compute.NewSharedVPCServiceProject(ctx, "guest-of-none", &compute.SharedVPCServiceProjectArgs{HostProject: pulumi.String("nobody-host"), ServiceProject: pulumi.String(project)}))
		host := must(compute.NewSharedVPCHostProject(ctx, "host", &compute.SharedVPCHostProjectArgs{Project: pulumi.String("network-host")}))
		must(compute.NewSharedVPCServiceProject(ctx, "guest-of-itself", &compute.SharedVPCServiceProjectArgs{HostProject: host.Project, ServiceProject: pulumi.String("network-host")}))
		guest := must(compute.NewSharedVPCServiceProject(ctx, "guest", &compute.SharedVPCServiceProjectArgs{HostProject: host.Project, ServiceProject: pulumi.String(project)}))
		other := must(compute.NewSharedVPCHostProject(ctx, "other-host", &compute.SharedVPCHostProjectArgs{Project: pulumi.String("second-host")}))
		must(compute.NewSharedVPCServiceProject(ctx, "guest-of-two", &compute.SharedVPCServiceProjectArgs{HostProject: other.Project, ServiceProject: pulumi.String(project)}, after(guest)))

		must(kms.NewKeyRing(ctx, "ring-place", &kms.KeyRingArgs{Location: pulumi.String("mars")}))
		signs := must(kms.NewCryptoKey(ctx, "signs", &kms.CryptoKeyArgs{KeyRing: newRing(ctx, "ring").ID(), Purpose: str("ASYMMETRIC_SIGN")}))
		encrypted := func(name string, key pulumi.StringInput) {
			must(pubsub.NewTopic(ctx, name, &pubsub.TopicArgs{KmsKeyName: key.ToStringOutput().ToStringPtrOutput()}))
		}
		encrypted("key-signs", signs.ID().ToStringOutput())
		encrypted("key-form", pulumi.String("disks"))

		counted := func(name string, change func(*logging.MetricArgs)) {
			args := &logging.MetricArgs{Filter: pulumi.String("severity>=ERROR"), MetricDescriptor: &logging.MetricMetricDescriptorArgs{MetricKind: pulumi.String("DELTA"), ValueType: pulumi.String("INT64"),
				Labels: logging.MetricMetricDescriptorLabelArray{&logging.MetricMetricDescriptorLabelArgs{Key: pulumi.String("user")}}}}
			change(args)
			must(logging.NewMetric(ctx, name, args))
		}
		counted("counted", func(a *logging.MetricArgs) {
			a.LabelExtractors = pulumi.StringMap{"user": pulumi.String("EXTRACT(protoPayload.authenticationInfo.principalEmail)")}
		})
		counted("extractor", func(a *logging.MetricArgs) {
			a.LabelExtractors = pulumi.StringMap{"user": pulumi.String("protoPayload")}
		})
		counted("value", func(a *logging.MetricArgs) { a.ValueExtractor = str("EXTRACT(x)") })
		logs := func(name, at, id string) {
			must(logging.NewProjectBucketConfig(ctx, name, &logging.ProjectBucketConfigArgs{Project: pulumi.String(project), Location: pulumi.String(at), BucketId: pulumi.String(id)}))
		}
		logs("logs-default", "global", "_Default")
		logs("logs-place", "mars", "audit")
		logs("logs-required", "global", "_Required")
		sink := func(name, called, to string) {
			must(logging.NewProjectSink(ctx, name, &logging.ProjectSinkArgs{Name: str(called), Destination: pulumi.String(to)}))
		}
		sink("sink-topic", "a", "pubsub.googleapis.com/projects/redoubt-test/topics/none")
		sink("sink-bucket", "b", "logging.googleapis.com/projects/redoubt-test/locations/global/buckets/none")
		sink("sink-required", "_Required", "logging.googleapis.com/projects/redoubt-test/locations/global/buckets/_Required")
		must(monitoring.NewNotificationChannel(ctx, "channel", &monitoring.NotificationChannelArgs{Type: pulumi.String("pubsub"), Labels: pulumi.StringMap{"topic": pulumi.String("projects/redoubt-test/topics/none")}}))
		matched := &monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String("x"), ConditionMatchedLog: &monitoring.AlertPolicyConditionConditionMatchedLogArgs{Filter: pulumi.String("severity>=ERROR")}}
		alert(ctx, "two-logs", monitoring.AlertPolicyConditionArray{matched, matched}, nil)
		alert(ctx, "limited", threshold(`resource.type="x" AND metric.type="compute.googleapis.com/x"`, "0s"), func(a *monitoring.AlertPolicyArgs) {
			a.AlertStrategy = &monitoring.AlertPolicyAlertStrategyArgs{NotificationRateLimit: &monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs{Period: str("300s")}}
		})
		virtual := func(name string, config *artifactregistry.RepositoryVirtualRepositoryConfigArgs) {
			args := &artifactregistry.RepositoryArgs{RepositoryId: pulumi.String(name), Format: pulumi.String("DOCKER"), Mode: str("VIRTUAL_REPOSITORY")}
			if config != nil {
				args.VirtualRepositoryConfig = config
			}
			must(artifactregistry.NewRepository(ctx, name, args))
		}
		virtual("virtual", nil)
		virtual("upstream", &artifactregistry.RepositoryVirtualRepositoryConfigArgs{UpstreamPolicies: artifactregistry.RepositoryVirtualRepositoryConfigUpstreamPolicyArray{
			&artifactregistry.RepositoryVirtualRepositoryConfigUpstreamPolicyArgs{Id: str("x"), Repository: str("projects/redoubt-test/locations/europe-west3/repositories/none"), Priority: pulumi.IntPtr(1)}}})
		resolver := func(name string, options ...pulumi.ResourceOption) *dns.Policy {
			return must(dns.NewPolicy(ctx, name, &dns.PolicyArgs{EnableLogging: yes(), Networks: dns.PolicyNetworkArray{&dns.PolicyNetworkArgs{NetworkUrl: net.SelfLink}}}, options...))
		}
		resolver("second-policy", after(resolver("policy")))
		z := must(dns.NewManagedZone(ctx, "zone", &dns.ManagedZoneArgs{DnsName: pulumi.String("gcr.io.")}))
		must(dns.NewRecordSet(ctx, "apex", &dns.RecordSetArgs{ManagedZone: z.Name, Name: pulumi.String("gcr.io."), Type: pulumi.String("CNAME"), Rrdatas: texts("example.com.")}))
		return nil
	}, simtest.Refusals{
		"wildcard": "is not valid", "sometimes-owner": "conditions are not allowed for the basic role", "malformed": "is no serviceAccount", "identity": "no service identity", "other-project": "Error 403",
		"external-in": "External addresses have no subnetwork", "no-network": "needs a network", "anywhere": "chooses no internal global address", "over": "overlaps with", "in-peered": "conflicts with the range 10.64.0.0/16 (reserved)",
		"proxies": "Flow logs are not supported", "many-tags": "at most 70", "hop-outside": "must lie in a subnetwork of the network", "unallocated": "not specified", "mapping": "cannot be enabled at the same time",
		"confidential": "does not support confidential computing", "guest-of-none": "is not a shared VPC host project", "guest-of-itself": "cannot be its own", "guest-of-two": "already linked to another shared VPC host",
		"ring-place": "does not exist", "key-signs": "must be ENCRYPT_DECRYPT", "key-form": "is not the name of a key", "extractor": "must be EXTRACT", "value": "belongs to a metric of value type DISTRIBUTION",
		"logs-place": "is not supported for log buckets", "logs-required": "400 days", "sink-topic": "destination topic", "sink-bucket": "destination bucket", "sink-required": "cannot be changed", "channel": "the topic does not exist",
		"two-logs": "no other conditions", "limited": "only log match conditions", "virtual": "A virtual repository has", "upstream": "was not found", "second-policy": "is already bound to the policy", "apex": "invalidZoneApex",
	})
}

func TestFunctionsRefuse(t *testing.T) {
	t.Parallel()
	simtest.New(t, open(t), settings).MustUp(func(ctx *pulumi.Context) error {
		for name, call := range map[string]func() error{
			"zones": func() error {
				_, err := compute.GetZones(ctx, &compute.GetZonesArgs{Region: pulumi.StringRef("mars")})
				return err
			},
			"project": func() error {
				_, err := organizations.LookupProject(ctx, &organizations.LookupProjectArgs{ProjectId: pulumi.StringRef("P")})
				return err
			},
			"versions": func() error {
				_, err := container.GetEngineVersions(ctx, &container.GetEngineVersionsArgs{Location: pulumi.StringRef("mars")})
				return err
			},
			"key": func() error {
				_, err := kms.GetKMSCryptoKey(ctx, &kms.GetKMSCryptoKeyArgs{KeyRing: "r", Name: "k"})
				return err
			},
			"ring": func() error {
				_, err := kms.GetKMSKeyRing(ctx, &kms.GetKMSKeyRingArgs{Location: region, Name: "r"})
				return err
			},
			"subnet": func() error {
				_, err := compute.LookupSubnetwork(ctx, &compute.LookupSubnetworkArgs{Name: pulumi.StringRef("none")})
				return err
			},
		} {
			if call() == nil {
				t.Errorf("%s: something was found that does not exist", name)
			}
		}
		return nil
	})
}

// What others still use does not go, nor changes under them.
func TestWhatIsUsedStays(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	first := simtest.New(t, cloud, settings)
	first.MustUp(func(ctx *pulumi.Context) error {
		must(monitoring.NewNotificationChannel(ctx, "mail", &monitoring.NotificationChannelArgs{Type: pulumi.String("email"), Labels: pulumi.StringMap{"email_address": pulumi.String("a@example.com")}}))
		must(compute.NewSharedVPCHostProject(ctx, "host", &compute.SharedVPCHostProjectArgs{Project: pulumi.String("network-host")}))
		return nil
	})
	channel := cloud.Objects("gcp:monitoring/notificationChannel:NotificationChannel")[0].ID
	second := simtest.New(t, cloud, settings)
	second.MustUp(func(ctx *pulumi.Context) error {
		alert(ctx, "alert", threshold(`resource.type="x" AND metric.type="compute.googleapis.com/x"`, "0s"), func(a *monitoring.AlertPolicyArgs) { a.NotificationChannels = texts(channel) })
		must(compute.NewSharedVPCServiceProject(ctx, "guest", &compute.SharedVPCServiceProjectArgs{HostProject: pulumi.String("network-host"), ServiceProject: pulumi.String(project)}))
		return nil
	})
	first.Continue = true
	says(t, first.Destroy(), "is used by alert policy", "active service projects (redoubt-test)")
	if err := second.Destroy(); err != nil {
		t.Error(err)
	}
	if err := first.Destroy(); err != nil {
		t.Error(err)
	}
}
