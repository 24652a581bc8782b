package local

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

const (
	kubeletConfig   = "/var/lib/kubelet/config.yaml"
	admissionConfig = "/etc/kubernetes/admission.yaml"
	authentication  = "/etc/kubernetes/authentication.yaml"
)

// mutants is the table of the key controls: what is removed, and what turns red.
func mutants() []mutant {
	api := func(name, value string) func(*testing.T, *Cluster) {
		return changeArguments("control-plane", "kube-apiserver", flagSet(name, value))
	}
	plugin := func(name string) func(*testing.T, *Cluster) {
		return changeArguments("control-plane", "kube-apiserver", func(command []string) []string {
			return both(flagReplace("enable-admission-plugins", name, "NamespaceLifecycle"), flagSet("disable-admission-plugins", name))(command)
		})
	}
	controller := func(name, value string) func(*testing.T, *Cluster) {
		return changeArguments("control-plane", "kube-controller-manager", flagSet(name, value))
	}
	etcd := func(name, value string) func(*testing.T, *Cluster) {
		return changeArguments("control-plane", "etcd", flagSet(name, value))
	}
	kubelet := func(old, value string) func(*testing.T, *Cluster) {
		return changeFile("worker", kubeletConfig, "kubelet", old, value)
	}
	return []mutant{
		// Either of the two keeps old versions out: TLS 1.1 has no AEAD suite.
		{"kube-apiserver tls-min-version and tls-cipher-suites", "M14_TLS_below_1.2_is_refused_on_every_port",
			changeArguments("control-plane", "kube-apiserver", both(flagSet("tls-min-version", "VersionTLS10"), flagSet("tls-cipher-suites", "-")))},
		{"kube-apiserver tls-cipher-suites", "M14_TLS_non_AEAD_suites_are_refused_on_every_port", api("tls-cipher-suites", "-")},
		{"kube-apiserver authorization-mode", "M14_api_refuses_without_rights", api("authorization-mode", "AlwaysAllow")},
		{"kube-apiserver profiling", "M14_api_profiling_is_off", api("profiling", "true")},
		{"kube-apiserver api-audiences", "M14_token_for_another_audience_is_refused",
			changeArguments("control-plane", "kube-apiserver", flagReplace("api-audiences", "=", "=vault,"))},
		{"kube-apiserver service-account-max-token-expiration", "M34_token_lives_a_day_at_most", api("service-account-max-token-expiration", "-")},
		{"kube-apiserver audit-policy-file", "M17_denied_request_is_audited", api("audit-policy-file", "-")},
		{"kube-apiserver encryption-provider-config", "M18_secret_is_ciphertext_in_etcd", api("encryption-provider-config", "-")},
		{"admission NodeRestriction", "M16_node_cannot_label_itself_into_a_restricted_group", plugin("NodeRestriction")},
		{"admission AlwaysPullImages", "M26_images_are_always_pulled", plugin("AlwaysPullImages")},
		{"admission PodSecurity", "M22_weak_ephemeral_containers_are_refused", api("disable-admission-plugins", "PodSecurity")},
		{"admission ResourceQuota", "M23_quota_of_pods_bites", api("disable-admission-plugins", "ResourceQuota")},
		{"admission LimitRanger", "M23_more_than_the_maximum_is_refused", api("disable-admission-plugins", "LimitRanger")},
		{"Pod Security's default", "M22_weak_pods_are_refused_in_a_namespace_without_labels",
			changeFile("control-plane", admissionConfig, "kube-apiserver", "enforce: restricted", "enforce: privileged")},
		{"anonymous requests' conditions", "M14_api_anonymous_gets_health_and_nothing_else",
			changeFile("control-plane", authentication, "kube-apiserver", "path: /livez", "path: /version")},

		{"kube-controller-manager profiling", "M15_controllers_profiling_is_off", controller("profiling", "true")},
		{"kube-controller-manager bind-address", "M15_controllers_listen_on_loopback_only", controller("bind-address", "0.0.0.0")},
		{"kube-controller-manager use-service-account-credentials", "M15_controllers_act_under_their_own_accounts",
			controller("use-service-account-credentials", "false")},
		// An authority to trust is enough for etcd to demand certificates.
		{"etcd client-cert-auth and trusted-ca-file", "M13_etcd_refuses_foreign_clients",
			changeArguments("control-plane", "etcd", both(flagSet("client-cert-auth", "false"), flagSet("trusted-ca-file", "-")))},
		{"etcd peer-cert-allowed-cn", "M13_etcd_peer_and_metrics_ports_refuse_clients", etcd("peer-cert-allowed-cn", "-")},

		{"kubelet authentication.anonymous", "M16_kubelet_refuses_anonymous", kubelet("anonymous:\n    enabled: false", "anonymous:\n    enabled: true")},
		{"kubelet authorization.mode", "M16_kubelet_refuses_without_rights", kubelet("mode: Webhook", "mode: AlwaysAllow")},
		{"kubelet seccompDefault", "M16_seccomp_is_the_default", kubelet("seccompDefault: true", "seccompDefault: false")},
		{"kubelet readOnlyPort", "M16_kubelet_has_no_read_only_port", kubelet("readOnlyPort: 0", "readOnlyPort: 10255")},
		{"kubelet enableProfilingHandler", "M16_kubelet_profiling_is_off", kubelet("enableProfilingHandler: false", "enableProfilingHandler: true")},

		{"firewall of the control plane", "M04_outsider_on_the_node_network_reaches_nothing", withoutFirewall("control-plane")},
		{"firewall of the control plane towards operators", "M04_operator_reaches_the_api_and_nothing_else", withoutFirewall("control-plane")},
		{"firewall of the control plane towards workers", "M04_worker_reaches_only_the_ports_of_the_table", withoutFirewall("control-plane", "worker")},
		{"firewall of the worker", "M04_control_plane_reaches_only_the_ports_of_the_table", withoutFirewall("control-plane", "worker")},
		{"no default route", "M06_machines_have_no_way_out", withRoute},

		{"mode of a private key", "M34_private_keys_are_readable_by_their_owner_only", chmod("/etc/kubernetes/pki/ca.key", 0o640)},
		{"mode of etcd's data", "M13_etcd_data_belongs_to_its_user_alone", chmod("/var/lib/etcd", 0o755)},
		{"mode of the encryption keys", "M18_encryption_keys_are_readable_by_root_only", chmod("/etc/kubernetes/encryption/config.yaml", 0o644)},
		{"token removed after the join", "M34_bootstrap_tokens_are_gone_after_the_join", leftToken},
		{"tenant's network policy", "M21_tenant_denies_all_traffic_by_default", openPolicy},
		{"default account's automount", "M24_pods_get_no_token_unless_they_ask", automount},
		{"rights of authenticated users", "M14_api_refuses_without_rights", grant(rbacv1.GroupKind, "system:authenticated")},
		{"rights of nodes", "M16_node_cannot_read_foreign_secrets", grant(rbacv1.GroupKind, "system:nodes")},
	}
}

// withoutFirewall deletes the rules of machines until the test ends.
func withoutFirewall(roles ...string) func(*testing.T, *Cluster) {
	return func(t *testing.T, c *Cluster) {
		for _, role := range roles {
			name := machineOf(c, role)
			rules, err := c.nft(t.Context(), name, "list", "table", "inet", "redoubt")
			require.NoError(t, err, rules)
			t.Cleanup(func() {
				restore := exec.CommandContext(cleanupContext(t), "ip", "netns", "exec", c.NamespaceName(name), "nft", "-f", "-")
				restore.Stdin = strings.NewReader(rules)
				out, err := restore.CombinedOutput()
				require.NoError(t, err, string(out))
			})
			out, err := c.nft(t.Context(), name, "delete", "table", "inet", "redoubt")
			require.NoError(t, err, out)
		}
	}
}

func withRoute(t *testing.T, c *Cluster) {
	namespace := c.NamespaceName(c.Nodes[0].Name)
	t.Cleanup(func() {
		_, err := ip(cleanupContext(t), "-n", namespace, "route", "delete", "default")
		require.NoError(t, err)
	})
	_, err := ip(t.Context(), "-n", namespace, "route", "add", "default", "via", c.ControlPlane.Address)
	require.NoError(t, err)
}

// chmod changes the mode of a path of the control plane until the test ends.
func chmod(path string, mode os.FileMode) func(*testing.T, *Cluster) {
	return func(t *testing.T, c *Cluster) {
		file := filepath.Join(c.MachineDir(c.ControlPlane.Name), path)
		info, err := os.Stat(file)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, os.Chmod(file, info.Mode().Perm())) })
		require.NoError(t, os.Chmod(file, mode))
	}
}

func leftToken(t *testing.T, c *Cluster) {
	client := c.client(t, c.masters(t)).CoreV1().Secrets("kube-system")
	t.Cleanup(func() {
		ignoreAbsent(t, client.Delete(cleanupContext(t), "bootstrap-token-verify", metav1.DeleteOptions{}))
	})
	_, err := client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-verify"}, Type: corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{"token-id": "verify", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true"},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// openPolicy makes the tenant's policies allow everything that they denied.
func openPolicy(t *testing.T, c *Cluster) {
	client := c.client(t, c.masters(t)).NetworkingV1().NetworkPolicies(c.Tenant())
	policies, err := client.List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, policy := range policies.Items {
		if !deniesAll(policy.Spec) {
			continue
		}
		// What allows something must leave out quarantine, or its own policy refuses it.
		patch := func(t *testing.T, spec string) {
			_, err := client.Patch(cleanupContext(t), policy.Name, types.MergePatchType, []byte(`{"spec":`+spec+`}`), metav1.PatchOptions{})
			require.NoError(t, err)
		}
		t.Cleanup(func() { patch(t, `{"ingress":null,"podSelector":{"matchExpressions":null}}`) })
		patch(t, `{"ingress":[{}],"podSelector":{"matchExpressions":[{"key":"`+quarantine.Label+`","operator":"DoesNotExist"}]}}`)
	}
}

func automount(t *testing.T, c *Cluster) {
	client := c.client(t, c.masters(t)).CoreV1().ServiceAccounts(c.Tenant())
	patch := func(t *testing.T, value string) {
		_, err := client.Patch(cleanupContext(t), "default", types.MergePatchType, []byte(`{"automountServiceAccountToken":`+value+`}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	t.Cleanup(func() { patch(t, "false") })
	patch(t, "true")
}

// grant lets a subject read secrets everywhere until the test ends.
func grant(kind, name string) func(*testing.T, *Cluster) {
	return func(t *testing.T, c *Cluster) {
		client := c.client(t, c.masters(t)).RbacV1()
		unbound(t, c, "role-bindings") // it would refuse this one: another control stands in front of the one that is judged
		object := metav1.ObjectMeta{Name: randomName("verify"), Labels: verifyLabels()}
		t.Cleanup(func() {
			ignoreAbsent(t, client.ClusterRoleBindings().Delete(cleanupContext(t), object.Name, metav1.DeleteOptions{}))
			ignoreAbsent(t, client.ClusterRoles().Delete(cleanupContext(t), object.Name, metav1.DeleteOptions{}))
		})
		_, err := client.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
			ObjectMeta: object, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list"}}},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		// The API server takes a moment to learn that a policy is no more.
		_, err = retry.DoWithRetryContextE(t, t.Context(), "the binding", 50, 200*time.Millisecond, func() (string, error) {
			_, err := client.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
				ObjectMeta: object, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: object.Name},
				Subjects: []rbacv1.Subject{{Kind: kind, APIGroup: rbacv1.GroupName, Name: name}},
			}, metav1.CreateOptions{})
			return "", err
		})
		require.NoError(t, err)
	}
}

// unbound takes a policy of the catalogue out of force until the test ends.
func unbound(t *testing.T, c *Cluster, policy string) {
	client := c.client(t, c.masters(t)).AdmissionregistrationV1().ValidatingAdmissionPolicyBindings()
	list, err := client.List(t.Context(), metav1.ListOptions{LabelSelector: "redoubt.dev/policy=" + policy})
	require.NoError(t, err)
	require.NotEmpty(t, list.Items)
	for _, binding := range list.Items {
		require.NoError(t, client.Delete(t.Context(), binding.Name, metav1.DeleteOptions{}))
		t.Cleanup(func() {
			binding.ResourceVersion, binding.UID = "", ""
			_, err := client.Create(cleanupContext(t), &binding, metav1.CreateOptions{})
			require.NoError(t, err)
		})
	}
}

// TestMutantsNameChecks keeps the table true: each mutant names a check that
// exists, and each control of the table has a name.
func TestMutantsNameChecks(t *testing.T) {
	known := map[string]bool{}
	for _, k := range checks() {
		require.False(t, known[k.name], "two checks are named %s", k.name)
		require.Regexp(t, `^M[0-9]{2}_`, k.name, "a check is named by the row that it proves")
		known[k.name] = true
	}
	for _, m := range mutants() {
		require.True(t, known[m.check], "%s names the check %s, which does not exist", m.setting, m.check)
	}
}
