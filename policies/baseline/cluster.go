package baseline

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// newClusterObjects registers the rules of the network that hold for the whole
// cluster, a default deny in the namespaces of Kubernetes where nothing runs, and
// the classes.
func newClusterObjects(ctx *pulumi.Context, name string, spec Spec, parent pulumi.ResourceOption) error {
	objects := append(network.ClusterObjects(spec.Network), PriorityClasses()...)
	if err := newObjects(ctx, name, append(objects, RuntimeClasses(spec.RuntimeClasses)...), parent); err != nil {
		return err
	}
	// Where policies do not refuse yet, workloads may still be in "default": a denial
	// would cut them off before anybody has been told.
	if mode := spec.Policies.Mode; mode != "" && mode != admission.Deny {
		return nil
	}
	for _, namespace := range unusedNamespaces {
		if _, err := newObject(ctx, name+"-"+namespace+"-default-deny", network.DefaultDeny(namespace), parent); err != nil {
			return err
		}
	}
	return nil
}
