package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var (
	testAccount = Account{ID: "123456789012", Region: "eu-central-1"}
	testKey     = pulumi.String("arn:aws:kms:eu-central-1:123456789012:key/logs")
	testIssuer  = "https://oidc.eks.eu-central-1.amazonaws.com/id/0123"
)

// registered is a resource as a program registered it.
type registered struct {
	token, name, id string
	inputs          map[string]any
	dependencies    []string
	protected       bool
	ignored         []string
}

// waitsFor tells whether the resource is made after another.
func (r registered) waitsFor(other registered) bool {
	return slices.ContainsFunc(r.dependencies, func(urn string) bool {
		return strings.HasSuffix(urn, other.token+"::"+other.name)
	})
}

func (r registered) text(name string) string { s, _ := r.inputs[name].(string); return s }
func (r registered) list(name string) []any  { l, _ := r.inputs[name].([]any); return l }

// cloud records what a program registers. It answers with what other resources
// read from it, and judges nothing.
type cloud struct {
	mutex     sync.Mutex
	resources []registered
}

func (c *cloud) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return nil, errors.New("no lookup is needed: the account and the region are settings")
}

func (c *cloud) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	id := args.Name + "_id"
	c.resources = append(c.resources, registered{args.TypeToken, args.Name, id, args.Inputs.Mappable(), args.RegisterRPC.GetDependencies(),
		args.RegisterRPC.GetProtect(), args.RegisterRPC.GetIgnoreChanges()})
	state := args.Inputs.Copy()
	set := func(values map[string]string) {
		for name, value := range values {
			state[resource.PropertyKey(name)] = resource.NewStringProperty(value)
		}
	}
	set(map[string]string{"arn": "arn:" + id})
	switch args.TypeToken {
	case "aws:ec2/vpc:Vpc":
		set(map[string]string{"defaultNetworkAclId": "acl-default", "defaultRouteTableId": "rtb-default", "defaultSecurityGroupId": "sg-default", "ipv6CidrBlock": "2001:db8:0:100::/56"})
	case "aws:ec2/vpcEndpoint:VpcEndpoint":
		set(map[string]string{"prefixListId": "pl-" + args.Name})
	case "aws:ec2/eip:Eip":
		set(map[string]string{"allocationId": "eipalloc-" + args.Name})
	case "aws:kms/key:Key":
		set(map[string]string{"keyId": id})
	case "aws:eks/cluster:Cluster":
		set(map[string]string{"endpoint": "https://0123.gr7.eu-central-1.eks.amazonaws.com"})
		state["certificateAuthority"] = resource.NewPropertyValue(map[string]any{"data": "LS0t"})
		state["identities"] = resource.NewPropertyValue([]any{map[string]any{"oidcs": []any{map[string]any{"issuer": testIssuer}}}})
	case "aws:ec2/launchTemplate:LaunchTemplate":
		state["latestVersion"] = resource.NewNumberProperty(3)
	case "aws:eks/nodeGroup:NodeGroup":
		set(map[string]string{"nodeGroupName": args.Inputs["nodeGroupNamePrefix"].StringValue() + "1"})
	}
	return id, state, nil
}

// run registers what a program makes.
func run(t *testing.T, program func(ctx *pulumi.Context) error) *cloud {
	t.Helper()
	c := &cloud{}
	if err := pulumi.RunErr(program, pulumi.WithMocks("project", "stack", c)); err != nil {
		t.Fatal(err)
	}
	return c
}

// of gives the resources of a type, by the end of its token, in the order of their names.
func (c *cloud) of(kind string) []registered {
	var found []registered
	for _, r := range c.resources {
		if strings.HasSuffix(r.token, ":"+kind) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b registered) int { return strings.Compare(a.name, b.name) })
	return found
}

// one gives the resource of a type and a name.
func (c *cloud) one(t *testing.T, kind, name string) registered {
	t.Helper()
	for _, r := range c.of(kind) {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no %s %q is registered", kind, name)
	return registered{}
}

// parse reads a policy as its consumer does.
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

// refusals gives the fields that an error names; each has a remedy.
func refusals(t *testing.T, err error) []string {
	t.Helper()
	var fields []string
	var walk func(error)
	walk = func(err error) {
		var one *hostconfig.FieldError
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, each := range many.Unwrap() {
				walk(each)
			}
		} else if errors.As(err, &one) {
			fields = append(fields, one.Field)
			if one.Problem == "" || one.Remedy == "" {
				t.Errorf("%s says no problem or no remedy", one.Field)
			}
		} else if err != nil {
			t.Errorf("not a field error: %v", err)
		}
	}
	walk(err)
	return fields
}

// refused checks that a component names exactly these fields and registers nothing.
func refused(t *testing.T, program func(ctx *pulumi.Context) error, want ...string) {
	t.Helper()
	c := &cloud{}
	var refusal error
	_ = pulumi.RunErr(func(ctx *pulumi.Context) error {
		refusal = program(ctx)
		return nil
	}, pulumi.WithMocks("project", "stack", c))
	got := refusals(t, refusal)
	slices.Sort(got)
	slices.Sort(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("refused %v, want %v\n%v", got, want, refusal)
	}
	if len(c.resources) > 0 {
		t.Errorf("%d resources were registered before the refusal", len(c.resources))
	}
}
