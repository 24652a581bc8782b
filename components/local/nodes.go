package local

import (
	"fmt"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// worker is a machine with the kubelet and containerd, and its node.
type worker struct{ pulumi.CustomResourceState }

// registryEndpoint is the registry on each worker's loopback: with
// AlwaysPullImages (CIS 1.2.11) the kubelet asks a registry for every image,
// and a machine with no route out can ask only itself.
const registryEndpoint = "127.0.0.1:5000"

// sandboxImage holds a pod's namespaces; it is in the programs' images/.
const sandboxImage = Registry + "/pause:3.10"

// Registry is that of the machines: no other can be reached from them.
const Registry = "redoubt.local"

// newWorker registers a worker that joins when the control plane answers.
func newWorker(ctx *pulumi.Context, name string, p plan, w workerPlan, k *keys, opts ...pulumi.ResourceOption) (*worker, error) {
	spec, paths := p.workerNode(w).Worker(), p.paths(w.name)
	rendered, err := spec.Files()
	if err != nil {
		return nil, err
	}
	policyAgent, err := spec.PolicyAgentKubeconfig()
	if err != nil {
		return nil, err
	}
	files := append(fileInputs(append(rendered, policyAgent)), file(paths.ClusterCA(), 0o644, k.cluster.CertificatePem))

	m := p.machineInput(w.name)
	m["files"] = files
	m["directories"] = pulumi.Array{directory(paths.KubeletDir(), 0o700, "root"), directory(paths.ContainerdRoot(), 0o700, "root"), directory(paths.PolicyAgentDir(), 0o700, "root")}
	m["kernelSettings"] = pulumi.ToStringMap(hostconfig.KubeletSysctls())
	m["binds"] = pulumi.Array{
		bind(p.args.ProgramsDirectory, programsInMachine, true),
		bind(p.args.CNIDirectory, paths.CNIBin(), true),
	}
	m["services"] = p.workerServices(spec, paths)
	res := &worker{}
	return res, ctx.RegisterResource(workerToken, name, pulumi.Map{
		"machine": m,
		"join": pulumi.Map{
			"clusterName":   pulumi.String(p.args.Environment),
			"apiServer":     pulumi.String(p.nodeEndpoint),
			"caCertificate": k.cluster.CertificatePem,
			"kubeconfig":    pulumi.String(p.kubeconfig()),
			"kubelet":       pulumi.String(fmt.Sprintf("%s:%d", w.address, p.ports.Kubelet)),
		},
	}, res, opts...)
}

func (p plan) workerServices(spec hostconfig.Worker, paths hostconfig.Paths) pulumi.Array {
	return pulumi.Array{
		p.service(service{
			name: "registry", program: p.program("redoubt-agent"),
			args:  []string{"registry", "--root", filepath.Join(programsInMachine, "images"), "--listen", registryEndpoint},
			ready: pulumi.Map{"tcp": pulumi.String(registryEndpoint)},
		}),
		p.service(service{
			name: "containerd", program: "/usr/bin/containerd", args: spec.ContainerdArgs(), privileged: true,
			reads: []string{paths.ContainerdConfig()},
			ready: pulumi.Map{"file": pulumi.String(paths.ContainerdSocket())},
		}),
		p.service(service{
			name: "kubelet", program: p.program("kubelet"), args: spec.KubeletArgs(), privileged: true,
			after: []string{"registry", "containerd"},
			reads: []string{paths.KubeletConfig(), paths.ClusterCA()},
			ready: pulumi.Map{"tcp": pulumi.Sprintf("127.0.0.1:%d", p.ports.KubeletHealth)},
		}),
		p.service(service{
			name: "policy-identity", program: p.program("redoubt-agent"),
			args: []string{"policy-identity", "--kubeconfig", paths.KubeletKubeconfig(), "--ca", paths.ClusterCA(),
				"--node", spec.Name, "--file", paths.PolicyAgentCredential()},
			after: []string{"kubelet"},
			reads: []string{paths.ClusterCA()},
			ready: pulumi.Map{"file": pulumi.String(paths.PolicyAgentCredential())},
		}),
		// A pod under quarantine loses its connections, and one that no policy holds yet
		// sends nothing (M21, M40).
		p.service(service{
			name: "pod-guard", program: p.program("redoubt-agent"),
			args:  []string{"pod-guard", "--kubeconfig", paths.Kubeconfig("policy-agent"), "--node", spec.Name},
			keeps: []string{"net_admin", "net_raw"}, // to list rules that name sets of addresses
			after: []string{"policy-identity"},
			reads: []string{paths.Kubeconfig("policy-agent"), paths.ClusterCA()},
		}),
		// Network policies (M21). Where they are not in force yet nothing passes: the
		// host firewall wants the agent's mark on each new connection of a pod.
		p.service(service{
			name: "kube-router", program: p.program("kube-router"), args: spec.KubeRouterArgs(p.args.Network.ServiceCIDR),
			keeps: []string{"net_admin", "net_raw"},
			after: []string{"policy-identity"},
			reads: []string{paths.Kubeconfig("policy-agent"), paths.ClusterCA()},
		}),
	}
}

// nodes are the identities that may join.
func (p plan) nodes() []hostconfig.NodeIdentity {
	var nodes []hostconfig.NodeIdentity
	for _, w := range p.workers {
		nodes = append(nodes, hostconfig.NodeIdentity{Name: w.name, Addresses: []string{w.address}})
	}
	return nodes
}
