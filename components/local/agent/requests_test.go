//go:build linux

package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	certificatesclient "k8s.io/client-go/kubernetes/typed/certificates/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// bootstrapToken makes a bootstrap token for one node and returns it.
func bootstrapToken(t *testing.T, masters *rest.Config, node string) string {
	t.Helper()
	id, secret := strings.ToLower(rand.Text()[:6]), strings.ToLower(rand.Text()[:16])
	_, err := coreclient.NewForConfigOrDie(masters).Secrets("kube-system").Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "bootstrap-token-" + id},
		Type:       corev1.SecretTypeBootstrapToken,
		StringData: map[string]string{"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true",
			"auth-extra-groups": hostconfig.GroupNodeBootstrappers + "," + hostconfig.GroupNodeBootstrapper(node)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return id + "." + secret
}

// createRequest makes a key and a request for a certificate; extra adds names.
func createRequest(t *testing.T, as *rest.Config, name, signer, commonName string, extra *x509.CertificateRequest) (*ecdsa.PrivateKey, *certificatesv1.CertificateSigningRequest) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.CertificateRequest{}
	if extra != nil {
		template = *extra
	}
	template.Subject = pkix.Name{CommonName: commonName, Organization: []string{"system:nodes"}}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	usage := certificatesv1.UsageClientAuth
	if signer == certificatesv1.KubeletServingSignerName {
		usage = certificatesv1.UsageServerAuth
	}
	var csr *certificatesv1.CertificateSigningRequest
	eventually(t, name, func() error { // the API server learns of a new token or role in a moment
		csr, err = certificatesclient.NewForConfigOrDie(as).CertificateSigningRequests().Create(t.Context(), &certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: certificatesv1.CertificateSigningRequestSpec{
				Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
				SignerName: signer,
				Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, usage},
			},
		}, metav1.CreateOptions{})
		return err
	})
	return key, csr
}

// answer waits until somebody decides.
func answer(t *testing.T, as *rest.Config, name string, done func(*certificatesv1.CertificateSigningRequest) bool) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	var csr *certificatesv1.CertificateSigningRequest
	eventually(t, "an answer to "+name, func() (err error) {
		csr, err = certificatesclient.NewForConfigOrDie(as).CertificateSigningRequests().Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && !done(csr) {
			err = fmt.Errorf("conditions %v, %d bytes of certificate", csr.Status.Conditions, len(csr.Status.Certificate))
		}
		return err
	})
	return csr
}

func denied(t *testing.T, as *rest.Config, name, signer, commonName string, extra *x509.CertificateRequest, reason string) {
	t.Helper()
	createRequest(t, as, name, signer, commonName, extra)
	csr := answer(t, as, name, func(csr *certificatesv1.CertificateSigningRequest) bool { return len(csr.Status.Conditions) > 0 })
	if condition := csr.Status.Conditions[0]; condition.Type != certificatesv1.CertificateDenied || condition.Reason != reason {
		t.Errorf("%s: %s, %s: %s; want denied, %s", name, condition.Type, condition.Reason, condition.Message, reason)
	}
}

// issued returns the certificate and key of a request that must be granted.
func issued(t *testing.T, as *rest.Config, name, signer, commonName string, extra *x509.CertificateRequest) (certPEM, keyPEM []byte) {
	t.Helper()
	key, _ := createRequest(t, as, name, signer, commonName, extra)
	csr := answer(t, as, name, func(csr *certificatesv1.CertificateSigningRequest) bool {
		return len(csr.Status.Certificate) > 0 || len(csr.Status.Conditions) > 0 && csr.Status.Conditions[0].Type != certificatesv1.CertificateApproved
	})
	certificate, err := pki.ParseCertificate(csr.Status.Certificate)
	if err != nil || certificate.Subject.CommonName != commonName {
		t.Fatalf("%s: %v, conditions %v", name, err, csr.Status.Conditions)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return csr.Status.Certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
