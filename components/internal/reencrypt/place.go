package reencrypt

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// root is the API server's --etcd-prefix, which is always the default here.
const root = "/registry/"

// special are resources that the API server keeps under another name, from
// SpecialDefaultResourcePrefixes of k8s.io/kubernetes/pkg/kubeapiserver.
var special = map[schema.GroupResource]string{
	{Resource: "replicationcontrollers"}:                "controllers",
	{Resource: "endpoints"}:                             "services/endpoints",
	{Resource: "nodes"}:                                 "minions",
	{Resource: "services"}:                              "services/specs",
	{Group: "networking.k8s.io", Resource: "ingresses"}: "ingress",
}

// place is where etcd has a resource's objects, with a slash at its end. Resources of
// the API server's own groups stand below their name alone; those of
// CustomResourceDefinitions, and these and APIServices themselves, below their group.
func place(resource schema.GroupResource) string {
	if name, there := special[resource]; there {
		return root + name + "/"
	}
	if resource.Group == "" || scheme.Scheme.IsGroupRegistered(resource.Group) {
		return root + resource.Resource + "/"
	}
	return root + resource.Group + "/" + resource.Resource + "/"
}

// Named tells whether an entry of an EncryptionConfiguration names one resource, and
// is no wildcard.
func Named(entry string) bool { return !strings.Contains(entry, "*") }

// named gives namespace and name of an object from its key in etcd.
func named(mapping *meta.RESTMapping, at, key string) (namespace, name string, found bool) {
	rest := strings.TrimPrefix(key, at)
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return "", rest, !strings.Contains(rest, "/")
	}
	namespace, name, found = strings.Cut(rest, "/")
	return namespace, name, found && !strings.Contains(name, "/")
}
