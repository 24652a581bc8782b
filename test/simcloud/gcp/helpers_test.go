package gcp_test

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/container"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/gcp"
)

const (
	project = "redoubt-test"
	region  = "europe-west3"
)

var settings = map[string]string{"gcp:project": project, "gcp:region": region}

// cloud is a fresh simulated project in which waiting is free.
func open(t *testing.T) *simcloud.Cloud {
	t.Helper()
	out, err := gcp.Open(simcloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func str(text string) pulumi.StringPtrInput { return pulumi.StringPtr(text) }

func after(resources ...pulumi.Resource) pulumi.ResourceOption { return pulumi.DependsOn(resources) }

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

func newNetwork(ctx *pulumi.Context, name string, closed pulumi.BoolPtrInput) *compute.Network {
	return must(compute.NewNetwork(ctx, name, &compute.NetworkArgs{Name: str(name), AutoCreateSubnetworks: pulumi.Bool(false), DeleteDefaultRoutesOnCreate: closed}))
}

// secondary are a pods' and a services' range.
func secondary(pods, services string) compute.SubnetworkSecondaryIpRangeArray {
	return compute.SubnetworkSecondaryIpRangeArray{&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String("pods"), IpCidrRange: pulumi.String(pods)},
		&compute.SubnetworkSecondaryIpRangeArgs{RangeName: pulumi.String("services"), IpCidrRange: pulumi.String(services)}}
}

func newRing(ctx *pulumi.Context, name string) *kms.KeyRing {
	return must(kms.NewKeyRing(ctx, name, &kms.KeyRingArgs{Location: pulumi.String(region)}))
}

func newKey(ctx *pulumi.Context, name string, in *kms.KeyRing) *kms.CryptoKey {
	return must(kms.NewCryptoKey(ctx, name, &kms.CryptoKeyArgs{KeyRing: in.ID(), RotationPeriod: str("7776000s")}))
}

func grant(ctx *pulumi.Context, name string, on *kms.CryptoKey, member string) *kms.CryptoKeyIAMMember {
	return must(newGrant(ctx, name, on, member))
}

// newGrant is a grant that waits for other resources.
func newGrant(ctx *pulumi.Context, name string, on *kms.CryptoKey, member string, first ...pulumi.Resource) (*kms.CryptoKeyIAMMember, error) {
	return kms.NewCryptoKeyIAMMember(ctx, name, &kms.CryptoKeyIAMMemberArgs{CryptoKeyId: on.ID(), Role: pulumi.String("roles/cloudkms.cryptoKeyEncrypterDecrypter"), Member: pulumi.String(member)}, after(first...))
}

func authorized(blocks ...string) *container.ClusterMasterAuthorizedNetworksConfigArgs {
	out := container.ClusterMasterAuthorizedNetworksConfigCidrBlockArray{}
	for _, each := range blocks {
		out = append(out, &container.ClusterMasterAuthorizedNetworksConfigCidrBlockArgs{CidrBlock: pulumi.String(each)})
	}
	return &container.ClusterMasterAuthorizedNetworksConfigArgs{CidrBlocks: out}
}
