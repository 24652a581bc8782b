// Package aws_test runs the components of components/aws over the simulated AWS with the real engine, and lets that
// AWS judge them: it takes them or not, and nodes join or do not.
package aws_test

import (
	"testing"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

const region = "eu-central-1"

var (
	settings = map[string]string{"aws:region": region}
	account  = aws.Account{ID: simaws.Account, Region: region}
	zones    = []string{region + "a", region + "b", region + "c"}
)

func open(t testing.TB) *simcloud.Cloud {
	t.Helper()
	cloud, err := simaws.Open(simcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// must unwraps what only a wrong program makes fail; the engine reports the panic as the program's error.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// foundation is what a cluster stands on: keys, logs, network, firewall. Its functions change the arguments.
type foundation struct {
	keys     func(*aws.KeysArgs)
	logs     func(*aws.LogsArgs)
	network  func(*aws.NetworkArgs)
	firewall func(*aws.FirewallArgs)
	// guard gives a network the endpoints of its firewall.
	guard func(*pulumi.Context, *aws.Network) error
	// cluster is what stands on the foundation.
	cluster func(*pulumi.Context, base) error
}

// base is a foundation that a program has registered.
type base struct {
	keys    *aws.Keys
	logs    *aws.Logs
	network *aws.Network
	wall    *aws.Firewall
}

func (f foundation) program(ctx *pulumi.Context) error {
	csi := must(iam.NewRole(ctx, "csi", &iam.RoleArgs{Name: pulumi.String("main-csi"), AssumeRolePolicy: pulumi.String(trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession"))}))
	keys := &aws.KeysArgs{Account: account, Cluster: "main", Archive: true, Trail: true, CreateAutoScalingRole: true, AccountDefault: true, VolumesPrincipals: pulumi.StringArray{csi.Arn}}
	change(f.keys, keys)
	var b base
	var err error
	if b.keys, err = aws.NewKeys(ctx, "keys", keys); err != nil {
		return err
	}
	logs := &aws.LogsArgs{Account: account, Cluster: "main", KeyArn: b.keys.LogsKeyArn, Archive: &aws.ArchiveArgs{}, Trail: true}
	change(f.logs, logs)
	if b.logs, err = aws.NewLogs(ctx, "logs", logs); err != nil {
		return err
	}
	network := &aws.NetworkArgs{Account: account, Cluster: "main", Zones: zones, LogsKeyArn: b.keys.LogsKeyArn, ArchiveArn: b.logs.ArchiveArn}
	change(f.network, network)
	if b.network, err = aws.NewNetwork(ctx, "net", network); err != nil {
		return err
	}
	if f.guard != nil {
		if err := f.guard(ctx, b.network); err != nil {
			return err
		}
	}
	wall := &aws.FirewallArgs{Cluster: "main", VpcID: b.network.VpcID, EndpointSecurityGroupID: b.network.EndpointSecurityGroupID, S3PrefixListID: b.network.S3PrefixListID}
	change(f.firewall, wall)
	if b.wall, err = aws.NewFirewall(ctx, "wall", wall); err != nil {
		return err
	}
	ctx.Export("vpc", b.network.VpcID)
	ctx.Export("endpoints", b.network.EndpointSecurityGroupID)
	ctx.Export("cluster", b.wall.ClusterSecurityGroupID)
	ctx.Export("nodes", b.wall.NodeSecurityGroupID)
	ctx.Export("pods", b.wall.PodSecurityGroupID)
	if f.cluster != nil {
		return f.cluster(ctx, b)
	}
	return nil
}

func change[T any](do func(*T), args *T) {
	if do != nil {
		do(args)
	}
}

// trust is the policy of a role that a service takes.
func trust(service string, actions ...string) string {
	list := `"sts:AssumeRole"`
	for i, action := range actions {
		if i == 0 {
			list = ""
		} else {
			list += ","
		}
		list += `"` + action + `"`
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":[` + list + `]}]}`
}

// only gives the one object of a type.
func only(t *testing.T, cloud *simcloud.Cloud, token string) simcloud.Object {
	t.Helper()
	found := cloud.Objects(token)
	if len(found) != 1 {
		t.Fatalf("%d of %s, not one", len(found), token)
	}
	return found[0]
}
