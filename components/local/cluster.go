package local

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Cluster is a hardened Kubernetes cluster on this machine: a control plane and
// workers in a private network, with the settings of package hostconfig (M47).
type Cluster struct {
	pulumi.ResourceState

	// Endpoint is the API server's URL for people and programs on this host.
	Endpoint pulumi.StringOutput `pulumi:"endpoint"`
	// CertificateAuthority verifies the API server, PEM.
	CertificateAuthority pulumi.StringOutput `pulumi:"certificateAuthority"`
	// Kubeconfig is the administrator's kubeconfig. It refers to a client
	// certificate of 24 hours and holds no credential itself.
	Kubeconfig pulumi.StringOutput `pulumi:"kubeconfig"`
	// KubeconfigPath is the same as a file.
	KubeconfigPath pulumi.StringOutput `pulumi:"kubeconfigPath"`
	// OidcIssuer is the issuer of service account tokens.
	OidcIssuer pulumi.StringOutput `pulumi:"oidcIssuer"`
	// Nodes are the names of the workers.
	Nodes pulumi.StringArrayOutput `pulumi:"nodes"`

	controlPlane pulumi.Resource
	plan         plan
}

// NewCluster registers a cluster. The arguments are checked, all at once,
// before anything is registered.
func NewCluster(ctx *pulumi.Context, name string, args *ClusterArgs, opts ...pulumi.ResourceOption) (*Cluster, error) {
	p, err := newPlan(*args)
	if err == nil {
		err = p.validate(time.Now())
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{plan: p}
	if err := ctx.RegisterComponentResource(clusterToken, name, c, opts...); err != nil {
		return nil, err
	}
	k, err := newKeys(ctx, name, p, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	var ready []pulumi.Resource
	if p.args.Isolated {
		net, err := newNetwork(ctx, name+"-network", p, pulumi.Parent(c))
		if err != nil {
			return nil, err
		}
		wall, err := newFirewall(ctx, name+"-"+controlPlaneName+"-firewall", p, hostconfig.RoleControlPlane, controlPlaneName, pulumi.Parent(c), pulumi.DependsOn([]pulumi.Resource{net}))
		if err != nil {
			return nil, err
		}
		ready = []pulumi.Resource{net, wall}
	}
	cp, err := newControlPlane(ctx, name+"-"+controlPlaneName, p, k, pulumi.Parent(c), pulumi.DependsOn(ready))
	if err != nil {
		return nil, err
	}
	c.controlPlane = cp
	for _, w := range p.workers {
		wall, err := newFirewall(ctx, name+"-"+w.name+"-firewall", p, hostconfig.RoleWorker, w.name, pulumi.Parent(c), pulumi.DependsOn(ready[:1]))
		if err != nil {
			return nil, err
		}
		if _, err := newWorker(ctx, name+"-"+w.name, p, w, k, pulumi.Parent(c), pulumi.DependsOn([]pulumi.Resource{cp, wall})); err != nil {
			return nil, err
		}
	}
	return c, c.export(ctx, cp, k)
}

func (c *Cluster) export(ctx *pulumi.Context, cp *controlPlane, k *keys) error {
	p := c.plan
	c.Endpoint = pulumi.String(p.endpoint).ToStringOutput()
	c.CertificateAuthority = k.cluster.CertificatePem
	// Through the control plane, so that whoever uses the kubeconfig waits for it.
	c.Kubeconfig = cp.Kubeconfig.MapIndex(pulumi.String("contents"))
	c.KubeconfigPath = cp.Kubeconfig.MapIndex(pulumi.String("path"))
	c.OidcIssuer = pulumi.String(fmt.Sprintf("https://kubernetes.default.svc.%s", clusterDomain)).ToStringOutput()
	names := pulumi.StringArray{}
	for _, w := range p.workers {
		names = append(names, pulumi.String(w.name))
	}
	c.Nodes = names.ToStringArrayOutput()
	return ctx.RegisterResourceOutputs(c, pulumi.Map{
		"endpoint": c.Endpoint, "certificateAuthority": c.CertificateAuthority, "kubeconfig": c.Kubeconfig,
		"kubeconfigPath": c.KubeconfigPath, "oidcIssuer": c.OidcIssuer, "nodes": c.Nodes,
	})
}

// ControlPlane is the resource that objects of the cluster end with: give it to
// them as pulumi.DeletedWith, so that taking the cluster down asks a broken API
// server for nothing.
func (c *Cluster) ControlPlane() pulumi.Resource { return c.controlPlane }

// Addresses are the range of services, whose first is the API server's, and the
// address of the control plane behind it.
func (c *Cluster) Addresses() (serviceCIDR, controlPlane string) {
	return c.plan.args.Network.ServiceCIDR, c.plan.nodeAddress
}

// Summary is what a program shows or records of a cluster.
type Summary struct {
	Isolated                          bool
	Nodes                             pulumi.MapArray
	ControlPlane, Network, Encryption pulumi.Map
}

// Summary gives the names and addresses of the cluster.
func (c *Cluster) Summary() Summary {
	p := c.plan
	s := Summary{
		Isolated: p.args.Isolated,
		Nodes:    pulumi.MapArray{},
		ControlPlane: pulumi.Map{
			"name": pulumi.String(controlPlaneName), "address": pulumi.String(p.nodeAddress), "operatorAddress": pulumi.String(p.operatorAddress),
		},
		Network: pulumi.Map{
			"nodeCIDR": pulumi.String(p.args.Network.NodeCIDR), "podCIDR": pulumi.String(p.args.Network.PodCIDR),
			"serviceCIDR": pulumi.String(p.args.Network.ServiceCIDR), "operatorCIDR": pulumi.String(p.args.Network.OperatorCIDR),
		},
		Encryption: pulumi.Map{"provider": pulumi.String(p.args.Encryption.Provider), "keyName": pulumi.String(p.writer())},
	}
	for _, w := range p.workers {
		s.Nodes = append(s.Nodes, pulumi.Map{"name": pulumi.String(w.name), "address": pulumi.String(w.address), "podCIDR": pulumi.String(w.podCIDR)})
	}
	return s
}
