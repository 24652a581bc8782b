package aws_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const region = "eu-central-1"

var settings = map[string]string{"aws:region": region}

func account(t *testing.T) *simcloud.Cloud {
	t.Helper()
	cloud, err := simaws.Open(simcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// foundation are the keys, the logs and the network of a cluster; change may alter the network's arguments.
func foundation(change func(*aws.NetworkArgs)) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		keys, err := aws.NewKeys(ctx, "main", &aws.KeysArgs{Region: region, AccountID: simaws.Account, Cluster: "main", MakeAutoScalingRole: true})
		if err != nil {
			return err
		}
		logs, err := aws.NewLogs(ctx, "main", &aws.LogsArgs{Region: region, AccountID: simaws.Account, Cluster: "main", Keys: keys})
		if err != nil {
			return err
		}
		args := &aws.NetworkArgs{Region: region, AccountID: simaws.Account, CIDR: "10.0.0.0/16", Zones: []string{region + "a", region + "b", region + "c"}, Logs: logs}
		if change != nil {
			change(args)
		}
		network, err := aws.NewNetwork(ctx, "main", args)
		if err != nil {
			return err
		}
		ctx.Export("vpc", network.VpcID)
		ctx.Export("subnets", network.SubnetIDs)
		return nil
	}
}

func one(t *testing.T, cloud *simcloud.Cloud, token string) simcloud.Values {
	t.Helper()
	found := cloud.Objects(token)
	if len(found) != 1 {
		t.Fatalf("%d of %s", len(found), token)
	}
	return found[0].State
}

func TestTheFoundationStandsAndGoes(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	e := simtest.New(t, cloud, settings)
	e.MustUp(foundation(nil))
	t.Run("nothing is public (M05)", func(t *testing.T) {
		for _, token := range []string{"aws:ec2/internetGateway:InternetGateway", "aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip", "aws:ec2/route:Route"} {
			if n := len(cloud.Objects(token)); n > 0 {
				t.Errorf("%d of %s", n, token)
			}
		}
		for _, s := range cloud.Objects("aws:ec2/subnet:Subnet") {
			if s.State.Bool("mapPublicIpOnLaunch") {
				t.Errorf("%s gives out public addresses", s.ID)
			}
		}
	})
	t.Run("what AWS makes is emptied (M05)", func(t *testing.T) {
		v := one(t, cloud, "aws:ec2/vpc:Vpc")
		for _, o := range cloud.Objects("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/networkAcl:NetworkAcl", "aws:ec2/routeTable:RouteTable") {
			if !slices.Contains([]string{v.String("defaultSecurityGroupId"), v.String("defaultNetworkAclId"), v.String("defaultRouteTableId")}, o.ID) {
				continue
			}
			for _, rules := range []string{"ingress", "egress", "routes"} {
				if o.State.Has(rules) {
					t.Errorf("%s has %s: %v", o.ID, rules, o.State[rules])
				}
			}
		}
	})
	t.Run("a node without internet has what it needs (M06)", func(t *testing.T) {
		var have []string
		for _, o := range cloud.Objects("aws:ec2/vpcEndpoint:VpcEndpoint") {
			name := strings.TrimPrefix(o.State.String("serviceName"), "com.amazonaws."+region+".")
			have = append(have, name)
			doc, err := iampolicy.Parse(o.State.String("policy"), iampolicy.Endpoint)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			ask := iampolicy.Request{Principal: "arn:aws:iam::999999999999:role/x", Action: map[bool]string{true: "s3:PutObject", false: "ec2:RunInstances"}[name == "s3"],
				Resource: "arn:aws:s3:::elsewhere/x", Context: map[string]string{"aws:PrincipalAccount": "999999999999", "aws:ResourceAccount": "999999999999"}}
			if doc.Allows(ask) {
				t.Errorf("%s lets another account through", name)
			}
			if len(o.State.Strings("subnetIds")) != 3 && name != "s3" {
				t.Errorf("%s is in %d zones", name, len(o.State.Strings("subnetIds")))
			}
		}
		for _, name := range append([]string{"s3", "eks-auth", "kms", "logs"}, simaws.NodeEndpoints...) {
			if !slices.Contains(have, name) {
				t.Errorf("no endpoint for %s", name)
			}
		}
	})
	t.Run("keys rotate and serve one purpose (M17, M20)", func(t *testing.T) {
		for _, k := range cloud.Objects("aws:kms/key:Key") {
			if !k.State.Bool("enableKeyRotation") || k.State.Int("deletionWindowInDays") != 30 {
				t.Errorf("key %v", k.State)
			}
			doc, err := iampolicy.Parse(k.State.String("policy"), iampolicy.Key)
			if err != nil {
				t.Fatal(err)
			}
			for _, action := range []string{"kms:Decrypt", "kms:CreateGrant", "kms:GenerateDataKey"} {
				if doc.Allows(iampolicy.Request{Principal: simaws.Caller, Action: action}) {
					t.Errorf("%s: an administrator may %s", k.State.String("description"), action)
				}
			}
		}
	})
	t.Run("logs are encrypted and kept (M08, M33)", func(t *testing.T) {
		groups := cloud.Objects("aws:cloudwatch/logGroup:LogGroup")
		if len(groups) != 3 {
			t.Errorf("%d groups", len(groups))
		}
		for _, g := range groups {
			if g.State.Int("retentionInDays") != 365 || !strings.HasPrefix(g.State.String("kmsKeyId"), "arn:aws:kms:") {
				t.Errorf("%s: %v", g.ID, g.State)
			}
		}
		flows := one(t, cloud, "aws:ec2/flowLog:FlowLog")
		if flows.String("trafficType") != "ALL" || flows.Int("maxAggregationInterval") != 60 {
			t.Errorf("flow log %v", flows)
		}
		one(t, cloud, "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation")
	})
	if result := e.MustUp(foundation(nil)); result.Changed() != 0 {
		t.Errorf("a second pass changes %v", result.Changes)
	}
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	if left := cloud.Objects(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestANetworkWithIPv6AndNAT(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	simtest.New(t, cloud, settings).MustUp(foundation(func(a *aws.NetworkArgs) {
		a.IPv6, a.Egress, a.Zones, a.Endpoints = true, aws.EgressNAT, []string{region + "a", region + "b"}, []string{"ssm", "ssmmessages"}
	}))
	if n := len(cloud.Objects("aws:ec2/natGateway:NatGateway")); n != 2 {
		t.Errorf("%d NAT gateways", n)
	}
	seen := map[string]bool{}
	for _, s := range cloud.Objects("aws:ec2/subnet:Subnet") {
		if text := s.State.String("ipv6CidrBlock"); text != "" {
			if p, err := netip.ParsePrefix(text); err != nil || p.Bits() != 64 || seen[text] {
				t.Errorf("IPv6 range %q: %v", text, err)
			}
			seen[text] = true
		}
		if s.State.Bool("mapPublicIpOnLaunch") {
			t.Errorf("%s gives out public addresses", s.ID)
		}
	}
	if len(seen) != 2 {
		t.Errorf("%d subnets have IPv6", len(seen))
	}
}

func TestBadSettingsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	cloud := account(t)
	_, err := simtest.New(t, cloud, settings).Up(foundation(func(a *aws.NetworkArgs) {
		a.CIDR, a.Zones, a.Egress, a.Endpoints, a.Logs = "10.0.0.1/16", []string{region + "a", "us-east-1b", region + "a"}, "open", []string{"s4"}, nil
	}))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"cidr", "10.0.0.0/16", `"us-east-1b" is not a zone`, "named twice", `"open" is no way out`, `"s4" is not a service`, "the logs are missing"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said: %v", want, err)
		}
	}
	if n := len(cloud.Objects("aws:ec2/vpc:Vpc")); n > 0 {
		t.Error("something was made")
	}
	for name, args := range map[string]interface{ Validate() error }{
		"cidr":          aws.NetworkArgs{Region: region, AccountID: simaws.Account, CIDR: "8.8.0.0/16", Zones: []string{region + "a", region + "b"}, Logs: &aws.Logs{}},
		"services":      aws.NetworkArgs{Region: region, AccountID: simaws.Account, CIDR: "10.0.0.0/16", Zones: []string{region + "a", region + "b"}, Logs: &aws.Logs{}, Apart: map[string]string{"services": "10.0.128.0/20"}},
		"zones":         aws.NetworkArgs{Region: region, AccountID: simaws.Account, CIDR: "10.0.0.0/16", Zones: []string{region + "a"}, Logs: &aws.Logs{}},
		"retentionDays": aws.LogsArgs{Region: region, AccountID: simaws.Account, Cluster: "main", Keys: &aws.Keys{}, RetentionDays: 30},
		"rotationDays":  aws.KeysArgs{Region: region, AccountID: simaws.Account, Cluster: "main", RotationDays: 30},
		"volumeRoles":   aws.KeysArgs{Region: region, AccountID: simaws.Account, Cluster: "main", VolumeRoles: []string{"ebs-csi"}},
		"accountId":     aws.KeysArgs{Region: region, AccountID: "1", Cluster: "main"},
		"region":        aws.KeysArgs{Region: "Europe", AccountID: simaws.Account, Cluster: "main"},
		"cluster":       aws.KeysArgs{Region: region, AccountID: simaws.Account, Cluster: "-main"},
	} {
		var field *hostconfig.FieldError
		if err := args.Validate(); !errors.As(err, &field) || field.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
