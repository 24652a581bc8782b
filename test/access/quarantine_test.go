package access

import (
	"context"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

const (
	impose  = `{"metadata":{"labels":{"` + quarantine.Label + `":"true"},"annotations":{"` + quarantine.AnnotationReason + `":"test"}}}`
	release = `{"metadata":{"labels":{"` + quarantine.Label + `":null},"annotations":{"` + quarantine.AnnotationReason + `":null}}}`
)

// attempt is something that somebody tries; words are those of the refusal, and none: it is let in.
type attempt struct {
	name, group, words string
	try                func(c *kubernetes.Clientset) error
}

func (a *api) expect(t *testing.T, attempts []attempt) {
	t.Helper()
	for _, each := range attempts {
		err := each.try(a.of(each.group))
		switch {
		case each.words == "" && err != nil && !notThere(err):
			t.Errorf("%s: %s: %v", each.group, each.name, err)
		case each.words != "" && !refused(err, each.words):
			t.Errorf("%s: %s: want a refusal with %q, got %v", each.group, each.name, each.words, err)
		}
	}
}

// notThere is what a session says that admission let in: no node runs the pod.
func notThere(err error) bool { return apierrors.IsBadRequest(err) || apierrors.IsInternalError(err) }

func patch(resource, namespace, name, body string) func(*kubernetes.Clientset) error {
	return func(c *kubernetes.Clientset) error {
		name, subresource, _ := strings.Cut(name, "/")
		return c.CoreV1().RESTClient().Patch(types.StrategicMergePatchType).NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name).SubResource(subresource).
			Body([]byte(body)).Do(context.Background()).Error()
	}
}

func exec(namespace, name string) func(*kubernetes.Clientset) error {
	return func(c *kubernetes.Clientset) error {
		return c.CoreV1().RESTClient().Verb(http.MethodPost).Namespace(namespace).Resource("pods").Name(name).SubResource("exec").
			Param("command", "true").Param("stdout", "true").Do(context.Background()).Error()
	}
}

func create(namespace string, pod *corev1.Pod) func(*kubernetes.Clientset) error {
	return func(c *kubernetes.Clientset) error {
		_, err := c.CoreV1().Pods(namespace).Create(context.Background(), pod, dry)
		return err
	}
}

func evict(namespace, name string) func(*kubernetes.Clientset) error {
	return func(c *kubernetes.Clientset) error {
		return c.CoreV1().Pods(namespace).EvictV1(context.Background(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	}
}

func remove(resource, namespace, name string) func(*kubernetes.Clientset) error {
	return func(c *kubernetes.Clientset) error {
		return c.CoreV1().RESTClient().Delete().NamespaceIfScoped(namespace, namespace != "").Resource(resource).Name(name).
			Body(&metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}).Do(context.Background()).Error()
	}
}

// pods makes pods, which go with the test.
func (a *api) pods(t *testing.T, namespace string, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := a.masters().CoreV1().Pods(namespace).Create(t.Context(), aPod(name), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = a.masters().CoreV1().Pods(namespace).Delete(context.Background(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		})
	}
}

// TestQuarantineOfAPod: one label seals it, for everybody but forensics, and nobody else writes the label (M40).
func TestQuarantineOfAPod(t *testing.T) {
	a := server(t)
	a.pods(t, "team-a", "suspect", "bystander")
	labelled := aPod("born")
	labelled.Labels = map[string]string{quarantine.Label: "true"}
	a.expect(t, []attempt{
		{"impose as a developer", "oidc:a", "who may impose it", patch("pods", "team-a", "suspect", impose)},
		{"make a pod with the label", "oidc:a", "who may impose it", create("team-a", labelled)},
		{"impose by the status", "oidc:a", "cannot patch", patch("pods", "team-a", "suspect/status", impose)},
		{"a session before", "oidc:a-debug", "", exec("team-a", "suspect")},
		{"impose", "oidc:responders", "", patch("pods", "team-a", "suspect", impose)},
	})
	a.await(t, exec("team-a", "suspect"), "oidc:a-debug")
	a.expect(t, []attempt{
		{"a session", "oidc:a-debug", "the pod is under quarantine", exec("team-a", "suspect")},
		{"a session in another pod", "oidc:a-debug", "", exec("team-a", "bystander")},
		{"a session for forensics", "oidc:responders", "", exec("team-a", "suspect")},
		{"an ephemeral container", "oidc:a-debug", "the pod is under quarantine", patch("pods", "team-a", "suspect/ephemeralcontainers",
			`{"spec":{"ephemeralContainers":[{"name":"e","image":"i","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`)},
		{"delete the evidence", "oidc:a", "kept as evidence", remove("pods", "team-a", "suspect")},
		{"evict the evidence", "oidc:operators", "no eviction", evict("team-a", "suspect")},
		{"delete another", "oidc:a", "", remove("pods", "team-a", "bystander")},
		{"release as a developer", "oidc:a", "who may release it", patch("pods", "team-a", "suspect", release)},
		{"change its image", "oidc:responders", "spec: you may change", patch("pods", "team-a", "bystander", `{"spec":{"containers":[{"name":"c","image":"other"}]}}`)},
		{"change another label", "oidc:responders", "metadata: you may change", patch("pods", "team-a", "bystander", `{"metadata":{"labels":{"app":"x"}}}`)},
		{"change a label at home", "oidc:a", "", patch("pods", "team-a", "bystander", `{"metadata":{"labels":{"app":"x"}}}`)},
		{"release", "oidc:responders", "", patch("pods", "team-a", "suspect", release)},
	})
	a.awaitNot(t, exec("team-a", "suspect"), "oidc:a-debug")
}

// TestQuarantineOfANamespace: nothing in it changes.
func TestQuarantineOfANamespace(t *testing.T) {
	a := server(t)
	a.pods(t, "team-b", "there")
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "c-"}}
	write := func(c *kubernetes.Clientset) error {
		_, err := c.CoreV1().ConfigMaps("team-b").Create(context.Background(), config, dry)
		return err
	}
	a.expect(t, []attempt{
		{"write before", "oidc:b", "", write},
		{"impose as a developer", "oidc:b", "cannot patch", patch("namespaces", "", "team-b", impose)},
		{"isolate the cluster", "oidc:responders", "would stand still", patch("namespaces", "", "kube-system", impose)},
		{"lower Pod Security", "oidc:responders", "metadata: you may change", patch("namespaces", "", "team-b", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`)},
		{"impose", "oidc:responders", "", patch("namespaces", "", "team-b", impose)},
	})
	t.Cleanup(func() { _ = patch("namespaces", "", "team-b", release)(a.masters()) })
	a.await(t, write, "oidc:b")
	kubeSystem := kubernetes.NewForConfigOrDie(a.as("system:serviceaccount:kube-system:replicaset-controller", "system:serviceaccounts", "system:serviceaccounts:kube-system"))
	if err := create("team-b", aPod("new"))(kubeSystem); !refused(err, "under quarantine") {
		t.Errorf("a controller makes a pod: %v", err)
	}
	a.expect(t, []attempt{
		{"make a pod", "oidc:b", "the namespace is under quarantine", create("team-b", aPod("new"))},
		{"delete a pod", "oidc:b", "the namespace is under quarantine", remove("pods", "team-b", "there")},
		{"change a pod", "oidc:b", "the namespace is under quarantine", patch("pods", "team-b", "there", `{"metadata":{"labels":{"app":"x"}}}`)},
		{"evict a pod", "oidc:operators", "the namespace is under quarantine", evict("team-b", "there")},
		{"a session", "oidc:platform", "", exec("team-b", "there")}, // who runs the cluster holds forensics as well
		{"delete the namespace", "oidc:operators", "cannot delete", remove("namespaces", "", "team-b")},
		{"work elsewhere", "oidc:a", "", create("team-a", aPod("new"))},
		{"a session for forensics", "oidc:responders", "", exec("team-b", "there")},
		{"release", "oidc:responders", "", patch("namespaces", "", "team-b", release)},
	})
	a.awaitNot(t, write, "oidc:b")
}

// TestQuarantineOfANode: nothing is scheduled to it, whoever asks, and it is not deleted.
func TestQuarantineOfANode(t *testing.T) {
	a := server(t)
	for _, name := range []string{"bad", "good"} {
		if _, err := a.masters().CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.masters().CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}) })
	}
	a.pods(t, "team-a", "waiting")
	bind := func(node string) func(*kubernetes.Clientset) error {
		return func(c *kubernetes.Clientset) error {
			return c.CoreV1().Pods("team-a").Bind(context.Background(), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "waiting"}, Target: corev1.ObjectReference{Kind: "Node", Name: node}}, dry)
		}
	}
	scheduler := kubernetes.NewForConfigOrDie(a.as("system:kube-scheduler"))
	if err := bind("bad")(scheduler); err != nil {
		t.Fatal(err)
	}
	a.expect(t, []attempt{
		{"impose as an operator", "oidc:operators", "who may impose it", patch("nodes", "", "bad", impose)},
		{"impose", "oidc:responders", "", patch("nodes", "", "bad", impose)},
	})
	a.await(t, func(*kubernetes.Clientset) error { return bind("bad")(scheduler) }, "")
	on := func(node string) *corev1.Pod { p := aPod("direct"); p.Spec.NodeName = node; return p }
	a.expect(t, []attempt{
		{"a pod on the node", "oidc:a", "the node is under quarantine", create("team-a", on("bad"))},
		{"a pod on another", "oidc:a", "", create("team-a", on("good"))},
		{"delete it", "oidc:platform", "", remove("nodes", "", "good")},
		{"release as an operator", "oidc:operators", "who may release it", patch("nodes", "", "bad", release)},
		{"cordon another", "oidc:operators", "", patch("nodes", "", "good", `{"spec":{"unschedulable":true}}`)},
	})
	if err := bind("good")(scheduler); err != nil {
		t.Error(err)
	}
	a.expect(t, []attempt{{"release", "oidc:responders", "", patch("nodes", "", "bad", release)}})
	a.awaitNot(t, func(*kubernetes.Clientset) error { return bind("bad")(scheduler) }, "")
}

// TestWhoLooksAfterNodesMayPatchThem: like responders, it may patch and not update; the policy that keeps them to quarantine
// lets it label nodes, and nobody else.
func TestWhoLooksAfterNodesMayPatchThem(t *testing.T) {
	a, other := server(t), "somebody-who-patches"
	rbac := a.masters().RbacV1()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "patch-nodes"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get", "patch"}}}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "patch-nodes"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "patch-nodes"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: nodeconfig.UserNodes}, {APIGroup: rbacv1.GroupName, Kind: "User", Name: other}}}
	if _, err := rbac.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := rbac.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.masters().CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = rbac.ClusterRoleBindings().Delete(context.Background(), binding.Name, metav1.DeleteOptions{})
		_ = rbac.ClusterRoles().Delete(context.Background(), role.Name, metav1.DeleteOptions{})
		_ = a.masters().CoreV1().Nodes().Delete(context.Background(), "kept", metav1.DeleteOptions{})
	})
	label := func(instance string) func(*kubernetes.Clientset) error {
		return patch("nodes", "", "kept", `{"metadata":{"labels":{"`+nodeconfig.LabelInstance+`":"`+instance+`"}}}`)
	}
	a.awaitNot(t, func(*kubernetes.Clientset) error {
		return label("i-1")(kubernetes.NewForConfigOrDie(a.as(nodeconfig.UserNodes)))
	}, "")
	if err := label("i-1")(kubernetes.NewForConfigOrDie(a.as(nodeconfig.UserNodes))); err != nil {
		t.Errorf("who looks after nodes: %v", err)
	}
	if err := label("i-2")(kubernetes.NewForConfigOrDie(a.as(other))); err == nil || !strings.Contains(err.Error(), "you may change what begins with") {
		t.Errorf("somebody else who may patch nodes: %v", err)
	}
}

// TestKeysOfEncryptionGo: what a namespace under quarantine holds, and what is the platform's, is written anew under another
// key (M18), and changed by nobody: not by whoever does that either.
func TestKeysOfEncryptionGo(t *testing.T) {
	a, other := server(t), "somebody-else-who-patches"
	rbac := a.masters().RbacV1()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "patch-secrets"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"patch"}}}}
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "patch-secrets"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "patch-secrets"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: nodeconfig.UserEncryption}, {APIGroup: rbacv1.GroupName, Kind: "User", Name: other}}}
	if _, err := rbac.ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := rbac.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "kept", Namespace: "team-b"}, StringData: map[string]string{"password": "x"}}
	if _, err := a.masters().CoreV1().Secrets("team-b").Create(t.Context(), kept, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		_ = patch("namespaces", "", "team-b", release)(a.masters())
		a.awaitNot(t, func(c *kubernetes.Clientset) error {
			return c.CoreV1().Secrets("team-b").Delete(ctx, "kept", metav1.DeleteOptions{})
		}, "system:masters")
		_ = rbac.ClusterRoleBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{})
		_ = rbac.ClusterRoles().Delete(ctx, role.Name, metav1.DeleteOptions{})
	})
	nothing, label := patch("secrets", "team-b", "kept", `{}`), patch("secrets", "team-b", "kept", `{"metadata":{"labels":{"a":"b"}}}`)
	agent, somebody := kubernetes.NewForConfigOrDie(a.as(nodeconfig.UserEncryption)), kubernetes.NewForConfigOrDie(a.as(other))
	a.awaitNot(t, func(*kubernetes.Clientset) error { return label(somebody) }, "")
	if err := patch("namespaces", "", "team-b", impose)(a.of("oidc:responders")); err != nil {
		t.Fatal(err)
	}
	a.await(t, func(*kubernetes.Clientset) error { return label(somebody) }, "")
	if err := nothing(agent); err != nil {
		t.Errorf("written anew: %v", err)
	}
	if err := patch("secrets", "team-b", "kept", `{"metadata":{"labels":{"a":"c"}}}`)(agent); !refused(err, "the namespace is under quarantine") {
		t.Errorf("changed by who writes anew: %v", err)
	}
	if err := nothing(somebody); !refused(err, "the namespace is under quarantine") {
		t.Errorf("written anew by somebody else: %v", err)
	}
}

// TestNetworkPoliciesLeaveQuarantineOut: what allows something in a tenant must not reach a pod under quarantine.
func TestNetworkPoliciesLeaveQuarantineOut(t *testing.T) {
	a := server(t)
	client := a.of("oidc:platform").NetworkingV1().NetworkPolicies("team-a")
	if _, err := client.Create(t.Context(), allowing(false), dry); !refused(err, "spec.podSelector") {
		t.Errorf("%v", err)
	}
	if _, err := client.Create(t.Context(), allowing(true), dry); err != nil {
		t.Error(err)
	}
	closed := allowing(false)
	closed.Spec.Egress = nil
	if _, err := client.Create(t.Context(), closed, dry); err != nil {
		t.Errorf("what denies may select them: %v", err)
	}
}

// await waits until something is refused: the API server sees a label a moment after it is written.
func (a *api) await(t *testing.T, try func(*kubernetes.Clientset) error, group string) {
	t.Helper()
	a.until(t, "to be refused", func() bool { return refused(try(a.of(group)), "quarantine") })
}

func (a *api) awaitNot(t *testing.T, try func(*kubernetes.Clientset) error, group string) {
	t.Helper()
	a.until(t, "to be let in again", func() bool { return !apierrors.IsForbidden(try(a.of(group))) })
}
