package gcp

import (
	"fmt"
	"regexp"
)

// Project is where an environment lives.
type Project struct {
	// ID is the project's id, for example shop-prod-1234.
	ID string `pulumi:"id"`
	// Number is the project's number, in quotes: Google's own accounts are named
	// by it.
	Number string `pulumi:"number"`
	// Region is for example europe-west3.
	Region string `pulumi:"region"`
}

var (
	// https://cloud.google.com/resource-manager/docs/creating-managing-projects
	projectPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	numberPattern  = regexp.MustCompile(`^[1-9][0-9]{5,18}$`)
	regionPattern  = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]{1,2}$`)
	// clusterPattern is a name that GKE takes and to which the names of service
	// accounts, of at most 30 characters, add one dash and five letters.
	clusterPattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,22}[a-z0-9])?$`)
	zonePattern    = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]{1,2}-[a-z]$`)
)

// path names a resource of the project in its region.
func (p Project) path(kind, name string) string {
	return fmt.Sprintf("projects/%s/locations/%s/%s/%s", p.ID, p.Region, kind, name)
}

// clusterPath names a cluster before it exists.
func (p Project) clusterPath(cluster string) string { return p.path("clusters", cluster) }

// email names a service account of the project.
func (p Project) email(account string) string {
	return fmt.Sprintf("%s@%s.iam.gserviceaccount.com", account, p.ID)
}

// agent is the account with which a service of Google acts in the project.
// https://cloud.google.com/iam/docs/service-agents
func (p Project) agent(domain string) string {
	return fmt.Sprintf("serviceAccount:service-%s@%s.iam.gserviceaccount.com", p.Number, domain)
}

// Domains of the agents that use keys.
const (
	gkeAgent      = "container-engine-robot"
	computeAgent  = "compute-system"
	storageAgent  = "gs-project-accounts"
	registryAgent = "gcp-sa-artifactregistry"
)

func (p *problems) project(field string, a Project) {
	if !projectPattern.MatchString(a.ID) {
		p.add(field+".id", fmt.Sprintf("%q is not the id of a project", a.ID), "write one such as shop-prod-1234")
	}
	if !numberPattern.MatchString(a.Number) {
		p.add(field+".number", fmt.Sprintf("%q is not the number of a project", a.Number), "write its digits, in quotes: gcloud projects describe shows them")
	}
	if !regionPattern.MatchString(a.Region) {
		p.add(field+".region", fmt.Sprintf("%q is not a region", a.Region), "write one such as europe-west3")
	}
}

func (p *problems) cluster(field, name string) {
	if !clusterPattern.MatchString(name) {
		p.add(field, fmt.Sprintf("%q is not a name for a cluster", name),
			"write at most 24 lower-case letters, digits and dashes, beginning with a letter")
	}
}
