package aws

import (
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

// managedPolicies are those of AWS that programs of this repository may attach, with their paths.
// https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
var managedPolicies = strings.Fields(`AmazonEKSClusterPolicy AmazonEKSVPCResourceController AmazonEKSWorkerNodePolicy AmazonEKSWorkerNodeMinimalPolicy
	AmazonEKS_CNI_Policy AmazonEKSServicePolicy AmazonEKSBlockStoragePolicy AmazonEKSComputePolicy AmazonEKSLoadBalancingPolicy AmazonEKSNetworkingPolicy
	AmazonEC2ContainerRegistryReadOnly AmazonEC2ContainerRegistryPullOnly AmazonEC2ContainerRegistryPowerUser AmazonSSMManagedInstanceCore
	CloudWatchAgentServerPolicy ReadOnlyAccess SecurityAudit ViewOnlyAccess AdministratorAccess PowerUserAccess
	service-role/AmazonEBSCSIDriverPolicy service-role/AmazonEBSCSIDriverPolicyV2 service-role/AmazonEFSCSIDriverPolicy service-role/AmazonEC2RoleforSSM job-function/ViewOnlyAccess`)

func toPolicy(path string) simcloud.Reference {
	r := by(to(path, "NoSuchEntity", "Policy %s does not exist or is not attachable.", policy), "arn")
	r.Ignore = func(value string) bool {
		name, managed := strings.CutPrefix(value, "arn:aws:iam::aws:policy/")
		return managed && slices.Contains(managedPolicies, name)
	}
	r.Holds = true
	return r
}

// toRoleName is a reference by the name of a role; the property may hold nothing else.
func toRoleName(path string) simcloud.Reference {
	r := holding(to(path, "NoSuchEntity", "The role with name %s cannot be found.", role))
	r.Patience = seconds(120)
	return r
}

// policyTypes are policies and their attachments.
func policyTypes() []*simcloud.ResourceType {
	p := kind(policy, iam.PolicyArgs{}, iam.Policy{}, "policy")
	p.Global = true
	p.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 128, Prefix: "namePrefix"}
	p.Defaults = simcloud.Values{"path": "/"}
	p.Replace = []string{"name", "namePrefix", "path", "description"}
	p.InUse = func(*simcloud.Object, *simcloud.Object) *simcloud.Error {
		return errorf("DeleteConflict", "Cannot delete a policy attached to entities.")
	}
	p.Check = func(at *simcloud.Plan) {
		named(at, 128)
		planDocument(at, "policy", iampolicy.Identity)
	}
	p.Create = func(c *simcloud.Change) error {
		if _, err := document(c.New, "policy", iampolicy.Identity, "MalformedPolicyDocument"); err != nil {
			return err
		}
		c.ID = arn("iam", "", "policy"+c.New.String("path")+c.New.String("name"))
		if c.Cloud.By("", policy, "name", c.New.String("name")) != nil {
			return errorf("EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", c.New.String("name"))
		}
		c.Out["arn"], c.Out["policyId"], c.Out["attachmentCount"] = c.ID, "ANPA"+strings.ToUpper(digits(c.Cloud, "policy", 17)), 0
		c.Out["policy"] = documentText(c.New.Get("policy"))
		return nil
	}
	p.Update = func(c *simcloud.Change) error {
		c.Out["policy"] = documentText(c.New.Get("policy"))
		_, err := document(c.New, "policy", iampolicy.Identity, "MalformedPolicyDocument")
		return err
	}

	inline := kind(rolePolicy, iam.RolePolicyArgs{}, iam.RolePolicy{}, "policy", "role")
	inline.Global = true
	inline.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 128, Prefix: "namePrefix"}
	inline.Replace = []string{"name", "namePrefix", "role"}
	inline.References = []simcloud.Reference{toRoleName("role")}
	inline.Check = func(at *simcloud.Plan) {
		named(at, 128)
		planDocument(at, "policy", iampolicy.Inline)
	}
	judge := func(c *simcloud.Change) error {
		doc, err := document(c.New, "policy", iampolicy.Inline, "MalformedPolicyDocument")
		if err != nil {
			return err
		}
		size := doc.Size
		for _, o := range c.Cloud.Find("", rolePolicy, func(o *simcloud.Object) bool { return o.State.String("role") == c.New.String("role") }) {
			if c.Object == nil || o.ID != c.Object.ID {
				if other, err := document(o.State, "policy", iampolicy.Inline, ""); err == nil {
					size += other.Size
				}
			}
		}
		if size > 10240 {
			return errorf("LimitExceeded", "Maximum policy size of 10240 bytes exceeded for role %s", c.New.String("role"))
		}
		c.Out["policy"] = documentText(c.New.Get("policy"))
		return nil
	}
	inline.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("role") + ":" + c.New.String("name")
		return judge(c)
	}
	inline.Update = judge

	attachment := kind(rolePolicyAttachment, iam.RolePolicyAttachmentArgs{}, iam.RolePolicyAttachment{}, "role")
	attachment.Global = true
	attachment.Replace = []string{"role", "policyArn"}
	attachment.References = []simcloud.Reference{toRoleName("role"), toPolicy("policyArn")}
	attachment.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("role") + "/" + c.New.String("policyArn")
		if c.Cloud.Get("", rolePolicyAttachment, c.ID) != nil {
			// AWS accepts it; but then two resources own one attachment, and removing either detaches it.
			return errorf("EntityAlreadyExists", "%s is attached to %s already", c.New.String("policyArn"), c.New.String("role"))
		}
		n := 0
		for range c.Cloud.Find("", rolePolicyAttachment, func(o *simcloud.Object) bool { return o.State.String("role") == c.New.String("role") }) {
			n++
		}
		if n >= 10 {
			return errorf("LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")
		}
		return nil
	}
	return []*simcloud.ResourceType{p, inline, attachment}
}

// identityTypes are instance profiles and OpenID Connect providers.
func identityTypes() []*simcloud.ResourceType {
	profile := kind(instanceProfile, iam.InstanceProfileArgs{}, iam.InstanceProfile{})
	profile.Global, profile.Lag = true, propagation
	profile.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 128, Prefix: "namePrefix"}
	profile.Defaults = simcloud.Values{"path": "/"}
	profile.Replace = []string{"name", "namePrefix", "path"}
	profile.References = []simcloud.Reference{toRoleName("role")}
	profile.Check = func(p *simcloud.Plan) { named(p, 128) }
	profile.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get("", instanceProfile, c.ID) != nil {
			return errorf("EntityAlreadyExists", "Instance Profile %s already exists.", c.ID)
		}
		c.Out["arn"], c.Out["uniqueId"] = arn("iam", "", "instance-profile"+c.New.String("path")+c.ID), "AIPA"+strings.ToUpper(digits(c.Cloud, "profile", 17))
		return nil
	}

	provider := kind(oidcProvider, iam.OpenIdConnectProviderArgs{}, iam.OpenIdConnectProvider{}, "clientIdLists")
	provider.Global = true
	provider.Replace = []string{"url"}
	provider.Check = func(p *simcloud.Plan) {
		if url := p.Values.String("url"); url != "" && !strings.HasPrefix(url, "https://") {
			p.Add("url", "ValidationError: the URL of an OpenID Connect provider must begin with https://")
		}
		for _, thumbprint := range p.Values.Strings("thumbprintLists") {
			if len(thumbprint) != 40 {
				p.Add("thumbprintLists", "expected length of thumbprintLists to be in the range (40 - 40), got "+thumbprint)
			}
		}
	}
	provider.Create = func(c *simcloud.Change) error {
		host := strings.TrimPrefix(c.New.String("url"), "https://")
		c.ID = arn("iam", "", "oidc-provider/"+host)
		if c.Cloud.Get("", oidcProvider, c.ID) != nil {
			return errorf("EntityAlreadyExists", "Provider with url https://%s already exists.", host)
		}
		if strings.HasPrefix(host, "oidc.eks.") {
			known := slices.ContainsFunc(c.Cloud.Find(c.Scope, cluster, nil), func(o *simcloud.Object) bool {
				return o.State.String("identities[0].oidcs[0].issuer") == "https://"+host
			})
			if !known {
				return errorf("OpenIdIdpCommunicationError", "https://%s is the issuer of no cluster", host)
			}
		}
		c.Out["arn"] = c.ID
		if !c.New.Has("thumbprintLists") {
			c.Out["thumbprintLists"] = []string{digits(c.Cloud, "thumbprint", 40)}
		}
		return nil
	}
	return []*simcloud.ResourceType{profile, provider}
}
