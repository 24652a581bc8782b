package pki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestMatches(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", 24*time.Hour)
	request := serverRequest()
	certificate := issue(t, authority, request)
	if err := Matches(request, authority.Certificate, certificate); err != nil {
		t.Fatalf("what was just issued does not match: %v", err)
	}
	reordered := request
	reordered.DNSNames = []string{"kubernetes.default", "kubernetes"}
	reordered.IPAddresses = []string{"0:0:0:0:0:0:0:1", "10.80.0.10"}
	if err := Matches(reordered, authority.Certificate, certificate); err != nil {
		t.Errorf("order and spelling of addresses matter: %v", err)
	}

	for name, test := range map[string]struct {
		change func(*LeafRequest)
		want   string
	}{
		"common name":      {func(r *LeafRequest) { r.CommonName = "other" }, "common name"},
		"organization":     {func(r *LeafRequest) { r.Organizations = nil }, "organization"},
		"new group":        {func(r *LeafRequest) { r.Organizations = []string{"redoubt", "x"} }, "organization"},
		"name added":       {func(r *LeafRequest) { r.DNSNames = append(r.DNSNames, "localhost") }, "DNS names"},
		"name removed":     {func(r *LeafRequest) { r.DNSNames = r.DNSNames[:1] }, "DNS names"},
		"address added":    {func(r *LeafRequest) { r.IPAddresses = append(r.IPAddresses, "127.0.0.1") }, "IP addresses"},
		"address removed":  {func(r *LeafRequest) { r.IPAddresses = r.IPAddresses[:1] }, "IP addresses"},
		"client besides":   {func(r *LeafRequest) { r.Client = true }, "extended key usage"},
		"client in place":  {func(r *LeafRequest) { r.Client, r.Server = true, false }, "extended key usage"},
		"unreadable value": {func(r *LeafRequest) { r.IPAddresses = []string{"10.80.0.10", "::1", "x"} }, "IP addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := serverRequest()
			test.change(&wanted)
			if err := Matches(wanted, authority.Certificate, certificate); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

// TestMatchesRefusesForgeries takes a matching certificate and changes what only
// somebody else could have put there.
func TestMatchesRefusesForgeries(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", 24*time.Hour)
	stranger, _, _ := testAuthority(t, "cluster", 24*time.Hour)
	renamed, _, _ := testAuthority(t, "front-proxy", 24*time.Hour)
	for name, test := range map[string]struct {
		signer *Authority
		change func(*x509.Certificate)
		want   string
	}{
		"an authority of the same name": {stranger, func(*x509.Certificate) {}, "not signed by the present authority"},
		"another authority":             {renamed, func(*x509.Certificate) {}, "instead of"},
		"an authority as leaf":          {authority, func(c *x509.Certificate) { c.IsCA = true }, "it is a certificate authority"},
		"a further key usage":           {authority, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign; c.IsCA = true }, "key usage"},
		"an unknown extended usage": {authority, func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 2, 3, 5}}
		}, "extended key usage"},
		"an e-mail name": {authority, func(c *x509.Certificate) { c.EmailAddresses = []string{"root@example.com"} }, "e-mail or URI"},
		"a URI name":     {authority, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }, "e-mail or URI"},
	} {
		t.Run(name, func(t *testing.T) {
			certificate := issue(t, test.signer, serverRequest())
			template := *certificate
			template.AuthorityKeyId = nil
			test.change(&template)
			der, err := x509.CreateCertificate(rand.Reader, &template, test.signer.Certificate, certificate.PublicKey, test.signer.Key)
			if err != nil {
				t.Fatal(err)
			}
			forged, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if err := Matches(serverRequest(), authority.Certificate, forged); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestCheckValidity(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", 24*time.Hour)
	certificate := issue(t, authority, serverRequest()) // one hour
	for name, test := range map[string]struct {
		at   time.Time
		want string
	}{
		"fresh":                       {epoch, ""},
		"just before renewal":         {epoch.Add(30 * time.Minute), ""},
		"in the renewal period":       {epoch.Add(30*time.Minute + time.Second), "in less than 30m"},
		"expired":                     {epoch.Add(time.Hour), "expired"},
		"the clock jumped years on":   {epoch.AddDate(3, 0, 0), "expired"},
		"the clock jumped years back": {epoch.AddDate(-3, 0, 0), "has not come yet"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckValidity(certificate, test.at, 30*time.Minute)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}
