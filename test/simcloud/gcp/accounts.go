package gcp

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	accountID  = regexp.MustCompile(`^[a-z]([-a-z0-9]{4,28}[a-z0-9])$`)
	roleID     = regexp.MustCompile(`^[a-zA-Z0-9_.]{3,64}$`)
	permission = regexp.MustCompile(`^[a-zA-Z0-9]+(\.[a-zA-Z0-9]+){2,}$`)
	ownAccount = regexp.MustCompile(`^[a-z0-9-]+@([a-z][a-z0-9-]+)\.iam\.gserviceaccount\.com$`)
	agentForm  = regexp.MustCompile(`^service-([0-9]+)@([a-z0-9-]+)\.iam\.gserviceaccount\.com$`)
	madeByAPI  = regexp.MustCompile(`^([0-9]+-compute@developer|[0-9]+@cloudservices|[0-9]+@cloudbuild|[a-z0-9-]+@appspot)\.gserviceaccount\.com$`)
)

// agents are the homes of the service agents, by service.
// https://cloud.google.com/iam/docs/service-agents
var agents = map[string]string{"compute": "compute-system", "container": "container-engine-robot", "storage": "gs-project-accounts", "artifactregistry": "gcp-sa-artifactregistry",
	"pubsub": "gcp-sa-pubsub", "secretmanager": "gcp-sa-secretmanager", "logging": "gcp-sa-logging", "binaryauthorization": "gcp-sa-binaryauthorization", "iap": "gcp-sa-iap",
	"gkehub": "gcp-sa-gkehub", "monitoring": "gcp-sa-monitoring-notification"}

// asked are the agents that exist only once somebody has asked for them: their services make none by themselves.
// https://cloud.google.com/artifact-registry/docs/cmek#grant-perms, https://cloud.google.com/secret-manager/docs/cmek
var asked = []string{"artifactregistry", "secretmanager", "iap"}

func agent(cloud *simcloud.Cloud, project, service string) string {
	return "service-" + number(cloud, project) + "@" + agents[service] + ".iam.gserviceaccount.com"
}

func gkeAgent(cloud *simcloud.Cloud, project string) string {
	return agent(cloud, project, "container")
}
func computeAgent(cloud *simcloud.Cloud, project string) string {
	return agent(cloud, project, "compute")
}

// defaultAccount is that of machines which name none.
func defaultAccount(cloud *simcloud.Cloud, project string) string {
	return number(cloud, project) + "-compute@developer.gserviceaccount.com"
}

// accountExists tells whether a service account exists, as far as can be known: what belongs to a project in which
// nothing is made is taken for real.
func accountExists(cloud *simcloud.Cloud, scope, email string) bool {
	here := placeOf(scope, nil).project
	if madeByAPI.MatchString(email) {
		return true
	}
	if parts := agentForm.FindStringSubmatch(email); parts != nil {
		name := ""
		for service, home := range agents {
			if home == parts[2] {
				name = service
			}
		}
		if parts[1] != number(cloud, here) || !slices.Contains(asked, name) {
			return true
		}
		return cloud.Get("", serviceIdentity, "projects/"+here+"/services/"+name+".googleapis.com") != nil
	}
	parts := ownAccount.FindStringSubmatch(email)
	if parts == nil {
		return false
	}
	in := cloud.Find("", account, func(o *simcloud.Object) bool { return o.State.String("project") == parts[1] })
	if parts[1] != here && len(in) == 0 {
		return true
	}
	return slices.ContainsFunc(in, func(o *simcloud.Object) bool { return o.State.String("email") == email && cloud.Visible(o) })
}

// accountTypes are service accounts, their keys and custom roles.
// https://cloud.google.com/iam/docs/service-accounts-create
func accountTypes() []*simcloud.ResourceType {
	a := kind(account, "projects/{project}/serviceAccounts/{accountId}@{project}.iam.gserviceaccount.com", serviceaccount.AccountArgs{}, serviceaccount.Account{})
	a.Lag = seconds(10)
	a.Check = func(p *simcloud.Plan) {
		matching(p, "accountId", accountID, `doesn't match regexp "^[a-z](?:[-a-z0-9]{4,28}[a-z0-9])$"`)
		if len(p.Values.String("description")) > 256 {
			p.Add("description", "expected length of description to be in the range (0 - 256)")
		}
	}
	judged(a, func(c *simcloud.Change) error {
		email := lastPart(c.ID)
		c.Out["email"], c.Out["member"], c.Out["name"], c.Out["uniqueId"] = email, "serviceAccount:"+email, c.ID, digits(c.Cloud, "account", 21)
		return nil
	}, nil)

	k := kind(accountKey, "{serviceAccountId}/keys", serviceaccount.KeyArgs{}, serviceaccount.Key{})
	k.Replace = []string{"serviceAccountId", "keepers", "keyAlgorithm", "privateKeyType", "publicKeyData", "publicKeyType"}
	k.References = []simcloud.Reference{to("serviceAccountId", account, "{name}")}
	k.References[0].Patience = seconds(60) // a new account is not seen at once
	judged(k, func(c *simcloud.Change) error {
		c.ID = c.New.String("serviceAccountId") + "/keys/" + hexOf(digits(c.Cloud, "account key", 20))[:40]
		c.Out = simcloud.Values{"name": c.ID, "privateKey": base64.StdEncoding.EncodeToString([]byte(`{"type":"service_account"}`)), "publicKey": "",
			"validAfter": "2026-01-05T08:00:00Z", "validBefore": "9999-12-31T23:59:59Z"}
		return nil
	}, nil)

	r := kind(customRole, "projects/{project}/roles/{roleId}", projects.IAMCustomRoleArgs{}, projects.IAMCustomRole{}, "permissions")
	r.Defaults = simcloud.Values{"stage": "GA"}
	r.Check = func(p *simcloud.Plan) {
		matching(p, "roleId", roleID, "3 to 64 letters, digits, underscores and dots")
		p.OneOf("stage", "ALPHA", "BETA", "GA", "DEPRECATED", "DISABLED", "EAP")
		if p.Values.Known("permissions") && len(p.Values.Strings("permissions")) == 0 {
			p.Add("permissions", "at least 1 permission is required")
		}
	}
	valid := func(c *simcloud.Change) error {
		for _, each := range c.New.Strings("permissions") {
			if !permission.MatchString(each) || strings.Contains(each, "*") {
				return badRequest("Permission %s is not valid.", each)
			}
		}
		return nil
	}
	judged(r, func(c *simcloud.Change) error {
		c.Out["name"], c.Out["deleted"] = c.ID, false
		return valid(c)
	}, valid)
	return []*simcloud.ResourceType{a, k, r}
}
