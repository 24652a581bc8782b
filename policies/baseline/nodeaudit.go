package baseline

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/policies/baseline/nodeaudit"
)

// NewNodeAudit registers what starts the audit daemon of nodes and sends its records
// (CIS GKE 5.7.2, M17). The baseline must have [nodeaudit.SystemNamespace] among the
// namespaces of its policies; everything here comes after it.
func NewNodeAudit(ctx *pulumi.Context, name string, s nodeaudit.Settings, of nodeaudit.Cluster, in *Baseline, opts ...pulumi.ResourceOption) error {
	if err := s.Validate("nodeAudit"); err != nil {
		return err
	}
	return newObjects(ctx, name, nodeaudit.Objects(s, of, PriorityPlatform), append(opts, pulumi.DependsOn([]pulumi.Resource{in}))...)
}
