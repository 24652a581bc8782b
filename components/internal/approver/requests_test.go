package approver

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// moment is when the requests of these tests are judged.
var moment = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// machines are those of these tests; all but the first two have something against
// them that concerns a first certificate alone.
var machines = []Machine{
	{NodeIdentity: hostconfig.NodeIdentity{Name: "worker-1", Addresses: []string{"10.80.0.11", "fd00::11"}}, JoinBy: moment},
	{NodeIdentity: hostconfig.NodeIdentity{Name: "worker-2", Addresses: []string{"10.80.0.12"}}},
	{NodeIdentity: hostconfig.NodeIdentity{Name: "worker-10", Addresses: []string{"10.80.0.20"}}},
	{NodeIdentity: hostconfig.NodeIdentity{Name: "old", Addresses: []string{"10.80.0.13"}}, JoinBy: moment.Add(-time.Second)},
	{NodeIdentity: hostconfig.NodeIdentity{Name: "taken", Addresses: []string{"10.80.0.14"}}, TakenBy: "another machine's"},
	{NodeIdentity: hostconfig.NodeIdentity{Name: "control-plane-1", Addresses: []string{"10.80.0.10"}}, JoinUser: "redoubt:join:control-plane-1"},
}

func inventory(_ context.Context, name string) (Machine, bool, error) {
	for _, each := range machines {
		if each.Name == name {
			each.JoinGroup = hostconfig.GroupNodeBootstrapper(name)
			return each, true, nil
		}
	}
	return Machine{}, false, nil
}

func answer(t *testing.T, d *draft) Decision {
	t.Helper()
	return answerBy(t, d, ruleset{servingRules, bootstrapRules, renewalRules, policyRules})
}

func answerBy(t *testing.T, d *draft, rules ruleset) Decision {
	t.Helper()
	decision, err := decide(t.Context(), d.finish(t), inventory, moment, rules)
	if err != nil {
		t.Fatal(err)
	}
	return decision
}

// draft is a request in the making: what a kubelet would write, for a test to
// change in one place.
type draft struct {
	key      crypto.Signer
	template x509.CertificateRequest
	csr      certificatesv1.CertificateSigningRequest
}

func plainDraft(t *testing.T) *draft {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &draft{
		key: key,
		template: x509.CertificateRequest{
			Subject: pkix.Name{CommonName: "system:node:worker-1", Organization: []string{"system:nodes"}},
		},
		csr: certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "csr"}},
	}
}

// servingDraft is the request of kubelet v1.35 on worker-1 for its serving certificate.
func servingDraft(t *testing.T) *draft {
	d := plainDraft(t)
	d.template.DNSNames = []string{"worker-1"}
	d.template.IPAddresses = []net.IP{net.ParseIP("10.80.0.11")}
	d.csr.Spec = certificatesv1.CertificateSigningRequestSpec{
		SignerName: certificatesv1.KubeletServingSignerName,
		Username:   "system:node:worker-1",
		Groups:     []string{"system:nodes", "system:authenticated"},
		Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
	}
	return d
}

// bootstrapDraft is the request of kubelet v1.35 that joins as worker-1.
func bootstrapDraft(t *testing.T) *draft {
	d := plainDraft(t)
	d.csr.Spec = certificatesv1.CertificateSigningRequestSpec{
		SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName,
		Username:   "system:bootstrap:abcdef",
		Groups: []string{"system:bootstrappers", "system:bootstrappers:redoubt",
			"system:bootstrappers:redoubt:node:worker-1", "system:authenticated"},
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
	}
	return d
}

// renewalDraft is the request of kubelet v1.35 on worker-1 for its next client certificate.
func renewalDraft(t *testing.T) *draft {
	d := bootstrapDraft(t)
	d.csr.Spec.Username, d.csr.Spec.Groups = "system:node:worker-1", []string{"system:nodes", "system:authenticated"}
	return d
}

// policyDraft is the request of worker-1 for its policy agent.
func policyDraft(t *testing.T) *draft {
	d := renewalDraft(t)
	d.csr.Spec.SignerName = hostconfig.SignerPolicyAgent
	d.template.Subject = pkix.Name{CommonName: "redoubt:policy-agent:worker-1", Organization: []string{"redoubt:policy-agents"}}
	return d
}

// finish encodes the request, unless the test has encoded one itself.
func (d *draft) finish(t *testing.T) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	if d.csr.Spec.Request == nil {
		d.csr.Spec.Request = d.encode(t)
	}
	return &d.csr
}

func (d *draft) encode(t *testing.T) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &d.template, d.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
