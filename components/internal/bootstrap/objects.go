// Package bootstrap keeps the RBAC objects in place that must exist before a node
// can join, with all rights for as long as that takes and no longer.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
)

// Apply makes the API server hold exactly the given RBAC objects, and
// logs each one that it had to create or repair. It compares whole objects, not
// only what it wrote itself: a rule, a subject or an aggregation that somebody
// added would widen a role, so it is taken away. Labels and annotations may be
// added. One failure does not keep the other objects from being applied.
func Apply(ctx context.Context, client dynamic.Interface, objects []runtime.Object, log *slog.Logger) error {
	var faults []error
	for _, object := range objects {
		if err := applyObject(ctx, client, object, log); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func applyObject(ctx context.Context, client dynamic.Interface, object runtime.Object, log *slog.Logger) error {
	wanted, resource, err := toUnstructured(object)
	if err != nil {
		return err
	}
	name := resource + "/" + wanted.GetName()
	var objects dynamic.ResourceInterface = client.Resource(rbacv1.SchemeGroupVersion.WithResource(resource))
	if namespace := wanted.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
		objects = client.Resource(rbacv1.SchemeGroupVersion.WithResource(resource)).Namespace(namespace)
	}
	fail := func(doing string, err error) error { return fmt.Errorf("%s %s: %w", doing, name, err) }

	found, err := objects.Get(ctx, wanted.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		if _, err := objects.Create(ctx, wanted, metav1.CreateOptions{}); err != nil {
			return fail("creating", err)
		}
		log.Info("bootstrap object created", "object", name)
		return nil
	}
	if err != nil {
		return fail("reading", err)
	}
	differing := differences(wanted, found)
	if len(differing) == 0 {
		return nil
	}
	if slices.Contains(differing, "roleRef") { // immutable: the binding must go first
		uid, version := found.GetUID(), found.GetResourceVersion()
		err := objects.Delete(ctx, wanted.GetName(), metav1.DeleteOptions{
			Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return fail("removing", err)
		}
		if _, err := objects.Create(ctx, wanted, metav1.CreateOptions{}); err != nil {
			return fail("creating again", err)
		}
	} else {
		repaired := wanted.DeepCopy()
		repaired.SetResourceVersion(found.GetResourceVersion())
		repaired.SetLabels(merge(found.GetLabels(), wanted.GetLabels()))
		repaired.SetAnnotations(merge(found.GetAnnotations(), wanted.GetAnnotations()))
		if _, err := objects.Update(ctx, repaired, metav1.UpdateOptions{}); err != nil {
			return fail("repairing", err)
		}
	}
	log.Warn("bootstrap object repaired", "object", name, "differed", strings.Join(differing, ","))
	return nil
}

// toUnstructured returns an object as JSON values with its resource. Bootstrap
// objects are RBAC objects; anything else is a mistake in this repository.
func toUnstructured(object runtime.Object) (wanted *unstructured.Unstructured, resource string, err error) {
	kind := ""
	switch object.(type) {
	case *rbacv1.ClusterRole:
		kind, resource = "ClusterRole", "clusterroles"
	case *rbacv1.ClusterRoleBinding:
		kind, resource = "ClusterRoleBinding", "clusterrolebindings"
	case *rbacv1.Role:
		kind, resource = "Role", "roles"
	case *rbacv1.RoleBinding:
		kind, resource = "RoleBinding", "rolebindings"
	default:
		return nil, "", fmt.Errorf("a bootstrap object is a %T: only RBAC objects can be applied before the cluster is ready", object)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, "", fmt.Errorf("a bootstrap object of kind %s: %w", kind, err)
	}
	wanted = &unstructured.Unstructured{Object: content}
	wanted.SetGroupVersionKind(rbacv1.SchemeGroupVersion.WithKind(kind))
	return wanted, resource, nil
}

// differences names the top-level fields in which a found object is not what is
// wanted, and "metadata" when a wanted label or annotation is not there.
func differences(wanted, found *unstructured.Unstructured) []string {
	var fields []string
	all := merge(wanted.Object, found.Object)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if field == "apiVersion" || field == "kind" || field == "metadata" {
			continue
		}
		if !same(wanted.Object[field], found.Object[field]) {
			fields = append(fields, field)
		}
	}
	if !within(wanted.GetLabels(), found.GetLabels()) || !within(wanted.GetAnnotations(), found.GetAnnotations()) {
		fields = append(fields, "metadata")
	}
	return fields
}

// same compares JSON values; absent, null and empty are one thing.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || empty(a) && empty(b)
}

func empty(value any) bool {
	if value == nil {
		return true
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	}
	return false
}

// merge returns the entries of both maps; those of the second win.
func merge[V any](a, b map[string]V) map[string]V {
	all := map[string]V{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

func within(wanted, found map[string]string) bool {
	for key, value := range wanted {
		if have, ok := found[key]; !ok || have != value {
			return false
		}
	}
	return true
}
