package aws_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pulumiaws "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const (
	vpcToken     = "aws:ec2/vpc:Vpc"
	subnetToken  = "aws:ec2/subnet:Subnet"
	keyToken     = "aws:kms/key:Key"
	clusterToken = "aws:eks/cluster:Cluster"
	eniToken     = "aws:ec2/networkInterface:NetworkInterface"
)

// says fails the test unless an error has the words in it.
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("nothing failed; want %q", words)
		return
	}
	for _, each := range words {
		if !strings.Contains(err.Error(), each) {
			t.Errorf("%q is not said:\n%v", each, err)
		}
	}
}

// What the provider's Check refuses ends the run in the engine's own words.
func TestUnknownTypesAndPropertiesAreRefused(t *testing.T) {
	t.Parallel()
	raw := func(token string, properties pulumi.Map) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			var made pulumi.CustomResourceState
			return ctx.RegisterResource(token, "raw", properties, &made)
		}
	}
	e := simtest.New(t, account(t), settings)
	_, err := e.Preview(raw("aws:rds/instance:Instance", pulumi.Map{}))
	says(t, err, "aws:rds/instance:Instance is not a type that the simulated aws knows")
	_, err = e.Preview(raw(vpcToken, pulumi.Map{"cidrBlocks": pulumi.String("10.0.0.0/16"), "enableDnsSupport": pulumi.String("yes"), "ipv4NetmaskLength": pulumi.Float64(1.5)}))
	says(t, err, "resource 'raw' has a problem", "cidrBlocks is not expected here; did you mean \"cidrBlock\"?", "Examine values at 'raw.cidrBlocks'",
		`expected a boolean, got the string "yes"`, "expected a whole number")
	_, err = e.Preview(raw(subnetToken, pulumi.Map{"cidrBlock": pulumi.String("10.0.0.0/16")}))
	says(t, err, `the argument "vpcId" is required`)
	_, err = e.Preview(raw(clusterToken, pulumi.Map{"roleArn": pulumi.String("x"), "vpcConfig": pulumi.Map{"subnetIds": pulumi.String("x"), "privateEndpoint": pulumi.Bool(true)}}))
	says(t, err, "expected a list", "vpcConfig.privateEndpoint")
}

func TestProvidersAreRefused(t *testing.T) {
	t.Parallel()
	program := func(ctx *pulumi.Context) error { newVPC(ctx, "net", "10.0.0.0/16"); return nil }
	_, err := simtest.New(t, account(t), nil).Preview(program)
	says(t, err, "aws:region")
	_, err = simtest.New(t, account(t), map[string]string{"aws:region": "eu-middle-1"}).Preview(program)
	says(t, err, "invalid AWS Region: eu-middle-1")
	_, err = simtest.New(t, account(t), map[string]string{"aws:region": region, "aws:allowedAccountIds": `["999999999999"]`}).Preview(program)
	says(t, err, "AWS account ID not allowed")
}

// Two regions in one program do not see each other's networks, and both see the account's roles.
func TestRegionsAreApart(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, map[string]string{"aws:region": region, "aws:defaultTags": `{"tags":{"owner":"team"}}`})
	_, err := e.Up(func(ctx *pulumi.Context) error {
		west := must(pulumiaws.NewProvider(ctx, "west", &pulumiaws.ProviderArgs{Region: str("eu-west-1")}))
		v := newVPC(ctx, "net", "10.0.0.0/16")
		must(ec2.NewVpc(ctx, "same-range", &ec2.VpcArgs{CidrBlock: str("10.0.0.0/16")}, pulumi.Provider(west)))
		ctx.Export("tags", v.TagsAll)
		must(ec2.NewSubnet(ctx, "across", &ec2.SubnetArgs{VpcId: v.ID(), CidrBlock: str("10.0.0.0/20")}, pulumi.Provider(west)))
		return nil
	})
	says(t, err, "InvalidVpcID.NotFound")
	for _, o := range cloud.Objects(vpcToken) {
		if want := map[string]string{region: "team", "eu-west-1": ""}[o.Scope]; o.State.Texts("tagsAll")["owner"] != want {
			t.Errorf("%s: tags %v", o.Key(), o.State["tagsAll"])
		}
	}
}

func TestFunctionsAnswer(t *testing.T) {
	t.Parallel()
	result := simtest.New(t, account(t), settings).MustUp(func(ctx *pulumi.Context) error {
		ctx.Export("account", pulumi.String(must(pulumiaws.GetCallerIdentity(ctx, nil)).AccountId))
		ctx.Export("region", pulumi.String(must(pulumiaws.GetRegion(ctx, nil)).Name))
		ctx.Export("partition", pulumi.String(must(pulumiaws.GetPartition(ctx, nil)).Partition))
		ctx.Export("zone", pulumi.String(must(pulumiaws.GetAvailabilityZones(ctx, nil)).Names[2]))
		image := must(ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{Name: "/aws/service/bottlerocket/aws-k8s-1.35/x86_64/latest/image_version"}))
		ctx.Export("image", pulumi.String(image.Value))
		ctx.Export("proxy", pulumi.String(must(eks.GetAddonVersion(ctx, &eks.GetAddonVersionArgs{AddonName: "kube-proxy", KubernetesVersion: "1.35"})).Version))
		name := "com.amazonaws.eu-central-1.s3"
		ctx.Export("list", pulumi.String(must(ec2.GetPrefixList(ctx, &ec2.GetPrefixListArgs{Name: &name})).Id))
		if _, err := ssm.LookupParameter(ctx, &ssm.LookupParameterArgs{Name: "/aws/service/bottlerocket/aws-k8s-1.20/x86_64/latest/image_version"}); err == nil {
			t.Error("an image of a version that is not offered")
		}
		if _, err := ec2.LookupVpc(ctx, &ec2.LookupVpcArgs{Tags: map[string]string{"name": "none"}}); err == nil {
			t.Error("a VPC that does not exist was found")
		}
		return nil
	})
	for name, want := range map[string]string{"account": aws.Account, "region": region, "partition": "aws", "zone": region + "c", "proxy": "v1.35.0-eksbuild.2"} {
		if got := result.Output(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(result.Output("image"), "-") || !strings.HasPrefix(result.Output("list"), "pl-") {
		t.Errorf("outputs %v", result.Outputs)
	}
}

// small is a VPC with a subnet and a key.
func small(ctx *pulumi.Context) error {
	v := newVPC(ctx, "net", "10.0.0.0/16")
	newSubnet(ctx, "first", v, "10.0.0.0/20", "a")
	must(kms.NewKey(ctx, "key", &kms.KeyArgs{EnableKeyRotation: pulumi.Bool(true)}))
	return nil
}

func TestDriftIsSeenAndRepaired(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(small)
	key := cloud.Objects(keyToken)[0]
	key.Inputs, key.State = key.Inputs.Copy(), key.State.Copy()
	key.Inputs["enableKeyRotation"], key.State["enableKeyRotation"] = false, false
	if err := cloud.Put(key); err != nil {
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
	if result.Updates() != 1 || result.Creates() != 1 || !cloud.Objects(keyToken)[0].State.Bool("enableKeyRotation") {
		t.Errorf("repair: %v", result.Changes)
	}
}

func TestChangesReplaceOnlyWhatMustBe(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	program := func(zone, name string, rotate bool) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			v := newVPC(ctx, "net", "10.0.0.0/16")
			newSubnet(ctx, "first", v, "10.0.0.0/20", zone)
			must(kms.NewKey(ctx, "key", &kms.KeyArgs{EnableKeyRotation: pulumi.Bool(rotate), Description: str(name)}))
			must(iam.NewRole(ctx, "role", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))})) // its name must stay
			return nil
		}
	}
	e.MustUp(program("a", "one", false))
	role := cloud.Objects("aws:iam/role:Role")[0].ID
	result := e.MustUp(program("a", "two", true))
	if result.Updates() != 1 || result.Replaces() != 0 || result.Deletes() != 0 {
		t.Errorf("a change in place: %v", result.Changes)
	}
	if got := cloud.Objects("aws:iam/role:Role")[0].ID; got != role {
		t.Errorf("the role's automatic name changed from %s to %s", role, got)
	}
	// The range of the old subnet is still taken while the new one is made, as it is at AWS: the plan shows it.
	result, err := e.Preview(program("b", "two", true))
	if err != nil || result.Replaces() != 1 {
		t.Errorf("a change that replaces: %v %v", result.Changes, err)
	}
	_, err = e.Up(program("b", "two", true))
	says(t, err, "InvalidSubnet.Conflict")
}

// A detector's endpoint that a service placed in a VPC keeps the VPC, as it does in every account with GuardDuty.
func TestANetworkWithInterfacesCannotGo(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(small)
	in := cloud.Objects(subnetToken)[0]
	foreign := simcloud.Object{Scope: region, Type: eniToken, ID: "eni-0123456789abcdef0", State: simcloud.Values{"subnetId": in.ID, "description": "GuardDuty"}}
	if err := cloud.Put(foreign); err != nil {
		t.Fatal(err)
	}
	says(t, e.Destroy(), "DependencyViolation: resource "+in.ID+" has a dependent object (NetworkInterface eni-0123456789abcdef0)")
	if err := cloud.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if err := e.Destroy(); err != nil || len(cloud.Objects()) > 0 {
		t.Errorf("%v; left: %v", err, cloud.Objects())
	}
}

func TestWhatExistsCanBeImported(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	simtest.New(t, cloud, settings).MustUp(small)
	id := cloud.Objects(vpcToken)[0].ID
	e := simtest.New(t, cloud, settings)
	result := e.MustUp(func(ctx *pulumi.Context) error {
		must(ec2.NewVpc(ctx, "taken-over", &ec2.VpcArgs{CidrBlock: str("10.0.0.0/16"), EnableDnsHostnames: pulumi.Bool(true), EnableDnsSupport: pulumi.Bool(true)}, pulumi.Import(pulumi.ID(id))))
		found := must(ec2.GetVpc(ctx, "read", pulumi.ID(id), nil))
		ctx.Export("range", found.CidrBlock)
		return nil
	})
	if result.Output("range") != "10.0.0.0/16" || len(cloud.Objects(vpcToken)) != 1 {
		t.Errorf("%v, %d VPCs", result.Outputs, len(cloud.Objects(vpcToken)))
	}
	_, err := e.Up(func(ctx *pulumi.Context) error {
		must(ec2.GetVpc(ctx, "missing", pulumi.ID("vpc-0123456789abcdef0"), nil))
		return nil
	})
	says(t, err, "does not exist")
}

func TestFailuresInTheMiddleAreResumed(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	cloud.Inject(simcloud.Throttle(simcloud.Create, vpcToken, 3)) // the provider tries again by itself
	cloud.Inject(simcloud.Fault{Operation: simcloud.Create, Type: subnetToken, Err: &simcloud.Error{Code: "InternalError", Message: "An internal error has occurred", Status: 500}})
	cloud.Inject(simcloud.Fault{Operation: simcloud.Create, Type: keyToken, Effect: simcloud.Unfinished, Err: simcloud.Errorf("Timeout", "timeout while waiting for the key to become enabled")})
	e := simtest.New(t, cloud, settings)
	e.Continue = true
	_, err := e.Up(small)
	says(t, err, "StatusCode: 500", "InternalError", "timeout while waiting")
	var failure *rehearse.Failure
	if errors.As(err, &failure) && strings.Contains(failure.Error(), "Rate exceeded") {
		t.Error("a throttled call was not tried again")
	}
	e.MustUp(small)
	for _, token := range []string{vpcToken, subnetToken, keyToken} {
		if n := len(cloud.Objects(token)); n != 1 {
			t.Errorf("%d of %s", n, token)
		}
	}
	cloud.Inject(simcloud.Throttle(simcloud.Delete, subnetToken, -1))
	says(t, e.Destroy(), "ThrottlingException: Rate exceeded")
}

// A role is not usable at once; the provider waits for it, and the clock shows it.
func TestRolesAreUsableAfterAWhile(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	simtest.New(t, cloud, settings).MustUp(func(ctx *pulumi.Context) error {
		role := must(iam.NewRole(ctx, "role", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("ec2.amazonaws.com"))}))
		policy := role.Arn.ApplyT(func(arn string) string { return policyOf(accountRoot, allow(m{"AWS": arn}, "kms:Decrypt")) }).(pulumi.StringOutput)
		must(kms.NewKey(ctx, "key", &kms.KeyArgs{Policy: policy}))
		return nil
	})
	spans := cloud.Timeline()
	if len(spans) != 2 {
		t.Fatalf("spans %v", spans)
	}
	if waited := spans[1].End.Sub(spans[0].End); waited < 10*time.Second {
		t.Errorf("the key was made %s after the role", waited)
	}
}

func TestUpgradesGoOneMinorAtATime(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	program := func(version, mode string) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			v := newVPC(ctx, "net", "10.0.0.0/16")
			a, b := newSubnet(ctx, "a", v, "10.0.0.0/20", "a"), newSubnet(ctx, "b", v, "10.0.16.0/20", "b")
			role := must(iam.NewRole(ctx, "role", &iam.RoleArgs{AssumeRolePolicy: pulumi.String(trust("eks.amazonaws.com"))}))
			held := must(iam.NewRolePolicyAttachment(ctx, "role", &iam.RolePolicyAttachmentArgs{Role: role.Name, PolicyArn: pulumi.String("arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")}))
			must(eks.NewCluster(ctx, "main", &eks.ClusterArgs{RoleArn: role.Arn, Version: str(version), AccessConfig: &eks.ClusterAccessConfigArgs{AuthenticationMode: str(mode)},
				VpcConfig: &eks.ClusterVpcConfigArgs{SubnetIds: pulumi.StringArray{a.ID(), b.ID()}}}, after(held)))
			return nil
		}
	}
	e.MustUp(program("1.34", "API_AND_CONFIG_MAP"))
	_, err := e.Up(program("1.36", "API_AND_CONFIG_MAP"))
	says(t, err, "unsupported Kubernetes minor version update from 1.34 to 1.36")
	if result := e.MustUp(program("1.35", "API")); result.Updates() != 1 || result.Replaces() != 0 {
		t.Errorf("an upgrade: %v", result.Changes)
	}
	_, err = e.Up(program("1.34", "API"))
	says(t, err, "never downgraded")
	_, err = e.Up(program("1.35", "CONFIG_MAP"))
	says(t, err, "Unsupported authentication mode update from API to CONFIG_MAP")
}

// What a killed run had made is there when the next one begins.
func TestTheJournalSurvives(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "aws.jsonl")
	first, err := aws.Open(simcloud.Options{Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	simtest.New(t, first, settings).MustUp(small) // and never closed
	second, err := aws.Open(simcloud.Options{Journal: path})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := len(first.Objects()), len(second.Objects()); a != b || a == 0 {
		t.Errorf("%d before, %d after", a, b)
	}
	// A new object must not get the id of an old one.
	simtest.New(t, second, settings).MustUp(small)
	seen := map[string]bool{}
	for _, o := range second.Objects() {
		if seen[o.Key()] {
			t.Errorf("%s twice", o.Key())
		}
		seen[o.Key()] = true
	}
	if n := len(second.Objects(vpcToken)); n != 2 {
		t.Errorf("%d VPCs", n)
	}
}
