package gcp

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Roles of people and automation in a cluster.
const (
	// AccessAdmin administers the whole cluster: what applies its baseline.
	AccessAdmin = "admin"
	// AccessOperator and AccessViewer get in; role bindings of the cluster, for
	// their groups, say what they may do.
	AccessOperator = "operator"
	AccessViewer   = "viewer"
	// AccessBreakGlass administers the whole cluster in an emergency, and is
	// watched.
	AccessBreakGlass = "break-glass"
)

// accessRoles are those of IAM. clusterViewer finds the cluster and may do
// nothing inside.
// https://cloud.google.com/kubernetes-engine/docs/how-to/iam#predefined
var accessRoles = map[string]string{
	AccessAdmin: "roles/container.admin", AccessOperator: "roles/container.clusterViewer",
	AccessViewer: "roles/container.clusterViewer", AccessBreakGlass: "roles/container.admin",
}

// AccessArgs lets a group or an account into the cluster.
type AccessArgs struct {
	// Name is a DNS label of its own, of at most 20 characters.
	Name string `pulumi:"name"`
	// Role is admin, operator, viewer or break-glass.
	Role string `pulumi:"role"`
	// Member is a group, a service account or an identity of a pool, as IAM writes
	// them. That of break-glass is a service account, which people act as: records
	// name it, and never a group.
	Member string `pulumi:"member"`
}

func (p *problems) access(field string, entries []AccessArgs) {
	administered := false
	names, members := map[string]bool{}, map[string]bool{}
	for i, e := range entries {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !egressPattern.MatchString(e.Name) || names[e.Name] {
			p.add(at+".name", fmt.Sprintf("%q is no name of its own", e.Name), "write a DNS label of at most 20 characters that no other entry has")
		}
		names[e.Name] = true
		if err := memberProblem(e.Member); err != nil {
			p.add(at+".member", err.Error()+" (CIS-GKE-5.8.2)", memberExample)
		} else if members[e.Member] {
			p.add(at+".member", e.Member+" has an entry already", "write another, or one role for both")
		}
		members[e.Member] = true
		administered = administered || e.Role == AccessAdmin || e.Role == AccessBreakGlass
		switch {
		case accessRoles[e.Role] == "":
			p.add(at+".role", fmt.Sprintf("%q is not a role", e.Role), "write admin, operator, viewer or break-glass")
		case e.Role == AccessBreakGlass && !strings.HasPrefix(e.Member, "serviceAccount:"):
			p.add(at+".member", "is no service account, and no record would tell its use apart (M39)", "write the account that people act as in an emergency")
		}
	}
	if !administered {
		p.add(field, "nobody administers the cluster", "add an entry with the role admin or break-glass")
	}
}

// newAccess registers the grants, for this cluster only, and gives their ids.
func (c *GkeCluster) newAccess(ctx *pulumi.Context, name string, a GkeClusterArgs) ([]any, error) {
	var ready []any
	for _, e := range a.Access {
		grant, err := projects.NewIAMMember(ctx, name+"-access-"+e.Name, &projects.IAMMemberArgs{
			Project: pulumi.String(a.Project.ID), Role: pulumi.String(accessRoles[e.Role]), Member: pulumi.String(e.Member),
			// https://cloud.google.com/iam/docs/conditions-resource-attributes
			Condition: projects.IAMMemberConditionArgs{
				Title: pulumi.String("cluster-" + a.Cluster), Description: pulumi.String("Only the cluster " + a.Cluster),
				Expression: c.Name.ApplyT(func(cluster string) string { return fmt.Sprintf("resource.name == %q", a.Project.clusterPath(cluster)) }).(pulumi.StringOutput),
			},
		}, pulumi.Parent(c))
		if err != nil {
			return nil, err
		}
		ready = append(ready, grant.ID())
	}
	return ready, nil
}
