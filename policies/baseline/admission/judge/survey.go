package judge

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Workload is what somebody would have to change: what makes pods, or an object
// that is judged by itself.
type Workload struct {
	Kind      string    `json:"kind"`
	Namespace string    `json:"namespace,omitempty"`
	Name      string    `json:"name"`
	Findings  []Finding `json:"findings"`
}

// Survey is the result for a cluster.
type Survey struct {
	// Judged is how many objects there were. Unreadable are kinds that could not be
	// read, and why: of them, nothing is known.
	Judged     int        `json:"judged"`
	Unreadable []string   `json:"unreadable,omitempty"`
	Workloads  []Workload `json:"workloads"`
	// Unbounded are namespaces that lack what bounds a tenant.
	Unbounded []Unbounded `json:"unbounded,omitempty"`
}

// kinds are what is read. The first is judged as it runs, with what the cluster
// has filled in; what makes pods is judged by its template where it has none.
var kinds = []schema.GroupVersionResource{
	{Version: "v1", Resource: "pods"},
	{Group: "apps", Version: "v1", Resource: "replicasets"}, {Group: "batch", Version: "v1", Resource: "jobs"},
	{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "apps", Version: "v1", Resource: "daemonsets"}, {Group: "batch", Version: "v1", Resource: "cronjobs"},
	{Version: "v1", Resource: "replicationcontrollers"},
	{Version: "v1", Resource: "services"}, {Group: "networking.k8s.io", Version: "v1", Resource: "ingresses"},
	{Version: "v1", Resource: "persistentvolumeclaims"}, {Version: "v1", Resource: "persistentvolumes"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
}

// bootstrapped is on what every API server makes itself: nobody has to change it.
const bootstrapped = "kubernetes.io/bootstrapping"

// page bounds what one request lists.
const page = 500

// Cluster judges what a cluster runs. It only reads, and no Secret.
func (j *Judge) Cluster(ctx context.Context, client dynamic.Interface) (Survey, error) {
	var s Survey
	namespaces, err := list(ctx, client, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"})
	if err != nil {
		return s, fmt.Errorf("reading namespaces: %w", err)
	}
	in := map[string]*corev1.Namespace{}
	for _, n := range namespaces {
		in[n.GetName()] = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.GetName(), Labels: n.GetLabels(), Annotations: n.GetAnnotations()}}
	}
	owners := map[string]owner{} // of what is owned, by kind, namespace and name
	running := map[string]bool{} // what has pods
	found := map[owner][]Finding{}
	all := map[string][]unstructured.Unstructured{}
	for _, kind := range kinds {
		items, err := list(ctx, client, kind)
		if err != nil {
			s.Unreadable = append(s.Unreadable, kind.Resource+": "+err.Error())
			continue
		}
		for _, item := range items {
			if of := metav1.GetControllerOf(&item); of != nil {
				owners[key(item.GetKind(), item.GetNamespace(), item.GetName())] = owner{of.Kind, item.GetNamespace(), of.Name}
			}
		}
		all[kind.Resource] = items
	}
	top := func(o owner) owner {
		for range 3 { // a pod, its job, its cron job
			above, owned := owners[key(o.kind, o.namespace, o.name)]
			if !owned {
				break
			}
			o = above
		}
		return o
	}
	for _, kind := range kinds {
		for _, item := range all[kind.Resource] {
			own := owner{item.GetKind(), item.GetNamespace(), item.GetName()}
			of := top(own)
			switch {
			case item.GetLabels()[bootstrapped] != "":
				continue
			case kind.Resource == "pods":
				running[key(of.kind, of.namespace, of.name)] = true
				unstructured.RemoveNestedField(item.Object, "spec", "nodeName") // the scheduler's
			case running[key(of.kind, of.namespace, of.name)], of != own:
				continue
			}
			s.Judged++
			findings, err := j.Object(ctx, &item, kind.Resource, in[item.GetNamespace()])
			if err != nil {
				return s, err
			}
			for _, finding := range findings {
				if !slices.ContainsFunc(found[of], func(f Finding) bool { return f.Policy == finding.Policy }) {
					found[of] = append(found[of], finding)
				}
			}
		}
	}
	if err := s.bounds(ctx, client, in, j.system); err != nil {
		return s, err
	}
	for of, findings := range found {
		s.Workloads = append(s.Workloads, Workload{of.kind, of.namespace, of.name, findings})
	}
	slices.SortFunc(s.Workloads, func(a, b Workload) int {
		return strings.Compare(a.Namespace+"/"+a.Kind+"/"+a.Name, b.Namespace+"/"+b.Kind+"/"+b.Name)
	})
	return s, nil
}

// Text is the survey for people, workload by workload.
func (s Survey) Text() string {
	var b strings.Builder
	for _, w := range s.Workloads {
		where := "of the cluster"
		if w.Namespace != "" {
			where = "in " + w.Namespace
		}
		fmt.Fprintf(&b, "%s %s %s\n", w.Kind, w.Name, where)
		for _, f := range w.Findings {
			fmt.Fprintf(&b, "  %-5s %s: %s\n", f.Mode, f.Policy, f.Message)
		}
	}
	for _, u := range s.Unbounded {
		fmt.Fprintf(&b, "Namespace %s lacks %s (%s)\n", u.Namespace, strings.Join(u.Lacks, ", "), u.Controls)
	}
	for _, u := range s.Unreadable {
		fmt.Fprintf(&b, "not judged: %s\n", u)
	}
	fmt.Fprintf(&b, "%d objects judged, %d to change\n", s.Judged, len(s.Workloads))
	return b.String()
}

type owner struct{ kind, namespace, name string }

func key(kind, namespace, name string) string { return kind + "/" + namespace + "/" + name }

func list(ctx context.Context, client dynamic.Interface, of schema.GroupVersionResource) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	for next := ""; ; {
		found, err := client.Resource(of).List(ctx, metav1.ListOptions{Limit: page, Continue: next})
		if err != nil {
			return nil, err
		}
		for _, item := range found.Items {
			item.SetManagedFields(nil)
			out = append(out, item)
		}
		if next = found.GetContinue(); next == "" {
			return out, nil
		}
	}
}
