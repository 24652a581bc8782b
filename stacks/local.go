package stacks

import (
	"fmt"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/local"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
)

// localPlatform is a cluster on this machine and its baseline, in one stack:
// the API server is reachable as soon as it exists.
func localPlatform(ctx *pulumi.Context, env Environment) error {
	host := local.DetectHost()
	if !host.Isolation {
		if err := ctx.Log.Warn("This is not Linux, or you are not root: the cluster is a control plane alone, "+
			"on 127.0.0.1, without workers, private network and host firewall. Run as root on Linux for all of it.", nil); err != nil {
			return err
		}
	}
	cluster, err := local.NewCluster(ctx, env.Name, env.clusterArgs(host))
	if err != nil {
		return fmt.Errorf("environment %s:\n%w", env.Name, err)
	}
	api, err := kubernetes.NewProvider(ctx, env.Name+"-api", &kubernetes.ProviderArgs{
		Kubeconfig:            cluster.Kubeconfig,
		EnableServerSideApply: pulumi.Bool(true),
		// Another address of the same cluster is no other cluster.
		ClusterIdentifier: pulumi.String(env.Name),
	}, pulumi.Parent(cluster))
	if err != nil {
		return err
	}
	// Whoever takes the cluster down takes these with it.
	inCluster := []pulumi.ResourceOption{pulumi.Provider(api), pulumi.DeletedWith(cluster.ControlPlane())}
	spec := env.Baseline.WithRegistries(local.Registry).WithAPIServers(incluster.ServedBy(cluster.Addresses())...)
	args := &baseline.Args{Spec: spec, Kubeconfig: cluster.Kubeconfig, Exceptions: env.Exceptions, Bootstrapped: true}
	if _, err := incluster.Baseline(ctx, env.Name, args, env.Tenants, inCluster...); err != nil {
		return err
	}
	summary := cluster.Summary()
	ctx.Export("apiEndpoint", cluster.Endpoint)
	ctx.Export("kubeconfigPath", cluster.KubeconfigPath)
	ctx.Export("stateDir", pulumi.String(env.StateDirectory))
	ctx.Export("environment", pulumi.String(env.Name))
	ctx.Export("isolated", pulumi.Bool(summary.Isolated))
	ctx.Export("nodes", summary.Nodes)
	ctx.Export("controlPlane", summary.ControlPlane)
	ctx.Export("network", summary.Network)
	ctx.Export("encryption", summary.Encryption)
	return nil
}
