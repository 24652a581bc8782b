package access

import (
	"fmt"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestTenantsDoNotGetAtEachOther: team-a's developers, debuggers and viewers try team-b, the cluster, and their own bounds (M24).
func TestTenantsDoNotGetAtEachOther(t *testing.T) {
	a := server(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "theirs"}, StringData: map[string]string{"k": "v"}}
	if _, err := a.masters().CoreV1().Secrets("team-b").Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	open := networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}
	who := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "oidc:a"}}
	attacks := map[string]func(c *kubernetes.Clientset) error{
		"read a secret of another tenant": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Secrets("team-b").Get(t.Context(), "theirs", metav1.GetOptions{})
			return err
		},
		"list all secrets": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"run a pod at another tenant's": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Pods("team-b").Create(t.Context(), aPod("intruder"), dry)
			return err
		},
		"see the pods of another tenant": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Pods("team-b").List(t.Context(), metav1.ListOptions{})
			return err
		},
		"bind a role at another tenant's": func(c *kubernetes.Clientset) error {
			_, err := c.RbacV1().RoleBindings("team-b").Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "in"}, Subjects: who,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "redoubt:developer"}}, dry)
			return err
		},
		"bind a role at home": func(c *kubernetes.Clientset) error {
			_, err := c.RbacV1().RoleBindings("team-a").Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "up"}, Subjects: who,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"}}, dry)
			return err
		},
		"write a role at home": func(c *kubernetes.Clientset) error {
			_, err := c.RbacV1().Roles("team-a").Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "up"}}, dry)
			return err
		},
		"act as another tenant": func(c *kubernetes.Clientset) error {
			// The server of this test is asked as its administrator acting as a tenant; so the question is put to the authorizer.
			return answer(c, t, authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "groups", Name: "oidc:b"})
		},
		"act as an account of another tenant": func(c *kubernetes.Clientset) error {
			return answer(c, t, authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "serviceaccounts", Namespace: "team-b", Name: "default"})
		},
		"issue a token of an account": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().ServiceAccounts("team-a").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
			return err
		},
		"widen the quota": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().ResourceQuotas("team-a").Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "more"}}, dry)
			return err
		},
		"drop the limits": func(c *kubernetes.Clientset) error {
			return c.CoreV1().LimitRanges("team-a").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
		},
		"open the network": func(c *kubernetes.Clientset) error {
			_, err := c.NetworkingV1().NetworkPolicies("team-a").Create(t.Context(), &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "open"}, Spec: open}, dry)
			return err
		},
		"drop the network policies": func(c *kubernetes.Clientset) error {
			return c.NetworkingV1().NetworkPolicies("team-a").DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
		},
		"lower Pod Security": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Namespaces().Patch(t.Context(), "team-a", types.MergePatchType, []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`), metav1.PatchOptions{})
			return err
		},
		"make a namespace without bounds": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "free"}}, dry)
			return err
		},
		"drop an admission policy": func(c *kubernetes.Clientset) error {
			return c.AdmissionregistrationV1().ValidatingAdmissionPolicies().DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{})
		},
		"take traffic by an endpoint": func(c *kubernetes.Clientset) error {
			return answer(c, t, authorizationv1.ResourceAttributes{Verb: "create", Group: "discovery.k8s.io", Resource: "endpointslices", Namespace: "team-a"})
		},
		"make a volume of the node's disk": func(c *kubernetes.Clientset) error {
			_, err := c.CoreV1().PersistentVolumes().Create(t.Context(), &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "disk"}}, dry)
			return err
		},
		"reach a kubelet": func(c *kubernetes.Clientset) error {
			return answer(c, t, authorizationv1.ResourceAttributes{Verb: "get", Resource: "nodes", Subresource: "proxy"})
		},
		"get a certificate": func(c *kubernetes.Clientset) error {
			return answer(c, t, authorizationv1.ResourceAttributes{Verb: "create", Group: "certificates.k8s.io", Resource: "certificatesigningrequests"})
		},
	}
	for name, attack := range attacks {
		for _, group := range []string{"oidc:a", "oidc:a-debug", "oidc:a-view", "oidc:stranger"} {
			if err := attack(a.of(group)); !apierrors.IsForbidden(err) {
				t.Errorf("%s: %s: %v", group, name, err)
			}
		}
	}
	// The attacks are refused for who asks, not for what is asked: at home the same works.
	home := a.of("oidc:a").CoreV1()
	if _, err := home.Pods("team-a").Create(t.Context(), aPod("own"), dry); err != nil {
		t.Error(err)
	}
	if _, err := home.Secrets("team-a").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "own"}}, dry); err != nil {
		t.Error(err)
	}
	// And whose it is may read it.
	if _, err := a.of("oidc:b").CoreV1().Secrets("team-b").Get(t.Context(), "theirs", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if err := answer(a.masters(), t, authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "groups", Name: "oidc:b"}); err != nil {
		t.Error(err)
	}
}

// answer asks the authorizer about the caller himself, and makes an error of no.
func answer(c *kubernetes.Clientset, t *testing.T, attributes authorizationv1.ResourceAttributes) error {
	t.Helper()
	review, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes}}, metav1.CreateOptions{})
	if err == nil && !review.Status.Allowed {
		err = apierrors.NewForbidden(rbacv1.Resource(attributes.Resource), attributes.Name, fmt.Errorf("no"))
	}
	return err
}
