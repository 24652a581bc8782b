package baseline

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// newClusterObjects registers the rules of the network that hold for the whole
// cluster, those of the namespaces of Kubernetes and of add-ons, and the classes. Some
// of the namespaces were made for it.
func newClusterObjects(ctx *pulumi.Context, name string, args *Args, made []pulumi.Resource, parent pulumi.ResourceOption) error {
	spec := args.Spec
	objects := append(network.ClusterObjects(spec.Network), PriorityClasses()...)
	if err := newObjects(ctx, name, append(objects, RuntimeClasses(spec.RuntimeClasses)...), parent); err != nil {
		return err
	}
	if !spec.enforced() {
		return nil
	}
	var denied []runtime.Object
	for _, namespace := range unusedNamespaces {
		denied = append(denied, network.DefaultDeny(namespace))
	}
	denied = append(denied, network.AddonObjects(spec.Network)...)
	for _, object := range denied {
		accessor, err := meta.Accessor(object)
		if err != nil {
			return err
		}
		if _, err := newObject(ctx, name+"-"+accessor.GetNamespace()+"-"+accessor.GetName(), object, parent, pulumi.DependsOn(made)); err != nil {
			return err
		}
	}
	if args.SystemApart || len(spec.Network.APIServers) == 0 || hostconfig.Excepted(args.Exceptions, network.ControlSystem) {
		return nil
	}
	_, err := NewSystemPolicies(ctx, name+"-system", &SystemPoliciesArgs{Network: spec.Network, Workloads: args.SystemWorkloads}, parent)
	return err
}
