// Package live reads from a cluster what an access review looks at. It only reads,
// and no Secret.
package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/policies/access"
)

// enforceLabel is the level of Pod Security that a namespace enforces.
const enforceLabel = "pod-security.kubernetes.io/enforce"

// page bounds what one request lists.
const page = 500

// Collect reads a cluster. Roles and bindings must be readable; of what else is
// forbidden to read, the review says that it is unknown.
func Collect(ctx context.Context, client kubernetes.Interface) (access.Cluster, error) {
	var c access.Cluster
	rbac := client.RbacV1()
	for _, read := range []struct {
		what string
		list func(metav1.ListOptions) (string, error)
	}{
		{"clusterroles", func(o metav1.ListOptions) (string, error) {
			l, err := rbac.ClusterRoles().List(ctx, o)
			c.ClusterRoles = append(c.ClusterRoles, l.Items...)
			return l.Continue, err
		}},
		{"clusterrolebindings", func(o metav1.ListOptions) (string, error) {
			l, err := rbac.ClusterRoleBindings().List(ctx, o)
			c.ClusterRoleBindings = append(c.ClusterRoleBindings, l.Items...)
			return l.Continue, err
		}},
		{"roles", func(o metav1.ListOptions) (string, error) {
			l, err := rbac.Roles("").List(ctx, o)
			c.Roles = append(c.Roles, l.Items...)
			return l.Continue, err
		}},
		{"rolebindings", func(o metav1.ListOptions) (string, error) {
			l, err := rbac.RoleBindings("").List(ctx, o)
			c.RoleBindings = append(c.RoleBindings, l.Items...)
			return l.Continue, err
		}},
	} {
		if err := pages(read.list); err != nil {
			return c, fmt.Errorf("reading %s: %w; the role %s reads all that a review needs", read.what, err, "redoubt:auditor")
		}
	}
	return c, surroundings(ctx, client, &c)
}

// pages calls list until nothing is left.
func pages(list func(metav1.ListOptions) (string, error)) error {
	options := metav1.ListOptions{Limit: page}
	for {
		next, err := list(options)
		if err != nil || next == "" {
			return err
		}
		options.Continue = next
	}
}

// surroundings reads what rights act on.
func surroundings(ctx context.Context, client kubernetes.Interface, c *access.Cluster) error {
	core := client.CoreV1()
	accounts, pods, namespaces := []access.Account{}, []access.Pod{}, map[string]string{}
	err := pages(func(o metav1.ListOptions) (string, error) {
		l, err := core.ServiceAccounts("").List(ctx, o)
		for _, a := range l.Items {
			accounts = append(accounts, access.Account{Namespace: a.Namespace, Name: a.Name, Automounts: a.AutomountServiceAccountToken})
		}
		return l.Continue, err
	})
	if err := unless(err, func() { c.Accounts = accounts }); err != nil {
		return fmt.Errorf("reading serviceaccounts: %w", err)
	}
	err = pages(func(o metav1.ListOptions) (string, error) {
		l, err := core.Pods("").List(ctx, o)
		for _, p := range l.Items {
			if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
				pods = append(pods, podOf(p))
			}
		}
		return l.Continue, err
	})
	if err := unless(err, func() { c.Pods = pods }); err != nil {
		return fmt.Errorf("reading pods: %w", err)
	}
	for i, p := range pods {
		asked := slices.ContainsFunc(accounts, func(a access.Account) bool {
			return a.Namespace == p.Namespace && a.Name == p.Account && a.Automounts != nil
		})
		pods[i].Unasked = p.Unasked && !asked
	}
	err = pages(func(o metav1.ListOptions) (string, error) {
		l, err := core.Namespaces().List(ctx, o)
		for _, n := range l.Items {
			namespaces[n.Name] = n.Labels[enforceLabel]
		}
		return l.Continue, err
	})
	if err := unless(err, func() { c.PodSecurity = namespaces }); err != nil {
		return fmt.Errorf("reading namespaces: %w", err)
	}
	return nil
}

// unless keeps what was read, or nothing where reading is forbidden.
func unless(err error, keep func()) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	if err == nil {
		keep()
	}
	return err
}

// podOf tells whether a token that the API server takes is in a pod: the one that
// is mounted by itself stands in the volumes of a pod that was admitted, as one
// that was asked for does.
func podOf(p corev1.Pod) access.Pod {
	out := access.Pod{Namespace: p.Namespace, Name: p.Name, Account: p.Spec.ServiceAccountName, Does: access.Does(p.Spec)}
	for _, volume := range p.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			// An audience that is not the API server's is of no use here, but only the API server knows its own.
			out.Token = out.Token || source.ServiceAccountToken != nil
			// The name that admission gives to what it mounts by itself.
			out.Unasked = out.Unasked || source.ServiceAccountToken != nil && strings.HasPrefix(volume.Name, "kube-api-access-") && p.Spec.AutomountServiceAccountToken == nil
		}
	}
	return out
}
