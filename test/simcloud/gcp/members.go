package gcp

import (
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/artifactregistry"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/iap"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/kms"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/pubsub"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/storage"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// memberTypes let members do things to resources. Each names the resource in a property, and takes the roles of its
// service. https://cloud.google.com/iam/docs/reference/rest/v1/Policy#Binding
func memberTypes() []*simcloud.ResourceType {
	of := func(token string, args, resource any, target simcloud.Reference, roles ...string) *simcloud.ResourceType {
		t := kind(token, "{member}", args, resource)
		t.Replace = []string{target.Path, "role", "member", "condition", "project", "location", "region", "zone"}
		t.References = []simcloud.Reference{target}
		t.Check = checkMember
		judged(t, func(c *simcloud.Change) error {
			on := target.Normal(c.Scope, c.New, c.New.String(target.Path))
			switch token {
			case bucketMember:
				on = "b/" + on
			case tunnelMember:
				on = strings.Replace(on, "/zones/", "/iap_tunnel/zones/", 1)
			}
			return bind(c, t, on, roles)
		}, nil)
		t.Update = nil
		return t
	}
	project := of(projectMember, projects.IAMMemberArgs{}, projects.IAMMember{}, simcloud.Reference{Path: "project", Normal: plain, To: nil, Ignore: anything}, projectRoles...)
	inBucket := to("bucket", bucket, "{name}")
	ofKey := to("cryptoKeyId", key, "{name}")
	ofAccount := to("serviceAccountId", account, "{name}")
	ofAccount.Patience = seconds(60) // a new account is not seen at once
	return []*simcloud.ResourceType{project,
		of(keyMember, kms.CryptoKeyIAMMemberArgs{}, kms.CryptoKeyIAMMember{}, ofKey, "cloudkms"),
		of(keyRingMember, kms.KeyRingIAMMemberArgs{}, kms.KeyRingIAMMember{}, to("keyRingId", keyRing, "{name}"), "cloudkms"),
		of(accountMember, serviceaccount.IAMMemberArgs{}, serviceaccount.IAMMember{}, ofAccount, "iam"),
		of(bucketMember, storage.BucketIAMMemberArgs{}, storage.BucketIAMMember{}, inBucket, "storage"),
		of(repositoryMember, artifactregistry.RepositoryIamMemberArgs{}, artifactregistry.RepositoryIamMember{}, to("repository", repository, repositoryForm), "artifactregistry"),
		of(topicMember, pubsub.TopicIAMMemberArgs{}, pubsub.TopicIAMMember{}, to("topic", topic, topicForm), "pubsub"),
		of(subnetMember, compute.SubnetworkIAMMemberArgs{}, compute.SubnetworkIAMMember{}, toSubnetwork("subnetwork"), "compute"),
		of(instanceMember, compute.InstanceIAMMemberArgs{}, compute.InstanceIAMMember{}, to("instanceName", instance, instanceForm), "compute"),
		of(tunnelMember, iap.TunnelInstanceIAMMemberArgs{}, iap.TunnelInstanceIAMMember{}, to("instance", instance, instanceForm), "iap"),
	}
}

func plain(_ string, _ simcloud.Values, value string) string {
	return strings.TrimPrefix(value, "projects/")
}
func anything(string) bool { return true }

// projectRoles are the services whose roles a project takes.
var projectRoles = []string{"artifactregistry", "autoscaling", "bigquery", "binaryauthorization", "cloudasset", "cloudbuild", "cloudkms", "cloudprofiler", "cloudtrace",
	"compute", "container", "containeranalysis", "containersecurity", "dns", "errorreporting", "gkebackup", "gkehub", "iam", "iap", "logging", "monitoring", "networkmanagement",
	"orgpolicy", "osconfig", "privilegedaccessmanager", "pubsub", "resourcemanager", "run", "secretmanager", "securitycenter", "servicenetworking",
	"serviceusage", "stackdriver", "storage", "workstations"}

var (
	memberForm    = regexp.MustCompile(`^(allUsers|allAuthenticatedUsers|[a-zA-Z]+:.+)$`)
	email         = regexp.MustCompile(`^[^@\s:/]+@[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+$`)
	domain        = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	poolMember    = regexp.MustCompile(`^([a-z][a-z0-9-]{4,28}[a-z0-9]\.svc\.id\.goog)\[([a-z0-9-]+)/([a-z0-9.-]+)\]$`)
	poolPrincipal = regexp.MustCompile(`^//iam\.googleapis\.com/projects/([0-9]+)/locations/global/workloadIdentityPools/([a-z0-9.-]+)/.+$`)
	workforce     = regexp.MustCompile(`^//iam\.googleapis\.com/locations/global/workforcePools/[a-z0-9-]+/.+$`)
	roleForm      = regexp.MustCompile(`^roles/([a-z][a-zA-Z0-9]*)\.[a-zA-Z][a-zA-Z0-9.]*$`)
)

func checkMember(p *simcloud.Plan) {
	if text := p.Values.String("member"); text != "" && !memberForm.MatchString(text) {
		p.Add("member", "invalid value for member (IAM members must have one of the values outlined here: https://cloud.google.com/billing/docs/reference/rest/v1/Policy#Binding)")
	}
	if id := p.Values.String("serviceAccountId"); id != "" && !strings.Contains(id, "/serviceAccounts/") {
		p.Add("serviceAccountId", `"serviceAccountId" ("`+id+`") doesn't match regexp "projects/.../serviceAccounts/..."`)
	}
}

// bind judges that a role may be given to a member on something.
func bind(c *simcloud.Change, t *simcloud.ResourceType, on string, services []string) error {
	role, member := c.New.String("role"), c.New.String("member")
	c.ID = on + "/" + role + "/" + member
	if title := c.New.String("condition.title"); title != "" {
		c.ID += "/" + title
	}
	if c.Cloud.Get("", t.Token, c.ID) != nil {
		return coded(409, "alreadyExists", "%s has %s on %s already: two resources for one binding remove each other's", member, role, on)
	}
	if public(member) && t.Token == bucketMember {
		if o := c.Cloud.Get("", bucket, c.New.String("bucket")); o != nil && o.State.String("publicAccessPrevention") == "enforced" {
			return coded(412, "conditionNotMet", "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced.")
		}
	}
	if err := judgeRole(c.Cloud, role, services, t.Token == projectMember); err != nil {
		return err
	}
	if t.Token == projectMember && c.New.Has("condition") && strings.HasPrefix(role, "roles/") && !strings.Contains(role, ".") {
		return badRequest("LINT_VALIDATION_UNITS/BindingCondition: conditions are not allowed for the basic role %s", role)
	}
	if err := judgeCondition(c, t); err != nil {
		return err
	}
	return judgeMember(c, member)
}

// public tells whether a member is everybody.
func public(member string) bool { return member == "allUsers" || member == "allAuthenticatedUsers" }

// Public gives the bindings by which anybody on the internet may do something: the API takes them.
func Public(cloud *simcloud.Cloud) []simcloud.Object {
	return slices.DeleteFunc(cloud.Objects(), func(o simcloud.Object) bool { return !public(o.State.String("member")) })
}

func judgeRole(cloud *simcloud.Cloud, role string, services []string, project bool) error {
	if custom := strings.HasPrefix(role, "projects/"); custom && cloud.Get("", customRole, role) != nil || strings.HasPrefix(role, "organizations/") {
		return nil
	} else if custom {
		return coded(404, "notFound", "The role named %s was not found.", role)
	}
	if project && slices.Contains([]string{"roles/owner", "roles/editor", "roles/viewer", "roles/browser"}, role) {
		return nil
	}
	if parts := roleForm.FindStringSubmatch(role); parts == nil || !slices.Contains(services, parts[1]) {
		return badRequest("Role %s is not supported for this resource.", role)
	}
	return nil
}

// judgeMember judges that a member is one: well-formed, and one that exists where that can be known.
func judgeMember(c *simcloud.Change, member string) error {
	if public(member) {
		return nil
	}
	kind, who, _ := strings.Cut(member, ":")
	malformed := badRequest("Invalid member %q: %q is no %s", member, who, kind)
	switch kind {
	case "serviceAccount":
		if pool := poolMember.FindStringSubmatch(who); pool != nil {
			return judgePool(c.Cloud, pool[1])
		}
		if !email.MatchString(who) {
			return malformed
		}
		if !accountExists(c.Cloud, c.Scope, who) {
			return badRequest("Service account %s does not exist.", who).Within(seconds(60))
		}
		return nil
	case "user", "group":
		if strings.HasSuffix(who, ".gserviceaccount.com") {
			return badRequest("Principal %s is of type \"serviceAccount\". The principal should appear as \"serviceAccount:%s\".", who, who)
		}
		if !email.MatchString(who) {
			return malformed
		}
		return nil
	case "domain":
		if !domain.MatchString(who) {
			return malformed
		}
		return nil
	case "principal", "principalSet":
		if pool := poolPrincipal.FindStringSubmatch(who); pool != nil {
			if strings.HasSuffix(pool[2], ".svc.id.goog") {
				return judgePool(c.Cloud, pool[2])
			}
			return nil
		}
		if !workforce.MatchString(who) && !strings.HasPrefix(who, "//cloudresourcemanager.googleapis.com/") {
			return malformed
		}
		return nil
	case "projectOwner", "projectEditor", "projectViewer":
		return nil
	}
	return badRequest("The member %s is of an unknown type. Please set a valid type prefix for the member.", member)
}

// judgePool judges that a cluster has brought the workload identity pool of its project about.
func judgePool(cloud *simcloud.Cloud, pool string) error {
	with := cloud.Find("", cluster, func(o *simcloud.Object) bool {
		return o.Ready && o.State.String("workloadIdentityConfig.workloadPool") == pool
	})
	if len(with) == 0 {
		return badRequest("Identity Pool does not exist (%s). Please check that you specified a valid resource name as returned in the `name` attribute in the configuration API.", pool)
	}
	return nil
}

// granted tells whether a member has one of some roles through the bindings of one type, whose property names what they
// are on.
func granted(cloud *simcloud.Cloud, token, property, on, member string, roles ...string) bool {
	return len(cloud.Find("", token, func(o *simcloud.Object) bool {
		return o.State.String("member") == member && slices.Contains(roles, o.State.String("role")) && strings.TrimPrefix(normal("", o.State, "{name}", o.State.String(property)), "projects/") == strings.TrimPrefix(on, "projects/")
	})) > 0
}
