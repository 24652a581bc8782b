package local

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gruntwork-io/terratest/modules/retry"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var joinChecks = []check{
	{"M16_serving_certificate_for_a_foreign_name_is_denied", worker, foreignServingRequestsAreDenied},
	{"M16_client_certificate_for_another_node_is_denied", worker, foreignClientRequestsAreDenied},
	{"M16_bootstrap_token_joins_its_own_node_only", worker, bootstrapTokenJoinsOneNode},
	{"M34_bootstrap_tokens_are_gone_after_the_join", worker, bootstrapTokensAreGone},
}

// signingRequest is a certificate request in PEM.
func signingRequest(t *testing.T, template x509.CertificateRequest) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// denied submits a request and demands that no certificate comes of it: either
// the API server refuses it at once, or our approver denies it with a reason.
// Nobody signs for the general client signer, so there a request may also stay
// pending.
func denied(t *testing.T, c *Cluster, who caller, what, signer string, usages []certificatesv1.KeyUsage, template x509.CertificateRequest) {
	t.Helper()
	name := randomName("verify")
	_, err := c.client(t, who).CertificatesV1().CertificateSigningRequests().Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: verifyLabels()},
		Spec:       certificatesv1.CertificateSigningRequestSpec{Request: signingRequest(t, template), SignerName: signer, Usages: usages},
	}, metav1.CreateOptions{})
	if err != nil {
		forbidden(t, err, what)
		return
	}
	all := c.client(t, c.masters(t)).CertificatesV1().CertificateSigningRequests()
	t.Cleanup(func() { ignoreAbsent(t, all.Delete(cleanupContext(t), name, metav1.DeleteOptions{})) })
	attempts := 40
	if signer == certificatesv1.KubeAPIServerClientSignerName {
		attempts = 8
	}
	_, err = retry.DoWithRetryContextE(t, t.Context(), what, attempts, 250*time.Millisecond, func() (string, error) {
		request, err := all.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return "", err
		}
		if len(request.Status.Certificate) > 0 {
			return "", retry.FatalError{Underlying: fmt.Errorf("%s: a certificate was issued", what)}
		}
		for _, condition := range request.Status.Conditions {
			switch condition.Type {
			case certificatesv1.CertificateApproved:
				return "", retry.FatalError{Underlying: fmt.Errorf("%s: approved: %s", what, condition.Message)}
			case certificatesv1.CertificateDenied:
				if condition.Message == "" {
					return "", retry.FatalError{Underlying: fmt.Errorf("%s: denied without a reason", what)}
				}
				return condition.Message, nil
			}
		}
		return "", fmt.Errorf("%s: neither approved nor denied", what)
	})
	var pending retry.MaxRetriesExceeded
	if signer == certificatesv1.KubeAPIServerClientSignerName && errors.As(err, &pending) {
		return
	}
	assert.NoError(t, err)
}

func foreignServingRequestsAreDenied(t *testing.T, c *Cluster) {
	node := c.Nodes[0]
	subject := pkix.Name{CommonName: "system:node:" + node.Name, Organization: []string{"system:nodes"}}
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth}
	own := []net.IP{net.ParseIP(node.Address)}
	who := caller{from: node.Name, certificate: c.nodeCredential(t, node.Name)}
	for what, template := range map[string]x509.CertificateRequest{
		"the control plane's address":      {Subject: subject, IPAddresses: []net.IP{net.ParseIP(c.ControlPlane.Address)}},
		"its own and the loopback address": {Subject: subject, IPAddresses: append(own, net.ParseIP("127.0.0.1"))},
		"the API server's name":            {Subject: subject, DNSNames: []string{"kubernetes.default.svc"}, IPAddresses: own},
		"a foreign name":                   {Subject: subject, DNSNames: []string{node.Name, "redoubt.example"}, IPAddresses: own},
		"a wildcard":                       {Subject: subject, DNSNames: []string{"*"}, IPAddresses: own},
		"another node's subject": {Subject: pkix.Name{CommonName: "system:node:intruder", Organization: []string{"system:nodes"}},
			DNSNames: []string{"intruder"}, IPAddresses: own},
		"an additional group": {Subject: pkix.Name{CommonName: subject.CommonName, Organization: []string{"system:nodes", mastersGroup}},
			DNSNames: []string{node.Name}, IPAddresses: own},
		"no name at all": {Subject: subject},
	} {
		denied(t, c, who, what, certificatesv1.KubeletServingSignerName, usages, template)
	}
	both := append(usages, certificatesv1.UsageClientAuth)
	denied(t, c, who, "a serving certificate that also authenticates clients", certificatesv1.KubeletServingSignerName, both,
		x509.CertificateRequest{Subject: subject, DNSNames: []string{node.Name}, IPAddresses: own})
}

func foreignClientRequestsAreDenied(t *testing.T, c *Cluster) {
	node := c.Nodes[0]
	who := caller{from: node.Name, certificate: c.nodeCredential(t, node.Name)}
	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	other := x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:intruder", Organization: []string{"system:nodes"}}}
	denied(t, c, who, "a client certificate of another node", certificatesv1.KubeAPIServerClientKubeletSignerName, usages, other)
	masters := x509.CertificateRequest{Subject: pkix.Name{CommonName: "intruder", Organization: []string{mastersGroup}}}
	denied(t, c, who, "a client certificate of system:masters", certificatesv1.KubeAPIServerClientSignerName, usages, masters)
	user := x509.CertificateRequest{Subject: pkix.Name{CommonName: "redoubt:admin"}}
	denied(t, c, who, "a client certificate of the administrator", certificatesv1.KubeAPIServerClientSignerName, usages, user)
}

// bootstrapTokenJoinsOneNode makes a token as the join does and then abuses it.
func bootstrapTokenJoinsOneNode(t *testing.T, c *Cluster) {
	expired := c.newBootstrapToken(t, "verify-node", time.Now().Add(-time.Minute))
	token := c.newBootstrapToken(t, "verify-node", time.Now().Add(4*patience))
	// The API server learns of tokens from its own watch, in their order: when it
	// knows the second, it has seen the first.
	require.Eventually(t, func() bool { return c.status(t, token) == 403 }, patience, 100*time.Millisecond, "a bootstrap token is not known")
	assert.Equal(t, 401, c.status(t, expired), "an expired bootstrap token")
	who := caller{from: c.Nodes[0].Name, token: token}
	client := c.client(t, who)
	_, err := client.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	forbidden(t, err, "reading secrets with a bootstrap token")
	_, err = client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	forbidden(t, err, "listing nodes with a bootstrap token")

	usages := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth}
	for what, template := range map[string]x509.CertificateRequest{
		"another node's name": {Subject: pkix.Name{CommonName: "system:node:" + c.Nodes[0].Name, Organization: []string{"system:nodes"}}},
		"a further group":     {Subject: pkix.Name{CommonName: "system:node:verify-node", Organization: []string{"system:nodes", mastersGroup}}},
		"a server's names":    {Subject: pkix.Name{CommonName: "system:node:verify-node", Organization: []string{"system:nodes"}}, DNSNames: []string{"a"}},
	} {
		denied(t, c, who, "a bootstrap token for "+what, certificatesv1.KubeAPIServerClientKubeletSignerName, usages, template)
	}
}

// newBootstrapToken makes a token as the join does.
func (c *Cluster) newBootstrapToken(t *testing.T, node string, end time.Time) string {
	t.Helper()
	id, secret := randomName("v")[2:8], randomName("v")[2:]+randomName("v")[2:]
	data := map[string]string{
		"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true",
		"expiration":        end.UTC().Format(time.RFC3339),
		"auth-extra-groups": hostconfig.GroupNodeBootstrappers + "," + hostconfig.GroupNodeBootstrapper(node),
	}
	client := c.client(t, c.masters(t)).CoreV1().Secrets("kube-system")
	_, err := client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + id, Labels: verifyLabels()},
		Type:       corev1.SecretTypeBootstrapToken, StringData: data,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ignoreAbsent(t, client.Delete(cleanupContext(t), "bootstrap-token-"+id, metav1.DeleteOptions{}))
	})
	return id + "." + secret
}

// bootstrapTokensAreGone demands that what a node joined with no longer exists,
// neither on the node nor in the cluster, and that any other token has an end.
func bootstrapTokensAreGone(t *testing.T, c *Cluster) {
	for _, node := range c.Nodes {
		path := c.Path(node.Name, hostconfig.Paths{}.KubeletBootstrapKubeconfig())
		_, err := os.Stat(path)
		assert.True(t, os.IsNotExist(err), "%s still holds a bootstrap token in %s", node.Name, path)
	}
	tokens, err := c.client(t, c.masters(t)).CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{
		FieldSelector: "type=" + string(corev1.SecretTypeBootstrapToken),
	})
	require.NoError(t, err)
	for _, token := range tokens.Items {
		end, err := time.Parse(time.RFC3339, string(token.Data["expiration"]))
		if assert.NoError(t, err, "%s has no end", token.Name) {
			assert.Less(t, time.Until(end), time.Hour, "%s lives too long", token.Name)
		}
		for _, node := range c.Nodes {
			assert.NotContains(t, string(token.Data["auth-extra-groups"]), hostconfig.GroupNodeBootstrapper(node.Name),
				"%s has joined: its token is of no more use", node.Name)
		}
	}
}
