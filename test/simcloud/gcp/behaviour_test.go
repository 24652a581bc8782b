package gcp_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/organizations"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const (
	networkToken  = "gcp:compute/network:Network"
	subnetToken   = "gcp:compute/subnetwork:Subnetwork"
	firewallToken = "gcp:compute/firewall:Firewall"
	clusterToken  = "gcp:container/cluster:Cluster"
)

func TestUnknownTypesAndPropertiesAreRefused(t *testing.T) {
	t.Parallel()
	raw := func(token string, properties pulumi.Map) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			var made pulumi.CustomResourceState
			return ctx.RegisterResource(token, "raw", properties, &made)
		}
	}
	e := simtest.New(t, open(t), settings)
	_, err := e.Preview(raw("gcp:sql/databaseInstance:DatabaseInstance", pulumi.Map{}))
	says(t, err, "gcp:sql/databaseInstance:DatabaseInstance is not a type that the simulated gcp knows")
	_, err = e.Preview(raw(networkToken, pulumi.Map{"autoCreateSubnetwork": pulumi.Bool(false), "mtu": pulumi.String("1460")}))
	says(t, err, "resource 'raw' has a problem", `autoCreateSubnetwork is not expected here; did you mean "autoCreateSubnetworks"?`, "Examine values at 'raw.autoCreateSubnetwork'", "expected a number")
	_, err = e.Preview(raw(subnetToken, pulumi.Map{"ipCidrRange": pulumi.String("10.0.0.0/20")}))
	says(t, err, `the argument "network" is required`)
	_, err = e.Preview(raw(clusterToken, pulumi.Map{"privateClusterConfig": pulumi.Map{"privateEndpointEnforcementEnabled": pulumi.Bool(true)}, "anonymousAuthenticationConfig": pulumi.Map{}}))
	says(t, err, "privateClusterConfig.privateEndpointEnforcementEnabled", "anonymousAuthenticationConfig is not expected here")
}

func TestProvidersAreRefused(t *testing.T) {
	t.Parallel()
	program := func(ctx *pulumi.Context) error { newNetwork(ctx, "main", pulumi.Bool(true)); return nil }
	_, err := simtest.New(t, open(t), nil).Preview(program)
	says(t, err, "gcp:project")
	_, err = simtest.New(t, open(t), map[string]string{"gcp:project": "Redoubt"}).Preview(program)
	says(t, err, `invalid project ID "Redoubt"`)
	_, err = simtest.New(t, open(t), map[string]string{"gcp:project": project, "gcp:region": "eu-central-1"}).Preview(program)
	says(t, err, `region "eu-central-1" is not known here`)
	_, err = simtest.New(t, open(t), map[string]string{"gcp:project": project}).Up(func(ctx *pulumi.Context) error { // a network needs no region, an address does
		newNetwork(ctx, "main", pulumi.Bool(true))
		must(compute.NewAddress(ctx, "address", nil))
		return nil
	})
	says(t, err, "region: required field is not set")
}

func TestFunctionsAnswer(t *testing.T) {
	t.Parallel()
	e := simtest.New(t, open(t), settings)
	e.MustUp(func(ctx *pulumi.Context) error {
		net := newNetwork(ctx, "main", pulumi.Bool(true))
		must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Name: str("nodes"), Network: net.ID(), IpCidrRange: pulumi.String("10.0.0.0/22"), SecondaryIpRanges: secondary("10.1.0.0/16", "10.2.0.0/20")}))
		ring := must(kms.NewKeyRing(ctx, "ring", &kms.KeyRingArgs{Name: str("ring"), Location: pulumi.String(region)}))
		must(kms.NewCryptoKey(ctx, "key", &kms.CryptoKeyArgs{Name: str("key"), KeyRing: ring.ID()}))
		return nil
	})
	result := e.MustUp(func(ctx *pulumi.Context) error {
		ctx.Export("number", pulumi.String(must(organizations.LookupProject(ctx, nil)).Number))
		ctx.Export("zone", pulumi.String(must(compute.GetZones(ctx, nil)).Names[1]))
		ctx.Export("me", pulumi.String(must(organizations.GetClientConfig(ctx)).Project))
		versions := must(container.GetEngineVersions(ctx, &container.GetEngineVersionsArgs{Location: pulumi.StringRef(region)}))
		ctx.Export("regular", pulumi.String(versions.ReleaseChannelDefaultVersion["REGULAR"]))
		ctx.Export("network", pulumi.String(must(compute.LookupNetwork(ctx, &compute.LookupNetworkArgs{Name: "main"})).SelfLink))
		subnet := must(compute.LookupSubnetwork(ctx, &compute.LookupSubnetworkArgs{Name: pulumi.StringRef("nodes")}))
		ctx.Export("pods", pulumi.String(subnet.SecondaryIpRanges[0].IpCidrRange))
		found := must(kms.GetKMSCryptoKey(ctx, &kms.GetKMSCryptoKeyArgs{Name: "key", KeyRing: "projects/redoubt-test/locations/europe-west3/keyRings/ring"}))
		ctx.Export("key", pulumi.String(found.Id))
		ctx.Export("storage", pulumi.String(must(storage.GetProjectServiceAccount(ctx, nil)).EmailAddress))
		if _, err := compute.LookupNetwork(ctx, &compute.LookupNetworkArgs{Name: "other"}); err == nil {
			t.Error("a network that does not exist was found")
		}
		return nil
	})
	for name, want := range map[string]string{"number": gcp.Number(project), "zone": "europe-west3-b", "me": project, "network": "https://www.googleapis.com/compute/v1/projects/redoubt-test/global/networks/main",
		"pods": "10.1.0.0/16", "key": "projects/redoubt-test/locations/europe-west3/keyRings/ring/cryptoKeys/key", "storage": "service-" + gcp.Number(project) + "@gs-project-accounts.iam.gserviceaccount.com"} {
		if got := result.Output(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if version := result.Output("regular"); !strings.Contains(version, "-gke.") {
		t.Errorf("version %q", version)
	}
}

func TestLabelsOfTheProviderAreAdded(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, map[string]string{"gcp:project": project, "gcp:region": region, "gcp:defaultLabels": `{"owner":"team","kind":"any"}`}).MustUp(func(ctx *pulumi.Context) error {
		newBucket(ctx, "labelled", func(a *storage.BucketArgs) { a.Labels = pulumi.StringMap{"kind": pulumi.String("logs")} })
		return nil
	})
	state := cloud.Objects("gcp:storage/bucket:Bucket")[0].State
	if all := state.Texts("effectiveLabels"); all["owner"] != "team" || all["kind"] != "logs" {
		t.Errorf("labels %v", all)
	}
}

// small is a network with a subnetwork, a rule and an account.
func small(ctx *pulumi.Context) error {
	net := newNetwork(ctx, "main", pulumi.Bool(true))
	must(compute.NewSubnetwork(ctx, "nodes", &compute.SubnetworkArgs{Network: net.ID(), IpCidrRange: pulumi.String("10.0.0.0/22")}))
	rule(ctx, "rule", net.ID(), func(*compute.FirewallArgs) {})
	newAccount(ctx, "gke-node")
	return nil
}

func TestDriftIsSeenAndRepaired(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(small)
	o := cloud.Objects(firewallToken)[0]
	o.Inputs, o.State = o.Inputs.Copy(), o.State.Copy()
	o.Inputs["sourceRanges"], o.State["sourceRanges"] = []string{"0.0.0.0/0"}, []string{"0.0.0.0/0"}
	if err := cloud.Put(o); err != nil {
		t.Fatal(err)
	}
	if err := cloud.Remove(cloud.Objects(subnetToken)[0]); err != nil {
		t.Fatal(err)
	}
	result, err := e.Refresh()
	if err != nil || result.Updates() != 1 || result.Deletes() != 1 {
		t.Errorf("drift: %v %v", result.Changes, err)
	}
	result = e.MustUp(small)
	if result.Updates() != 1 || result.Creates() != 1 || cloud.Objects(firewallToken)[0].State.Strings("sourceRanges")[0] != "10.0.0.0/8" {
		t.Errorf("repair: %v", result.Changes)
	}
}

func TestFailuresInTheMiddleAreResumed(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	cloud.Inject(simcloud.Throttle(simcloud.Create, networkToken, 3)) // the provider tries again by itself
	cloud.Inject(simcloud.Fault{Operation: simcloud.Create, Type: subnetToken, Err: &simcloud.Error{Code: "backendError", Message: "Internal error. Please try again or contact Google Support.", Status: 503}})
	cloud.Inject(simcloud.Fault{Operation: simcloud.Create, Type: firewallToken, Effect: simcloud.Unfinished, Err: simcloud.Errorf("operation", "timeout while waiting for state to become 'DONE'")})
	e := simtest.New(t, cloud, settings)
	e.Continue = true
	_, err := e.Up(small)
	says(t, err, "googleapi: Error 503: Internal error. Please try again or contact Google Support., backendError", "Error waiting for Creating Firewall: timeout")
	var failure *rehearse.Failure
	if errors.As(err, &failure) && strings.Contains(failure.Error(), "rateLimitExceeded") {
		t.Error("a throttled call was not tried again")
	}
	e.MustUp(small)
	for _, token := range []string{networkToken, subnetToken, firewallToken} {
		if n := len(cloud.Objects(token)); n != 1 {
			t.Errorf("%d of %s", n, token)
		}
	}
	cloud.Inject(simcloud.Throttle(simcloud.Delete, subnetToken, -1))
	says(t, e.Destroy(), "Error 429: Quota exceeded", "rateLimitExceeded")
}

func TestWhatExistsCanBeImported(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(small)
	id := "projects/redoubt-test/global/networks/main"
	e := simtest.New(t, cloud, settings)
	e.MustUp(func(ctx *pulumi.Context) error {
		must(compute.NewNetwork(ctx, "taken-over", &compute.NetworkArgs{Name: str("main"), AutoCreateSubnetworks: no(), DeleteDefaultRoutesOnCreate: yes()}, pulumi.Import(pulumi.ID(id))))
		return nil
	})
	_, err := e.Up(func(ctx *pulumi.Context) error {
		must(compute.GetNetwork(ctx, "missing", pulumi.ID("projects/redoubt-test/global/networks/none"), nil))
		return nil
	})
	says(t, err, "does not exist")
}

// What a killed run had made is there when the next one begins, and the names of keys stay taken.
func TestTheJournalSurvives(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gcp.jsonl")
	program := func(ctx *pulumi.Context) error {
		must(kms.NewKeyRing(ctx, "ring", &kms.KeyRingArgs{Name: str("ring"), Location: pulumi.String(region)}))
		return nil
	}
	first, err := gcp.Open(simcloud.Options{Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	e := simtest.New(t, first, settings)
	e.MustUp(program)
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	simtest.New(t, first, settings).MustUp(small) // and never closed
	second, err := gcp.Open(simcloud.Options{Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := len(first.Objects()), len(second.Objects()); a != b || a == 0 {
		t.Errorf("%d before, %d after", a, b)
	}
	_, err = simtest.New(t, second, settings).Up(program)
	says(t, err, "keyRings/ring already exists.")
}

func TestClustersAreProtectedUnlessAProgramSaysOtherwise(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	unsaid := environment{withoutPool: true, change: func(a *container.ClusterArgs) { a.DeletionProtection = nil }}
	e.MustUp(unsaid.program)
	says(t, e.Destroy(), "Cannot destroy cluster because deletion_protection is set to true.")
	if len(cloud.Objects(clusterToken)) != 1 {
		t.Error("the protected cluster is gone")
	}
	e.MustUp(environment{withoutPool: true}.program)
	if err := e.Destroy(); err != nil {
		t.Error(err)
	}
}

func TestClustersChangeInPlaceWhereTheyCan(t *testing.T) {
	t.Parallel()
	e := simtest.New(t, open(t), settings)
	program := func(change func(*container.ClusterArgs)) pulumi.RunFunc { return environment{change: change}.program }
	version := func(text string) func(*container.ClusterArgs) {
		return func(a *container.ClusterArgs) { a.MinMasterVersion = str(text) }
	}
	e.MustUp(program(version("1.34")))
	_, err := e.Up(program(version("1.36")))
	says(t, err, "cannot upgrade the master more than a minor version at a time")
	if result := e.MustUp(program(version("1.35"))); result.Updates() != 1 || result.Replaces() != 0 {
		t.Errorf("an upgrade: %v", result.Changes)
	}
	if result := e.MustUp(program(version("1.36"))); result.Updates() != 1 {
		t.Errorf("an upgrade: %v", result.Changes)
	}
	_, err = e.Up(program(func(a *container.ClusterArgs) {
		a.MinMasterVersion, a.ReleaseChannel = str("1.37"), &container.ClusterReleaseChannelArgs{Channel: pulumi.String("RAPID")}
	}))
	says(t, err, "must be within two minor versions of master version") // the pool is still at 1.34
	_, err = e.Up(program(func(a *container.ClusterArgs) {
		a.MinMasterVersion, a.PrivateClusterConfig = str("1.36"), &container.ClusterPrivateClusterConfigArgs{EnablePrivateNodes: yes(), EnablePrivateEndpoint: no(), MasterIpv4CidrBlock: str("172.16.0.0/28")}
	}))
	says(t, err, "Updating private endpoint on vpc peering private clusters is not supported.")
	for name, change := range map[string]func(*container.ClusterArgs){
		"block": func(a *container.ClusterArgs) {
			a.PrivateClusterConfig.(*container.ClusterPrivateClusterConfigArgs).MasterIpv4CidrBlock = str("172.16.0.16/28")
		},
		"datapath": func(a *container.ClusterArgs) {
			a.DatapathProvider, a.EnableFqdnNetworkPolicy = str("LEGACY_DATAPATH"), no()
		},
		"ranges": func(a *container.ClusterArgs) {
			a.IpAllocationPolicy.(*container.ClusterIpAllocationPolicyArgs).ClusterSecondaryRangeName = str("services")
		},
	} {
		if result, err := e.Preview(environment{withoutPool: true, change: func(a *container.ClusterArgs) { version("1.36")(a); change(a) }}.program); err != nil || result.Replaces() != 1 {
			t.Errorf("%s: %v %v", name, result.Changes, err)
		}
	}
}

// A new account is not seen at once; the provider waits for it, and the clock shows it.
func TestAccountsAreUsableAfterAWhile(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		account := must(serviceaccount.NewAccount(ctx, "account", &serviceaccount.AccountArgs{AccountId: pulumi.String("gke-node")}))
		must(serviceaccount.NewIAMMember(ctx, "self", &serviceaccount.IAMMemberArgs{ServiceAccountId: account.Name, Role: pulumi.String("roles/iam.serviceAccountTokenCreator"), Member: account.Member}))
		return nil
	})
	spans := cloud.Timeline()
	if waited := spans[1].End.Sub(spans[0].End).Seconds(); len(spans) != 2 || waited < 10 {
		t.Errorf("%d spans; the binding was made %.0fs after the account", len(spans), waited)
	}
}
