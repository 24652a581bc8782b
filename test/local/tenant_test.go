package local

import (
	"fmt"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var tenantChecks = []check{
	{"M24_pods_get_no_token_unless_they_ask", nothing, podsGetNoToken},
	{"M24_default_accounts_have_no_token", nothing, defaultAccountsHaveNoToken},
	{"M24_default_account_has_no_rights", nothing, defaultAccountHasNoRights},
	{"M21_tenant_denies_all_traffic_by_default", nothing, tenantDeniesByDefault},
}

// podsGetNoToken creates a pod that says nothing about accounts or tokens: what
// admission adds to it is what every careless workload gets.
func podsGetNoToken(t *testing.T, c *Cluster) {
	pod := unscheduled()
	pod.Spec.AutomountServiceAccountToken = nil
	made, err := c.createPod(t, pod)
	require.NoError(t, err)
	assert.Empty(t, made.Spec.Volumes, "a token was mounted unasked")
	assert.Empty(t, made.Spec.Containers[0].VolumeMounts)
}

func defaultAccountsHaveNoToken(t *testing.T, c *Cluster) {
	accounts, err := c.client(t, c.masters(t)).CoreV1().ServiceAccounts("").List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=default"})
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(accounts.Items), 4)
	for _, account := range accounts.Items {
		mounts := account.AutomountServiceAccountToken
		assert.True(t, mounts != nil && !*mounts, "%s/default mounts its token by default (CIS 5.1.5)", account.Namespace)
	}
}

// defaultAccountHasNoRights asks as the tenant's default account.
func defaultAccountHasNoRights(t *testing.T, c *Cluster) {
	client := c.client(t, caller{token: requestToken(t, c, "default", 10*time.Minute)}).CoreV1()
	_, err := client.Secrets(c.Tenant()).List(t.Context(), metav1.ListOptions{})
	forbidden(t, err, "listing the tenant's secrets")
	_, err = client.Pods(c.Tenant()).List(t.Context(), metav1.ListOptions{})
	forbidden(t, err, "listing the tenant's pods")
	_, err = client.Pods(c.Tenant()).Create(t.Context(), unscheduled(), metav1.CreateOptions{})
	forbidden(t, err, "creating a pod")
}

// tenantDeniesByDefault demands a policy that selects every pod and allows
// nothing in either direction. A NetworkPolicy is enforced by the pod network's
// agent; what the object says is checked here.
func tenantDeniesByDefault(t *testing.T, c *Cluster) {
	client := c.client(t, c.masters(t))
	for _, tenant := range c.Tenants {
		policies, err := client.NetworkingV1().NetworkPolicies(tenant).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		found := false
		for _, policy := range policies.Items {
			found = found || deniesAll(policy.Spec)
		}
		assert.True(t, found, "%s has no policy that denies all traffic in both directions", tenant)
	}
}

func deniesAll(spec networkingv1.NetworkPolicySpec) bool {
	types := map[networkingv1.PolicyType]bool{}
	for _, kind := range spec.PolicyTypes {
		types[kind] = true
	}
	return len(spec.PodSelector.MatchLabels) == 0 && len(spec.PodSelector.MatchExpressions) == 0 &&
		len(spec.Ingress) == 0 && len(spec.Egress) == 0 &&
		types[networkingv1.PolicyTypeIngress] && types[networkingv1.PolicyTypeEgress]
}

// awaitDefaultAccount waits for the default service account of a new
// namespace, without which no pod is admitted. After a restart of the API server
// the controllers come back only after a pause that they choose themselves.
func (c *Cluster) awaitDefaultAccount(t *testing.T, namespace string) {
	t.Helper()
	client := c.client(t, c.masters(t)).CoreV1().ServiceAccounts(namespace)
	_, err := retry.DoWithRetryContextE(t, t.Context(), "default account of "+namespace, 360, 250*time.Millisecond, func() (string, error) {
		_, err := client.Get(t.Context(), "default", metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("%s has no default account yet: %w", namespace, err)
		}
		return "", nil
	})
	require.NoError(t, err)
}
