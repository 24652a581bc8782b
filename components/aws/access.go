package aws

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Roles of people and automation in a cluster.
const (
	// AccessAdmin administers the whole cluster: what applies its baseline.
	AccessAdmin = "admin"
	// AccessOperator changes what runs in its namespaces.
	AccessOperator = "operator"
	// AccessViewer reads, but no secrets.
	AccessViewer = "viewer"
	// AccessBreakGlass administers the whole cluster in an emergency, and is
	// watched.
	AccessBreakGlass = "break-glass"
)

// accessPolicies are the policies of EKS for roles.
// https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
var accessPolicies = map[string]string{
	AccessAdmin: "AmazonEKSClusterAdminPolicy", AccessOperator: "AmazonEKSEditPolicy",
	AccessViewer: "AmazonEKSViewPolicy", AccessBreakGlass: "AmazonEKSClusterAdminPolicy",
}

// AccessArgs lets one role of IAM into the cluster. Nobody else gets in, not
// even who makes the cluster.
type AccessArgs struct {
	// Name is a DNS label of its own.
	Name string `pulumi:"name"`
	// Role is admin, operator, viewer or break-glass.
	Role string `pulumi:"role"`
	// PrincipalArn is a role of IAM. Users have credentials that do not expire and
	// are refused.
	PrincipalArn pulumi.StringInput `pulumi:"principalArn"`
	// Namespaces are where an operator or a viewer may do it. An operator needs
	// them; a viewer without any sees all.
	Namespaces []string `pulumi:"namespaces,optional"`
}

// rolePattern is a role that a person or a program takes. A service's own role
// is taken by nobody.
var (
	rolePattern          = regexp.MustCompile(`^arn:aws(-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	serviceLinkedPattern = regexp.MustCompile(`:role/aws-service-role/`)
	// namespacePattern is a name without patterns.
	namespacePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// CheckRole reports what is not the ARN of a role that somebody takes.
func CheckRole(arn string) error { return roleProblem(arn) }

func roleProblem(arn string) error {
	if rolePattern.MatchString(arn) && !serviceLinkedPattern.MatchString(arn) {
		return nil
	}
	return fmt.Errorf("%q is not the ARN of a role that somebody takes", arn)
}

// role reports what is missing, or already known and the ARN of no role.
func (p *problems) role(field string, given pulumi.StringInput, remedy string) {
	if given == nil {
		p.add(field, "is missing", remedy)
		return
	}
	if text, known := given.(pulumi.String); known {
		if err := roleProblem(string(text)); err != nil {
			p.add(field, err.Error(), remedy)
		}
	}
}

func (p *problems) access(field string, entries []AccessArgs) {
	administered := false
	names, principals := map[string]bool{}, map[string]bool{}
	for i, e := range entries {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !labelPattern.MatchString(e.Name) || names[e.Name] {
			p.add(at+".name", fmt.Sprintf("%q is no name of its own", e.Name), "write a DNS label of at most 32 characters that no other entry has")
		}
		names[e.Name] = true
		p.role(at+".principalArn", e.PrincipalArn, "write the ARN of a role, such as arn:aws:iam::123456789012:role/name")
		if text, known := e.PrincipalArn.(pulumi.String); known {
			if principals[string(text)] {
				p.add(at+".principalArn", string(text)+" has an entry already, and EKS takes one", "write another role")
			}
			principals[string(text)] = true
		}
		wide := e.Role == AccessAdmin || e.Role == AccessBreakGlass
		administered = administered || wide
		switch {
		case accessPolicies[e.Role] == "":
			p.add(at+".role", fmt.Sprintf("%q is not a role", e.Role), "write admin, operator, viewer or break-glass")
		case wide && len(e.Namespaces) > 0:
			p.add(at+".namespaces", "do not narrow "+e.Role, "leave them out, or write operator or viewer as the role")
		case e.Role == AccessOperator && len(e.Namespaces) == 0:
			p.add(at+".namespaces", "are missing: an operator of every namespace could run anything in those of the system (M20)", "write the namespaces")
		}
		for j, namespace := range e.Namespaces {
			where := fmt.Sprintf("%s.namespaces[%d]", at, j)
			switch {
			case !namespacePattern.MatchString(namespace):
				p.add(where, fmt.Sprintf("%q is not a namespace", namespace), "write the name of one, without patterns")
			case e.Role == AccessOperator && (namespace == systemNamespace || namespace == "kube-public" || namespace == "kube-node-lease"):
				p.add(where, namespace+" is the system's: who changes it owns the cluster (M20)", "leave it to an admin")
			case slices.Contains(e.Namespaces[:j], namespace):
				p.add(where, namespace+" is repeated", "list it once")
			}
		}
	}
	if !administered {
		p.add(field, "nobody administers the cluster, and its creator does not either", "add an entry with the role admin or break-glass")
	}
}

// newAccess registers the entries and gives the ids of their policies.
func (c *EksCluster) newAccess(ctx *pulumi.Context, name string, a EksClusterArgs) ([]any, error) {
	var ready []any
	for _, e := range a.Access {
		principal := e.PrincipalArn.ToStringOutput().ApplyT(func(arn string) (string, error) { return arn, roleProblem(arn) }).(pulumi.StringOutput)
		entry, err := eks.NewAccessEntry(ctx, name+"-access-"+e.Name, &eks.AccessEntryArgs{
			ClusterName: c.Name, PrincipalArn: principal, Type: pulumi.String("STANDARD"), Tags: tagged(a.Tags, a.Cluster, e.Name),
		}, pulumi.Parent(c))
		if err != nil {
			return nil, err
		}
		scope := eks.AccessPolicyAssociationAccessScopeArgs{Type: pulumi.String("cluster")}
		if len(e.Namespaces) > 0 {
			scope.Type, scope.Namespaces = pulumi.String("namespace"), pulumi.ToStringArray(e.Namespaces)
		}
		// Through the entry's own output: the policy goes before the entry does.
		association, err := eks.NewAccessPolicyAssociation(ctx, name+"-access-"+e.Name, &eks.AccessPolicyAssociationArgs{
			ClusterName: c.Name, PrincipalArn: entry.PrincipalArn, AccessScope: scope,
			PolicyArn: pulumi.String(fmt.Sprintf("arn:%s:eks::aws:cluster-access-policy/%s", a.Account.partition(), accessPolicies[e.Role])),
			// EKS knows an association by role and policy: one of another scope would
			// go together with the one that it replaces.
		}, pulumi.Parent(c), pulumi.DeleteBeforeReplace(true))
		if err != nil {
			return nil, err
		}
		ready = append(ready, association.ID())
	}
	return ready, nil
}
