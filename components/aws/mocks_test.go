package aws

import (
	"encoding/json"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

var (
	testAccount = Account{ID: "123456789012", Region: "eu-central-1"}
	testKey     = pulumi.String("arn:aws:kms:eu-central-1:123456789012:key/logs")
	testIssuer  = "https://oidc.eks.eu-central-1.amazonaws.com/id/0123"
)

// fill adds what other resources read.
func fill(token, name string, state resource.PropertyMap) {
	set := func(values map[string]string) {
		for name, value := range values {
			state[resource.PropertyKey(name)] = resource.NewStringProperty(value)
		}
	}
	set(map[string]string{"arn": "arn:" + name + "_id"})
	switch token {
	case "aws:ec2/vpc:Vpc":
		set(map[string]string{"defaultNetworkAclId": "acl-default", "defaultRouteTableId": "rtb-default", "defaultSecurityGroupId": "sg-default", "ipv6CidrBlock": "2001:db8:0:100::/56"})
	case "aws:ec2/vpcEndpoint:VpcEndpoint":
		set(map[string]string{"prefixListId": "pl-" + name})
	case "aws:ec2/eip:Eip":
		set(map[string]string{"allocationId": "eipalloc-" + name})
	case "aws:kms/key:Key":
		set(map[string]string{"keyId": name + "_id"})
	case "aws:eks/cluster:Cluster":
		set(map[string]string{"endpoint": "https://0123.gr7.eu-central-1.eks.amazonaws.com"})
		state["certificateAuthority"] = resource.NewPropertyValue(map[string]any{"data": "LS0t"})
		state["identities"] = resource.NewPropertyValue([]any{map[string]any{"oidcs": []any{map[string]any{"issuer": testIssuer}}}})
	case "aws:ec2/launchTemplate:LaunchTemplate":
		state["latestVersion"] = resource.NewNumberProperty(3)
	case "aws:eks/nodeGroup:NodeGroup":
		set(map[string]string{"nodeGroupName": state["nodeGroupNamePrefix"].StringValue() + "1"})
	}
}

func run(t *testing.T, program func(ctx *pulumi.Context) error) *mocks.Cloud {
	t.Helper()
	return (&mocks.Cloud{Fill: fill}).Run(t, program)
}

// parsedStatement is a statement of a policy as its consumer reads it.
type parsedStatement struct {
	Sid, Effect      string
	Principal        any
	Action, Resource []string
	Condition        map[string]map[string][]string
}

func parse(t *testing.T, text string) []parsedStatement {
	t.Helper()
	var d struct {
		Version   string
		Statement []parsedStatement
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if d.Version != "2012-10-17" || len(d.Statement) == 0 {
		t.Errorf("version %q, %d statements", d.Version, len(d.Statement))
	}
	return d.Statement
}
