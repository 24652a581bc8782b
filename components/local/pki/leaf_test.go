package pki

import (
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func serverRequest() LeafRequest {
	return LeafRequest{
		CommonName:    "kube-apiserver",
		Organizations: []string{"redoubt"},
		DNSNames:      []string{"kubernetes", "kubernetes.default"},
		IPAddresses:   []string{"10.80.0.10", "::1"},
		Server:        true,
		Validity:      time.Hour,
	}
}

func issue(t *testing.T, authority *Authority, request LeafRequest) *x509.Certificate {
	t.Helper()
	certPEM, keyPEM, err := IssueAt(authority, request, epoch)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ParseCertificate(certPEM)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKey(keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	if !KeyMatches(certificate, key) {
		t.Fatal("the key does not belong to the certificate")
	}
	return certificate
}

// TestIssuedCertificatesVerify asks Go's verifier, which the cluster's programs use,
// not the fields that Issue set.
func TestIssuedCertificatesVerify(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", 24*time.Hour)
	stranger, _, _ := testAuthority(t, "cluster", 24*time.Hour) // same name, other key
	server := issue(t, authority, serverRequest())
	client := issue(t, authority, LeafRequest{CommonName: "redoubt:admin", Client: true, Validity: time.Hour})
	for name, test := range map[string]struct {
		certificate *x509.Certificate
		authority   *Authority
		usage       x509.ExtKeyUsage
		host        string
		at          time.Time
		valid       bool
	}{
		"server, by name":                {server, authority, x509.ExtKeyUsageServerAuth, "kubernetes", epoch, true},
		"server, by address":             {server, authority, x509.ExtKeyUsageServerAuth, "10.80.0.10", epoch, true},
		"server, clock behind":           {server, authority, x509.ExtKeyUsageServerAuth, "kubernetes", epoch.Add(-4 * time.Minute), true},
		"client":                         {client, authority, x509.ExtKeyUsageClientAuth, "", epoch, true},
		"server as client":               {server, authority, x509.ExtKeyUsageClientAuth, "", epoch, false},
		"client as server":               {client, authority, x509.ExtKeyUsageServerAuth, "", epoch, false},
		"server under a foreign name":    {server, authority, x509.ExtKeyUsageServerAuth, "evil.example", epoch, false},
		"server at a foreign address":    {server, authority, x509.ExtKeyUsageServerAuth, "10.80.0.11", epoch, false},
		"authority of the same name":     {server, stranger, x509.ExtKeyUsageServerAuth, "kubernetes", epoch, false},
		"expired":                        {server, authority, x509.ExtKeyUsageServerAuth, "kubernetes", epoch.Add(61 * time.Minute), false},
		"before it is valid":             {server, authority, x509.ExtKeyUsageServerAuth, "kubernetes", epoch.Add(-6 * time.Minute), false},
		"common name is not a host name": {server, authority, x509.ExtKeyUsageServerAuth, "kube-apiserver", epoch, false},
	} {
		t.Run(name, func(t *testing.T) {
			roots := x509.NewCertPool()
			roots.AddCert(test.authority.Certificate)
			_, err := test.certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: test.host,
				CurrentTime: test.at, KeyUsages: []x509.ExtKeyUsage{test.usage}})
			if (err == nil) != test.valid {
				t.Errorf("verification: %v, want valid %v", err, test.valid)
			}
		})
	}
}

// TestAuthorityCannotBeExtended makes an authority below an authority: path length 0
// must keep what it signs from verifying.
func TestAuthorityCannotBeExtended(t *testing.T) {
	root, _, _ := testAuthority(t, "root", 24*time.Hour)
	below, _, _ := testAuthority(t, "below", 24*time.Hour)
	template := *below.Certificate
	der, err := x509.CreateCertificate(rand.Reader, &template, root.Certificate, below.Key.Public(), root.Key)
	if err != nil {
		t.Fatal(err)
	}
	middle, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	leaf := issue(t, below, serverRequest())
	roots, middles := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root.Certificate)
	middles.AddCert(middle)
	options := x509.VerifyOptions{Roots: roots, Intermediates: middles, CurrentTime: epoch}
	if _, err := leaf.Verify(options); err == nil || !strings.Contains(err.Error(), "too many intermediates") {
		t.Errorf("a leaf below a second authority: %v, want it refused for the path length", err)
	}
}

func TestLeafEndsNoLaterThanItsAuthority(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", 30*time.Minute)
	if leaf := issue(t, authority, serverRequest()); !leaf.NotAfter.Equal(authority.Certificate.NotAfter) {
		t.Errorf("leaf ends %v, authority %v", leaf.NotAfter, authority.Certificate.NotAfter)
	}
	_, _, err := IssueAt(authority, serverRequest(), epoch.Add(31*time.Minute))
	if err == nil || !strings.Contains(err.Error(), "replace the authority") {
		t.Errorf("issued by an expired authority: %v", err)
	}
}

func TestIssueReportsEveryFault(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", time.Hour)
	_, _, err := IssueAt(authority, LeafRequest{Server: true, IPAddresses: []string{"10.0.0.1/24"}, DNSNames: []string{""}}, epoch)
	for _, want := range []string{"common name is empty", "validity 0s", `"10.0.0.1/24" is not an IP address`, "empty DNS name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	for name, request := range map[string]LeafRequest{
		"no usage":               {CommonName: "x", Validity: time.Hour},
		"server without a name":  {CommonName: "x", Server: true, Validity: time.Hour},
		"validity in the past":   {CommonName: "x", Client: true, Validity: -time.Hour},
		"address with a wrong .": {CommonName: "x", Client: true, Validity: time.Hour, IPAddresses: []string{"10.80..1"}},
	} {
		if _, _, err := IssueAt(authority, request, epoch); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
}

func TestReadAuthorityNamesTheFile(t *testing.T) {
	_, certPEM, keyPEM := testAuthority(t, "cluster", time.Hour)
	prefix := filepath.Join(t.TempDir(), "ca")
	if _, err := ReadAuthority(prefix); err == nil || !strings.Contains(err.Error(), prefix) {
		t.Errorf("missing files: %v, want an error that names %s", err, prefix)
	}
	for suffix, data := range map[string][]byte{".crt": certPEM, ".key": keyPEM} {
		if err := os.WriteFile(prefix+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadAuthority(prefix); err != nil {
		t.Error(err)
	}
}
