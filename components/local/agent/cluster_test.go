//go:build linux

package agent

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certificatesclient "k8s.io/client-go/kubernetes/typed/certificates/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacclient "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// TestAgentWithRealControlPlane lets the agent make the certificates of a real
// control plane, and then attacks it with real credentials.
func TestAgentWithRealControlPlane(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane: left out with -short")
	}
	c := startControlPlane(t, []hostconfig.NodeIdentity{{Name: "worker-1", Addresses: []string{"10.80.0.11"}},
		{Name: "worker-3", Addresses: []string{"10.80.0.13"}}})
	masters := c.client(t, "test", "system:masters")

	t.Run("bootstrap objects", func(t *testing.T) { testBootstrapObjects(t, c, masters) })
	t.Run("the agent's own rights", func(t *testing.T) { testAgentRights(t, c, masters) })
	t.Run("certificate requests", func(t *testing.T) { testRequests(t, c, masters) })
	t.Run("renewal without restart", func(t *testing.T) { testRenewal(t, c) })
}

// testBootstrapObjects waits for the objects, checks that the agent then leaves them
// alone, and damages them in every way.
func testBootstrapObjects(t *testing.T, c *controlPlane, masters *rest.Config) {
	ctx := t.Context()
	rbac := rbacclient.NewForConfigOrDie(masters)
	var role *rbacv1.ClusterRole
	var binding *rbacv1.ClusterRoleBinding
	for _, object := range hostconfig.BootstrapObjects() {
		switch object := object.(type) {
		case *rbacv1.ClusterRole:
			role = object
		case *rbacv1.ClusterRoleBinding:
			binding = object
		}
	}
	if role == nil || binding == nil {
		t.Fatal("the bootstrap objects have no ClusterRole or no ClusterRoleBinding")
	}
	present := func() error {
		if _, err := rbac.ClusterRoles().Get(ctx, role.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		found, err := rbac.ClusterRoleBindings().Get(ctx, binding.Name, metav1.GetOptions{})
		if err == nil && (found.RoleRef.Name != binding.RoleRef.Name || len(found.Subjects) != len(binding.Subjects)) {
			err = fmt.Errorf("the binding is %v to %v", found.Subjects, found.RoleRef)
		}
		return err
	}
	eventually(t, "bootstrap objects", present)
	eventually(t, "the approver", func() error { return c.logged("answering certificate requests") })

	for name, damage := range map[string]func() error{
		"role deleted": func() error { return rbac.ClusterRoles().Delete(ctx, role.Name, metav1.DeleteOptions{}) },
		"binding deleted": func() error {
			return rbac.ClusterRoleBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{})
		},
		"role widened": func() error {
			return change(ctx, rbac.ClusterRoles().Get, rbac.ClusterRoles().Update, role.Name, func(found *rbacv1.ClusterRole) {
				found.Rules = append(found.Rules, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
			})
		},
		"role aggregated": func() error {
			return change(ctx, rbac.ClusterRoles().Get, rbac.ClusterRoles().Update, role.Name, func(found *rbacv1.ClusterRole) {
				found.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{}}}
			})
		},
		"somebody bound besides": func() error {
			return change(ctx, rbac.ClusterRoleBindings().Get, rbac.ClusterRoleBindings().Update, binding.Name, func(found *rbacv1.ClusterRoleBinding) {
				found.Subjects = append(found.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mallory"})
			})
		},
		"binding to another role": func() error {
			if err := rbac.ClusterRoleBindings().Delete(ctx, binding.Name, metav1.DeleteOptions{}); err != nil {
				return err
			}
			other := binding.DeepCopy()
			other.RoleRef.Name = "cluster-admin"
			_, err := rbac.ClusterRoleBindings().Create(ctx, other, metav1.CreateOptions{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := strings.Count(c.agentLog.String(), "bootstrap object ")
			eventually(t, "the damage", damage) // again if the agent writes at the same moment
			eventually(t, "the repair in the log", func() error {
				if count := strings.Count(c.agentLog.String(), "bootstrap object "); count == before {
					return fmt.Errorf("nothing repaired")
				}
				return nil
			})
			eventually(t, "the repair", present)
			found, err := rbac.ClusterRoles().Get(ctx, role.Name, metav1.GetOptions{})
			if err != nil || len(found.Rules) != len(role.Rules) || found.AggregationRule != nil {
				t.Errorf("the role is %+v, %v", found, err)
			}
		})
	}
	settled := strings.Count(c.agentLog.String(), "bootstrap object ")
	passes := 0
	eventually(t, "some passes", func() error {
		if passes++; passes < 60 { // 3 seconds: about three passes
			return fmt.Errorf("not yet")
		}
		return nil
	})
	if now := strings.Count(c.agentLog.String(), "bootstrap object "); now != settled {
		t.Errorf("the agent repaired %d objects that nobody had touched", now-settled)
	}
}

func change[T any](ctx context.Context, get func(context.Context, string, metav1.GetOptions) (T, error),
	update func(context.Context, T, metav1.UpdateOptions) (T, error), name string, edit func(T)) error {
	found, err := get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	edit(found)
	_, err = update(ctx, found, metav1.UpdateOptions{})
	return err
}

// testAgentRights uses the agent's certificate for what it must not be able to do.
func testAgentRights(t *testing.T, c *controlPlane, masters *rest.Config) {
	agent := &rest.Config{Host: c.server, TLSClientConfig: rest.TLSClientConfig{
		CAFile: c.path("ca.crt"), CertFile: c.path("agent.crt"), KeyFile: c.path("agent.key")}}
	_, err := coreclient.NewForConfigOrDie(agent).Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("the agent lists secrets: %v", err)
	}
	_, err = rbacclient.NewForConfigOrDie(agent).ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "escalation"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}},
		metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("the agent binds cluster-admin: %v", err)
	}
	// A request to another signer, approved by the agent's identity by hand.
	_, csr := createRequest(t, masters, "for-another-signer", certificatesv1.KubeAPIServerClientSignerName, "mallory", nil)
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "x"}}
	_, err = certificatesclient.NewForConfigOrDie(agent).CertificateSigningRequests().UpdateApproval(t.Context(), csr.Name, csr, metav1.UpdateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("the agent approves for another signer: %v", err)
	}
	authority, err := pki.ReadAuthority(c.config.ClusterCA)
	if err != nil {
		t.Fatal(err)
	}
	// It signs for its own signer, and for nobody else's.
	certPEM, _, err := pki.Issue(authority, pki.LeafRequest{CommonName: "mallory", Client: true, Validity: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	csr.Status.Conditions, csr.Status.Certificate = nil, certPEM
	_, err = certificatesclient.NewForConfigOrDie(agent).CertificateSigningRequests().UpdateStatus(t.Context(), csr, metav1.UpdateOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("the agent signs for another signer: %v", err)
	}
}

// testRequests joins as a kubelet does, and tries what a kubelet must not.
func testRequests(t *testing.T, c *controlPlane, masters *rest.Config) {
	token := bootstrapToken(t, masters, "worker-1")
	joining := &rest.Config{Host: c.server, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAFile: c.path("ca.crt")}}
	client, serving := certificatesv1.KubeAPIServerClientKubeletSignerName, certificatesv1.KubeletServingSignerName

	// The token opens one door.
	denied(t, joining, "join-as-other", client, "system:node:worker-3", nil, "TokenIsNotForThisNode")
	denied(t, joining, "join-with-name", client, "system:node:worker-1", &x509.CertificateRequest{DNSNames: []string{"worker-1"}}, "ExtensionIsNotAllowed")
	denied(t, joining, "serve-with-token", serving, "system:node:worker-1", &x509.CertificateRequest{DNSNames: []string{"worker-1"}}, "RequesterIsNotThisNode")
	certPEM, keyPEM := issued(t, joining, "join", client, "system:node:worker-1", nil)

	// The node's own credential.
	node := c.clientWith(certPEM, keyPEM)
	own := &x509.CertificateRequest{DNSNames: []string{"worker-1"}, IPAddresses: []net.IP{net.ParseIP("10.80.0.11")}}
	issued(t, node, "serve", serving, "system:node:worker-1", own)
	issued(t, node, "renew", client, "system:node:worker-1", nil)
	denied(t, node, "renew-as-other", client, "system:node:worker-2", nil, "RequesterIsNotThisNode")
	denied(t, node, "serve-as-control-plane", serving, "system:node:worker-1", &x509.CertificateRequest{DNSNames: []string{"kubernetes"}}, "DNSNameIsNotOfThisNode")
	denied(t, node, "serve-elsewhere", serving, "system:node:worker-1", &x509.CertificateRequest{IPAddresses: []net.IP{net.ParseIP("10.80.0.10")}}, "IPAddressIsNotOfThisNode")

	testPolicyIdentity(t, c, certPEM, keyPEM)

	// A node counts from the moment it is in the inventory, without a restart.
	other := &rest.Config{Host: c.server, BearerToken: bootstrapToken(t, masters, "worker-2"), TLSClientConfig: joining.TLSClientConfig}
	denied(t, other, "too-early", client, "system:node:worker-2", nil, "NodeIsNotInTheInventory")
	c.config.Nodes = append(c.config.Nodes, hostconfig.NodeIdentity{Name: "worker-2", Addresses: []string{"10.80.0.12"}})
	c.writeConfig(t)
	otherCertificate, otherKey := issued(t, other, "in-time", client, "system:node:worker-2", nil)
	removed := c.clientWith(otherCertificate, otherKey)
	issued(t, removed, "renew-in-time", client, "system:node:worker-2", nil)
	c.config.Nodes = c.config.Nodes[:len(c.config.Nodes)-1]
	c.writeConfig(t)
	denied(t, removed, "renew-after-removal", client, "system:node:worker-2", nil, "NodeIsNotInTheInventory")

	// Nobody has touched the request to another signer.
	csr, err := certificatesclient.NewForConfigOrDie(masters).CertificateSigningRequests().Get(t.Context(), "for-another-signer", metav1.GetOptions{})
	if err != nil || len(csr.Status.Conditions) > 0 {
		t.Errorf("the request to another signer has conditions %v, %v", csr.Status.Conditions, err)
	}
}

// testRenewal takes the serving certificate away and waits for the API server to
// present its successor, without a failed request in between.
func testRenewal(t *testing.T, c *controlPlane) {
	address := strings.TrimPrefix(c.server, "https://")
	before, err := serial(address)
	if err != nil {
		t.Fatal(err)
	}
	c.config.Certificates[0].DNSNames = append(c.config.Certificates[0].DNSNames, "renewed.test")
	if err := newIssuer(discard).pass(c.config); err != nil {
		t.Fatal(err)
	}
	c.writeConfig(t) // or the agent would change it back
	eventually(t, "the new certificate", func() error {
		now, err := serial(address)
		if err != nil {
			t.Errorf("no connection during the renewal: %v", err)
		}
		if now == before {
			return fmt.Errorf("still the old one")
		}
		return nil
	})
}
