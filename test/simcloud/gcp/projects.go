package gcp

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/organizations"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*\.googleapis\.com$`)

// projectTypes are projects and what they have: APIs, their agents, and what its audit logs keep.
func projectTypes() []*simcloud.ResourceType {
	project := kind(projectType, "projects/{projectId}", organizations.ProjectArgs{}, organizations.Project{})
	project.Check = func(p *simcloud.Plan) {
		matching(p, "projectId", projectID, "6 to 30 lower-case letters, digits and hyphens, beginning with a letter")
	}
	judged(project, func(c *simcloud.Change) error {
		c.Out["number"] = Number(c.New.String("projectId"))
		return nil
	}, nil)

	api := kind(service, "{project}/{service}", projects.ServiceArgs{}, projects.Service{})
	api.Defaults = simcloud.Values{"disableOnDestroy": true}
	api.Check = func(p *simcloud.Plan) {
		matching(p, "service", serviceName, "a service is named like container.googleapis.com")
	}

	identity := kind(serviceIdentity, "projects/{project}/services/{service}", projects.ServiceIdentityArgs{}, projects.ServiceIdentity{})
	identity.Check = api.Check
	judged(identity, func(c *simcloud.Change) error {
		name, _, _ := strings.Cut(c.New.String("service"), ".")
		if agents[name] == "" {
			return badRequest("Service %s has no service identity that is known here.", c.New.String("service"))
		}
		email := agent(c.Cloud, placeOf(c.Scope, c.New).project, name)
		c.Out["email"], c.Out["member"] = email, "serviceAccount:"+email
		return nil
	}, nil)

	audit := kind(auditConfig, "{project}/audit_config/{service}", projects.IAMAuditConfigArgs{}, projects.IAMAuditConfig{}, "auditLogConfigs")
	audit.Check = func(p *simcloud.Plan) {
		if p.Values.String("service") != "allServices" {
			matching(p, "service", serviceName, "allServices, or a service such as container.googleapis.com")
		}
		seen := map[string]bool{}
		for i, each := range p.Values.List("auditLogConfigs") {
			at := fmt.Sprintf("auditLogConfigs[%d].logType", i)
			p.OneOf(at, "ADMIN_READ", "DATA_READ", "DATA_WRITE")
			if kind := each.String("logType"); kind != "" && seen[kind] {
				p.Add(at, kind+" is there twice")
			}
			seen[each.String("logType")] = true
		}
	}
	exempted := func(c *simcloud.Change) error {
		for _, each := range c.New.List("auditLogConfigs") {
			for _, member := range each.Strings("exemptedMembers") {
				if err := judgeMember(c, member); err != nil {
					return err
				}
			}
		}
		return nil
	}
	judged(audit, exempted, exempted)
	return []*simcloud.ResourceType{project, api, identity, audit}
}
