package baseline

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// SystemPoliciesArgs describes what the pods of kube-system may reach.
type SystemPoliciesArgs struct {
	// Network says where the API server and the resolvers are, and has the flows
	// of add-ons. Without APIServers the cluster's own DNS stands still.
	Network network.Settings
	// Workloads are the pods that the cluster's maker puts there, beside DNS.
	Workloads []network.SystemWorkload
}

// SystemPolicies are the network policies of kube-system: nothing in or out but
// DNS for every pod and what the programs there need (M21). Pods that share the
// network of their node, as network plugins do, are not subject to policies.
type SystemPolicies struct {
	pulumi.ResourceState

	// Ready is known once all policies are there: what runs under a strict network
	// plugin waits for it.
	Ready pulumi.StringOutput `pulumi:"ready"`
}

// NewSystemPolicies registers the policies.
func NewSystemPolicies(ctx *pulumi.Context, name string, args *SystemPoliciesArgs, opts ...pulumi.ResourceOption) (*SystemPolicies, error) {
	s := &SystemPolicies{}
	if err := ctx.RegisterComponentResource(systemToken, name, s, opts...); err != nil {
		return nil, err
	}
	var ready []any
	for _, policy := range network.SystemObjects(args.Workloads, args.Network) {
		accessor, err := meta.Accessor(policy)
		if err != nil {
			return nil, err
		}
		made, err := newObject(ctx, name+"-"+accessor.GetName(), policy, pulumi.Parent(s))
		if err != nil {
			return nil, err
		}
		ready = append(ready, made.ID())
	}
	s.Ready = pulumi.All(ready...).ApplyT(func(ids []any) string { return fmt.Sprint(len(ids)) }).(pulumi.StringOutput)
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"ready": s.Ready})
}
