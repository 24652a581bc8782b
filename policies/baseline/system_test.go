package baseline

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// policies keeps what is registered by name of the object.
type policies struct {
	mu   sync.Mutex
	spec map[string]string
}

func (p *policies) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasSuffix(args.TypeToken, ":NetworkPolicy") {
		text, err := json.Marshal(args.Inputs["spec"].Mappable())
		if err != nil {
			return "", nil, err
		}
		p.spec[args.Inputs["metadata"].ObjectValue()["name"].StringValue()] = string(text)
	}
	return args.Name, args.Inputs, nil
}

func (*policies) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// M21: in the system's namespace every pod is denied everything but what stands here.
func TestSystemPolicies(t *testing.T) {
	p := &policies{spec: map[string]string{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := NewSystemPolicies(ctx, "system", &SystemPoliciesArgs{Resolvers: []string{"10.0.0.2/32"}, APIServers: []string{"10.0.0.0/16", "172.20.0.1/32"},
			Workloads: []SystemWorkload{{Name: "csi", Labels: map[string]string{"app": "csi"}, Egress: []SystemFlow{{CIDRs: []string{"10.0.0.0/16"}, Port: 443, Reason: "volumes"}}}}})
		return err
	}, pulumi.WithMocks("redoubt", "test", p))
	if err != nil {
		t.Fatal(err)
	}
	const dns = `"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"}]`
	for name, want := range map[string]string{
		"default-deny": `{"egress":[],"ingress":[],"podSelector":{},"policyTypes":["Ingress","Egress"]}`,
		"dns": `{"egress":[{` + dns + `,"to":[{"ipBlock":{"cidr":"10.0.0.2/32"}}]},{"ports":[{"port":443,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.0.0.0/16"}},{"ipBlock":{"cidr":"172.20.0.1/32"}}]}],` +
			`"ingress":[{"from":[{"namespaceSelector":{}}],` + dns + `}],"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}},"policyTypes":["Ingress","Egress"]}`,
		"csi": `{"egress":[{` + dns + `,"to":[{"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}]},{"ports":[{"port":443,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.0.0.0/16"}}]}],` +
			`"ingress":[],"podSelector":{"matchLabels":{"app":"csi"}},"policyTypes":["Ingress","Egress"]}`,
	} {
		if got := p.spec[name]; got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if len(p.spec) != 3 {
		t.Errorf("%d policies", len(p.spec))
	}
}
