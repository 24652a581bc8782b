package hostconfig

import (
	"fmt"
	"slices"
	"strings"
)

// allResources and coreResources are the wildcards of an EncryptionConfiguration:
// every resource, and every resource of the core group.
const (
	allResources  = "*.*"
	coreResources = "*."
)

// wildcardOf gives the wildcard that covers a resource's group: "*." for
// secrets, "*.apps" for deployments.apps.
func wildcardOf(resource string) string {
	_, group, _ := strings.Cut(resource, ".")
	return "*." + group
}

// coveredBy tells whether an entry of an EncryptionConfiguration, which may be
// a wildcard itself, is encrypted where the others are.
func coveredBy(resource string, others []string) bool {
	return slices.ContainsFunc(others, func(other string) bool {
		return other == resource || other == allResources || resource != allResources && other == wildcardOf(resource)
	})
}

// notStored are resources that the API server refuses in an
// EncryptionConfiguration: they have no API of their own.
var notStored = []string{"apiserveripinfo", "serviceipallocations", "servicenodeportallocations"}

// encryptionResources follows the API server's own rules, so that what is
// accepted here starts:
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#understanding-the-encryption-at-rest-configuration
func (p *problems) encryptionResources(field string, resources []string) {
	for i, resource := range resources {
		at := fmt.Sprintf("%s[%d]", field, i)
		name, group, _ := strings.Cut(resource, ".")
		switch {
		case name == "" || resource == "*" || name != "*" && strings.Contains(name, "*") || group == "*" && name != "*" ||
			group != "*" && strings.Contains(group, "*") || resource != strings.ToLower(resource) || strings.ContainsAny(resource, " /\t\r\n"):
			p.add(at, quote(resource)+" is not a resource", "write a plural name, with its group after a dot: secrets, widgets.example.org, or a wildcard: *.apps, *., *.*")
		case slices.Contains(notStored, resource):
			p.add(at, quote(resource)+" has no API and cannot be encrypted", "remove it")
		case group == "events.k8s.io":
			p.add(at, quote(resource)+" is stored as events of the core group", "write events")
		case group == "extensions":
			p.add(at, "the group extensions no longer exists", "name the group that the resource has now, for example ingresses.networking.k8s.io")
		}
		// The API server refuses a list in which one entry hides another.
		others := slices.Delete(slices.Clone(resources), i, i+1)
		if slices.Contains(resources[:i], resource) || !slices.Contains(others, resource) && coveredBy(resource, others) {
			p.add(at, quote(resource)+" overlaps another entry", "name each resource once, or a wildcard alone")
		}
	}
}
