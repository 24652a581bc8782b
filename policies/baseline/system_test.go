package baseline

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/policies/baseline/network"
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
		_, err := NewSystemPolicies(ctx, "system", &SystemPoliciesArgs{
			Network: network.Settings{Resolvers: []string{"10.0.0.2/32"}, APIServers: []network.Endpoint{{CIDR: "10.0.0.0/16"}, {CIDR: "172.20.0.1/32"}, {CIDR: "10.0.0.9/32", Port: 6443}},
				System: []network.SystemNamespace{{Namespace: "kube-system", Ingress: []network.Flow{{Name: "scrape", Tenant: "monitoring", Ports: []network.Port{{Port: 9153}}, Reason: "metrics of DNS"}}}, {Namespace: "other"}}},
			Workloads: []network.SystemWorkload{{Name: "csi", Labels: map[string]string{"app": "csi"},
				Ingress: []network.SystemFlow{{Pods: map[string]string{"app": "tunnel"}, Ports: []network.Port{{Port: 8443}}, Reason: "webhook"}},
				Egress:  []network.SystemFlow{{CIDRs: []string{"10.0.0.0/16"}, Ports: []network.Port{{Port: 443}}, Reason: "volumes"}, {APIServer: true, Reason: "watches"}, {Ports: []network.Port{{Port: 10250}}, Reason: "kubelets"}}}}})
		return err
	}, pulumi.WithMocks("redoubt", "test", p))
	if err != nil {
		t.Fatal(err)
	}
	const (
		types    = `"policyTypes":["Ingress","Egress"]`
		released = `"matchExpressions":[{"key":"redoubt.dev/quarantine","operator":"DoesNotExist"}]`
		api      = `{"ports":[{"port":443,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.0.0.0/16"}},{"ipBlock":{"cidr":"172.20.0.1/32"}}]},{"ports":[{"port":6443,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.0.0.9/32"}}]}`
	)
	const dns = `"ports":[{"port":53,"protocol":"UDP"},{"port":53,"protocol":"TCP"}]`
	for name, want := range map[string]string{
		"default-deny": `{"egress":[],"ingress":[],"podSelector":{},"policyTypes":["Ingress","Egress"]}`,
		"dns": `{"egress":[{` + dns + `,"to":[{"ipBlock":{"cidr":"10.0.0.2/32"}}]},` + api + `],` +
			`"ingress":[{"from":[{"namespaceSelector":{}}],` + dns + `}],"podSelector":{` + released + `,"matchLabels":{"k8s-app":"kube-dns"}},` + types + `}`,
		"csi": `{"egress":[{` + dns + `,"to":[{"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}]},{"ports":[{"port":443,"protocol":"TCP"}],"to":[{"ipBlock":{"cidr":"10.0.0.0/16"}}]},` + api + `,{"ports":[{"port":10250,"protocol":"TCP"}]}],` +
			`"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"tunnel"}}}],"ports":[{"port":8443,"protocol":"TCP"}]}],"podSelector":{` + released + `,"matchLabels":{"app":"csi"}},` + types + `}`,
		"ingress-scrape": `{"egress":[],"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}},"podSelector":{}}],"ports":[{"port":9153,"protocol":"TCP"}]}],` +
			`"podSelector":{` + released + `},` + types + `}`,
	} {
		if got := p.spec[name]; got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if len(p.spec) != 4 {
		t.Errorf("%d policies", len(p.spec))
	}
}
