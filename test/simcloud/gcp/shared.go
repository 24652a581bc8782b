package gcp

import (
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/compute"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// sharedTypes are what joins projects in one network, and what machines of a whole project are told.
// https://cloud.google.com/vpc/docs/shared-vpc
func sharedTypes() []*simcloud.ResourceType {
	host := kind(sharedHost, "{project}", compute.SharedVPCHostProjectArgs{}, compute.SharedVPCHostProject{})
	host.Delete = func(c *simcloud.Change) error {
		for _, o := range c.Cloud.Find("", sharedService, nil) {
			if o.State.String("hostProject") == c.Object.ID {
				return failed("Cannot disable project as a shared VPC host because it has active service projects (%s)", o.State.String("serviceProject"))
			}
		}
		return nil
	}

	guest := kind(sharedService, "{hostProject}/{serviceProject}", compute.SharedVPCServiceProjectArgs{}, compute.SharedVPCServiceProject{})
	judged(guest, func(c *simcloud.Change) error {
		of := c.New.String("hostProject")
		switch {
		case c.Cloud.Get("", sharedHost, of) == nil:
			return invalid("Invalid resource usage: 'The project %s is not a shared VPC host project.'.", of)
		case c.New.String("serviceProject") == of:
			return invalid("Invalid resource usage: 'The project %s cannot be its own service project.'.", of)
		}
		for _, o := range c.Cloud.Find("", sharedService, nil) {
			if o.State.String("serviceProject") == c.New.String("serviceProject") {
				return invalid("Invalid resource usage: 'The resource %s is already linked to another shared VPC host %s.'.", o.State.String("serviceProject"), o.State.String("hostProject"))
			}
		}
		return nil
	}, nil)

	item := kind(metadataItem, "{key}", compute.ProjectMetadataItemArgs{}, compute.ProjectMetadataItem{})
	item.Check = func(p *simcloud.Plan) {
		if key := p.Values.String("key"); len(key) > 128 {
			p.Add("key", "metadata keys have at most 128 characters")
		}
		if key := p.Values.String("key"); key == "enable-oslogin" || key == "block-project-ssh-keys" || key == "serial-port-enable" {
			p.OneOf("value", "TRUE", "FALSE", "true", "false", "1", "0")
		}
	}
	return []*simcloud.ResourceType{host, guest, item}
}

// judgeShared judges that a cluster may use a network of another project: that one is its host, and GKE's agent may use
// the subnetwork and work on the host's firewall. https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-shared-vpc
func judgeShared(c *simcloud.Change, project string, in *simcloud.Object) error {
	host := part(in.ID, "projects")
	if host == project {
		return nil
	}
	if c.Cloud.Get("", sharedService, host+"/"+project) == nil {
		return forbidden("Google Compute Engine: Required 'compute.subnetworks.get' permission for '%s'; project %s is no service project of %s", in.ID, project, host)
	}
	agent := "serviceAccount:" + gkeAgent(c.Cloud, project)
	if !granted(c.Cloud, projectMember, "project", host, agent, "roles/container.hostServiceAgentUser") {
		return forbidden("Service account %s does not have the required role roles/container.hostServiceAgentUser on project %s", gkeAgent(c.Cloud, project), host)
	}
	for _, who := range []string{agent, "serviceAccount:" + number(c.Cloud, project) + "@cloudservices.gserviceaccount.com"} {
		on := len(c.Cloud.Find("", subnetMember, func(o *simcloud.Object) bool {
			return o.State.String("member") == who && o.State.String("role") == "roles/compute.networkUser" && normal("", o.State, subnetForm, o.State.String("subnetwork")) == in.ID
		})) > 0
		if !on && !granted(c.Cloud, projectMember, "project", host, who, "roles/compute.networkUser") {
			return forbidden("Google Compute Engine: Required 'compute.subnetworks.use' permission for '%s' (%s)", in.ID, who)
		}
	}
	return nil
}
