package aws_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

const (
	endpointToken = "aws:ec2/vpcEndpoint:VpcEndpoint"
	ingressToken  = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressToken   = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	aclToken      = "aws:ec2/networkAcl:NetworkAcl"
	tableToken    = "aws:ec2/routeTableAssociation:RouteTableAssociation"
	keyToken      = "aws:kms/key:Key"
	groupToken    = "aws:eks/nodeGroup:NodeGroup"
)

// The foundation alone lets nodes join, from a network with no way out; and each part of it that a node needs is
// needed: without it nodes do not join, for that reason. What a node does not need may go.
func TestNodesJoin(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	e := simtest.New(t, cloud, settings)
	out := e.MustUp(foundation{cluster: cluster{}.program}.program)
	pool := another{cloud: cloud, server: cloud.Serve(), like: only(t, cloud, groupToken)}
	defer pool.server.Close()
	if err := pool.configure(); err != nil {
		t.Fatal(err)
	}
	if problem := pool.joins(); problem != "" {
		t.Fatalf("a second group: %s", problem)
	}
	t.Run("policies of endpoints", func(t *testing.T) { policies(t, cloud) })
	t.Run("endpoints", func(t *testing.T) {
		needed := map[string]string{"s3": "no gateway endpoint of s3"}
		for _, service := range simaws.NodeEndpoints {
			needed[service] = "no interface endpoint with private DNS for " + service
		}
		for _, o := range cloud.Objects(endpointToken) {
			service := strings.TrimPrefix(o.State.String("serviceName"), "com.amazonaws."+region+".")
			pool.without(t, service, o, needed[service])
			delete(needed, service)
		}
		if len(needed) > 0 {
			t.Errorf("no endpoint for %v", needed)
		}
	})
	t.Run("rules", func(t *testing.T) {
		nodes, endpoints, control := out.Output("nodes"), out.Output("endpoints"), out.Output("cluster")
		// What leaves the control plane leaves by the group that EKS makes too, which lets everything out.
		needed := map[string]string{
			ingressToken + endpoints + nodes: "no node reach the endpoint of ec2", egressToken + nodes + endpoints: "no node reach the endpoint of ec2",
			ingressToken + control + nodes: "reach the API server on 443/tcp", egressToken + nodes + control: "reach the API server on 443/tcp",
			ingressToken + nodes + control + "10250": "reach a kubelet on 10250/tcp",
			egressToken + nodes:                      "reach s3 through its prefix list",
		}
		for _, o := range cloud.Objects(ingressToken, egressToken) {
			rule := o.Type + o.State.String("securityGroupId") + o.State.String("referencedSecurityGroupId")
			if strings.HasPrefix(rule, ingressToken+nodes+control) && o.State.Int("fromPort") == 10250 {
				rule += "10250"
			}
			pool.without(t, o.State.String("description"), o, needed[rule])
			delete(needed, rule)
		}
		if len(needed) > 0 {
			t.Errorf("no rule %v", needed)
		}
	})
	t.Run("access list", func(t *testing.T) {
		list := pool.list(t)
		for _, direction := range []string{"ingress", "egress"} {
			inside := 0
			for i, rule := range list.State.List(direction) {
				want := ""
				if rule.String("cidrBlock") == "10.0.0.0/16" {
					inside, want = inside+1, "the network access list"
				}
				rules, _ := list.State[direction].([]any)
				pool.with(t, direction+" without "+rule.String("cidrBlock"), list, direction, slices.Delete(slices.Clone(rules), i, i+1), want)
			}
			if inside != 1 {
				t.Errorf("%s: %d rules for the network itself", direction, inside)
			}
		}
	})
	t.Run("route tables", func(t *testing.T) {
		for _, o := range cloud.Objects(tableToken) {
			pool.without(t, o.ID, o, "no gateway endpoint of s3")
		}
	})
	t.Run("keys", func(t *testing.T) {
		for _, o := range cloud.Objects(keyToken) {
			pool.key(t, o)
		}
	})
}

// another makes node groups like one that there is, as the provider does when the engine asks it.
type another struct {
	cloud  *simcloud.Cloud
	server *simcloud.Server
	like   simcloud.Object
}

func (a another) configure() error {
	args, err := plugin.MarshalProperties(resource.PropertyMap{"region": resource.NewStringProperty(region)}, plugin.MarshalOptions{})
	if err == nil {
		_, err = a.server.Configure(context.Background(), &pulumirpc.ConfigureRequest{Args: args})
	}
	return err
}

// joins makes a group and takes it away; it gives why its nodes did not join, "" when they did.
func (a another) joins() string {
	inputs := resource.NewPropertyMapFromMap(a.like.Inputs)
	inputs["nodeGroupName"] = resource.NewStringProperty("another")
	properties, err := plugin.MarshalProperties(inputs, plugin.MarshalOptions{})
	if err != nil {
		return err.Error()
	}
	_, err = a.server.Create(context.Background(), &pulumirpc.CreateRequest{Urn: string(resource.NewURN("sim", "simulation", "", groupToken, "another")), Properties: properties})
	for _, o := range a.cloud.Objects(groupToken) {
		if o.ID != a.like.ID {
			if err := a.cloud.Remove(o); err != nil {
				return err.Error()
			}
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// expect judges whether nodes join; want is why not, "" when they do.
func (a another) expect(t *testing.T, name, want string) {
	t.Helper()
	switch problem := a.joins(); {
	case want == "" && problem != "":
		t.Errorf("%s: nodes need it: %s", name, problem)
	case !strings.Contains(problem, want):
		t.Errorf("%s: nodes join, or fail for another reason: %q, want %q", name, problem, want)
	}
}

// without takes an object away while nodes try.
func (a another) without(t *testing.T, name string, o simcloud.Object, want string) {
	t.Helper()
	if err := a.cloud.Remove(o); err != nil {
		t.Fatal(err)
	}
	a.expect(t, "without "+name, want)
	a.put(t, o)
}

// with changes a property while nodes try.
func (a another) with(t *testing.T, name string, o simcloud.Object, property string, value any, want string) {
	t.Helper()
	changed := o
	changed.State = o.State.Copy()
	changed.State[property] = value
	a.put(t, changed)
	a.expect(t, name, want)
	a.put(t, o)
}

func (a another) put(t *testing.T, o simcloud.Object) {
	t.Helper()
	if err := a.cloud.Put(o); err != nil {
		t.Fatal(err)
	}
}

// list is the access list of the subnets of nodes.
func (a another) list(t *testing.T) simcloud.Object {
	t.Helper()
	for _, o := range a.cloud.Objects(aclToken) {
		if slices.Contains(o.State.Strings("subnetIds"), a.like.State.Strings("subnetIds")[0]) {
			return o
		}
	}
	t.Fatal("the subnets have no access list of their own")
	return simcloud.Object{}
}

// key takes the statements of a key's policy away, one at a time. The volumes key needs the two that let the Auto
// Scaling service in; the others encrypt nothing that a node boots from.
func (a another) key(t *testing.T, o simcloud.Object) {
	t.Helper()
	var policy map[string]any
	if err := json.Unmarshal([]byte(o.State.String("policy")), &policy); err != nil {
		t.Fatal(err)
	}
	statements, seen := policy["Statement"].([]any), 0
	for i, each := range statements {
		sid, want := each.(map[string]any)["Sid"].(string), ""
		if strings.HasSuffix(sid, "ForVolumes") {
			seen, want = seen+1, "Client.InternalError"
		}
		policy["Statement"] = slices.Delete(slices.Clone(statements), i, i+1)
		text, err := json.Marshal(policy)
		if err != nil {
			t.Fatal(err)
		}
		a.with(t, o.State.String("description")+" without "+sid, o, "policy", string(text), want)
	}
	want := ""
	if strings.HasPrefix(o.State.String("description"), "volumes") {
		want = "Client.InternalError"
		if seen != 2 {
			t.Errorf("%d statements for volumes", seen)
		}
	}
	a.with(t, o.State.String("description")+" disabled", o, "isEnabled", false, want)
}
