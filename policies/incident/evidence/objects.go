package evidence

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func (c *collector) who(ctx context.Context) (string, error) {
	self, err := c.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return self.Status.UserInfo.Username, nil
}

// owners are the kinds that own pods, and their owners.
var owners = map[string]schema.GroupVersionResource{
	"ReplicaSet": {Group: "apps", Version: "v1", Resource: "replicasets"}, "Deployment": {Group: "apps", Version: "v1", Resource: "deployments"},
	"StatefulSet": {Group: "apps", Version: "v1", Resource: "statefulsets"}, "DaemonSet": {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"Job": {Group: "batch", Version: "v1", Resource: "jobs"}, "CronJob": {Group: "batch", Version: "v1", Resource: "cronjobs"},
	"ReplicationController": {Version: "v1", Resource: "replicationcontrollers"},
}

// beside are what lies around a pod in its namespace.
var beside = []schema.GroupVersionResource{
	{Version: "v1", Resource: "serviceaccounts"}, {Version: "v1", Resource: "services"}, {Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
}

var (
	podResource       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	namespaceResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	nodeResource      = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
)

// get puts one object in, and gives it.
func (c *collector) get(ctx context.Context, resource schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	o, err := c.any.Resource(resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	c.object(o)
	return o, nil
}

// list puts all objects of a kind in, and gives them.
func (c *collector) list(ctx context.Context, resource schema.GroupVersionResource, namespace string, options metav1.ListOptions) []unstructured.Unstructured {
	var all []unstructured.Unstructured
	for options.Limit = 500; ; {
		list, err := c.any.Resource(resource).Namespace(namespace).List(ctx, options)
		if err != nil {
			c.miss(fmt.Sprintf("%s of %q", resource.GroupResource(), namespace), err)
			return all
		}
		for i := range list.Items {
			c.object(&list.Items[i])
		}
		all = append(all, list.Items...)
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return all
		}
	}
}

func (c *collector) pod(ctx context.Context) error {
	namespace := c.Target.Namespace
	o, err := c.get(ctx, podResource, namespace, c.Target.Name)
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, pod); err != nil {
		return err
	}
	c.remember(pod)
	for references := pod.OwnerReferences; len(references) > 0; {
		owner := references[0]
		references = nil
		resource, known := owners[owner.Kind]
		if !known {
			c.miss("the owner "+owner.Kind+" "+owner.Name, fmt.Errorf("it is no kind of Kubernetes itself"))
			break
		}
		o, err := c.get(ctx, resource, namespace, owner.Name)
		if err != nil {
			c.miss("the owner "+owner.Kind+" "+owner.Name, err)
			break
		}
		references = o.GetOwnerReferences()
	}
	if _, err := c.get(ctx, namespaceResource, "", namespace); err != nil {
		c.miss("the namespace", err)
	}
	for _, resource := range beside {
		c.list(ctx, resource, namespace, metav1.ListOptions{})
	}
	return c.theNode(ctx, pod.Spec.NodeName)
}

func (c *collector) theNode(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if _, err := c.get(ctx, nodeResource, "", name); err != nil {
		c.miss("the node "+name, err)
	}
	return nil
}

// namespace puts in everything of a namespace that can be listed.
func (c *collector) namespace(ctx context.Context) error {
	if _, err := c.get(ctx, namespaceResource, "", c.Target.Name); err != nil {
		return err
	}
	lists, err := c.client.Discovery().ServerPreferredNamespacedResources()
	if err != nil {
		c.miss("the kinds of some API groups", err)
	}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			if r.Name == "secrets" || r.Name == "events" || !slices.Contains(r.Verbs, "list") || strings.Contains(r.Name, "/") {
				continue
			}
			found := c.list(ctx, version.WithResource(r.Name), c.Target.Name, metav1.ListOptions{})
			if version.Group == "" && r.Name == "pods" {
				c.rememberAll(found)
			}
		}
	}
	for node := range c.nodes {
		_ = c.theNode(ctx, node)
	}
	return nil
}

// node puts in a node and what runs there.
func (c *collector) node(ctx context.Context, name string) error {
	if _, err := c.get(ctx, nodeResource, "", name); err != nil {
		return err
	}
	c.nodes[name] = true
	c.rememberAll(c.list(ctx, podResource, "", metav1.ListOptions{FieldSelector: "spec.nodeName=" + name}))
	for resource, namespace := range map[schema.GroupVersionResource]string{
		{Group: "storage.k8s.io", Version: "v1", Resource: "csinodes"}: "", {Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}: corev1.NamespaceNodeLease,
	} {
		if _, err := c.get(ctx, resource, namespace, name); err != nil {
			c.miss(resource.Resource+" of the node", err)
		}
	}
	// What the node asked to be signed tells how it came, and what else it tried.
	requests, err := c.any.Resource(schema.GroupVersionResource{Group: "certificates.k8s.io", Version: "v1", Resource: "certificatesigningrequests"}).List(ctx, metav1.ListOptions{})
	if err != nil {
		c.miss("certificate requests", err)
		return nil
	}
	for i := range requests.Items {
		if user, _, _ := unstructured.NestedString(requests.Items[i].Object, "spec", "username"); user == "system:node:"+name {
			c.object(&requests.Items[i])
		}
	}
	return nil
}

func (c *collector) rememberAll(list []unstructured.Unstructured) {
	for i := range list {
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list[i].Object, pod); err != nil {
			c.miss("pod "+list[i].GetName(), err)
			continue
		}
		c.remember(pod)
	}
}
