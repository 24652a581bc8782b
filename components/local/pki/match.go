package pki

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
)

// Matches tells whether a certificate is what the request asks for and was signed
// by the authority. It returns nil, or an error that names everything that differs.
// Lifetime is CheckValidity's question, not this one.
func Matches(request LeafRequest, authority, certificate *x509.Certificate) error {
	var differences []error
	differ := func(what string, have, want any) {
		differences = append(differences, fmt.Errorf("%s is %v instead of %v", what, have, want))
	}
	if err := signedBy(authority, certificate); err != nil {
		differences = append(differences, err)
	}
	if certificate.IsCA {
		differences = append(differences, errors.New("it is a certificate authority"))
	}
	if certificate.KeyUsage != x509.KeyUsageDigitalSignature {
		differ("key usage", certificate.KeyUsage, x509.KeyUsageDigitalSignature)
	}
	if want := request.extendedUsages(); !sameSet(certificate.ExtKeyUsage, want) || len(certificate.UnknownExtKeyUsage) > 0 {
		differ("extended key usage", certificate.ExtKeyUsage, want)
	}
	if certificate.Subject.CommonName != request.CommonName {
		differ("common name", certificate.Subject.CommonName, request.CommonName)
	}
	if !sameSet(certificate.Subject.Organization, request.Organizations) {
		differ("organization", certificate.Subject.Organization, request.Organizations)
	}
	if !sameSet(certificate.DNSNames, request.DNSNames) {
		differ("DNS names", certificate.DNSNames, request.DNSNames)
	}
	if have, want := addressTexts(certificate.IPAddresses), normalAddresses(request.IPAddresses); !sameSet(have, want) {
		differ("IP addresses", have, want)
	}
	if len(certificate.EmailAddresses) > 0 || len(certificate.URIs) > 0 {
		differences = append(differences, errors.New("it has e-mail or URI names"))
	}
	return errors.Join(differences...)
}

// CheckValidity returns an error when the certificate is not valid at now (wall
// clock), or will not be for at least as long as renewBefore.
func CheckValidity(certificate *x509.Certificate, now time.Time, renewBefore time.Duration) error {
	now = now.Round(0) // compare wall clocks: a monotonic reading does not see a jump
	if now.Before(certificate.NotBefore) {
		return fmt.Errorf("it is valid from %s, which has not come yet", certificate.NotBefore.Format(time.RFC3339))
	}
	if !now.Before(certificate.NotAfter) {
		return fmt.Errorf("it expired at %s", certificate.NotAfter.Format(time.RFC3339))
	}
	if certificate.NotAfter.Sub(now) < renewBefore {
		return fmt.Errorf("it expires at %s, in less than %v", certificate.NotAfter.Format(time.RFC3339), renewBefore)
	}
	return nil
}

// signedBy verifies the signature with the authority's key, not only its name: an
// authority that was replaced usually keeps its name.
func signedBy(authority, certificate *x509.Certificate) error {
	if !bytes.Equal(certificate.RawIssuer, authority.RawSubject) {
		return fmt.Errorf("it was issued by %q instead of %q", certificate.Issuer, authority.Subject)
	}
	if err := certificate.CheckSignatureFrom(authority); err != nil {
		return fmt.Errorf("it was not signed by the present authority %q: %w", authority.Subject, err)
	}
	return nil
}

// sameSet compares without regard to order and repetition.
func sameSet[T comparable](a, b []T) bool {
	contains := func(all, some []T) bool {
		return !slices.ContainsFunc(some, func(item T) bool { return !slices.Contains(all, item) })
	}
	return contains(a, b) && contains(b, a)
}

func addressTexts(addresses []net.IP) []string {
	texts := make([]string, 0, len(addresses))
	for _, address := range addresses {
		texts = append(texts, address.String())
	}
	return texts
}

// normalAddresses writes addresses the way certificates print them, so that
// "::0001" equals "::1". What is no address stays and so never equals.
func normalAddresses(texts []string) []string {
	normal := make([]string, 0, len(texts))
	for _, text := range texts {
		if address := net.ParseIP(text); address != nil {
			text = address.String()
		}
		normal = append(normal, text)
	}
	return normal
}
