package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"time"
)

// LeafRequest says what a leaf certificate must be.
type LeafRequest struct {
	CommonName    string
	Organizations []string // Kubernetes reads these as groups
	DNSNames      []string
	IPAddresses   []string // without prefix length
	Server        bool     // extended usage server authentication; needs a name or address
	Client        bool     // extended usage client authentication
	Validity      time.Duration
}

// Issue makes a new ECDSA P-256 key and a certificate for it, as of the clock of
// this machine. See IssueAt.
func Issue(authority *Authority, request LeafRequest) (certPEM, keyPEM []byte, err error) {
	return IssueAt(authority, request, time.Now())
}

// IssueAt makes a new ECDSA P-256 key and a certificate for it as of the given
// moment. NotBefore lies Backdate earlier; NotAfter is never later than the
// authority's own, since nobody would accept the rest. The only key usage is
// digital signature: with ECDSA nothing is ever encrypted to the key.
func IssueAt(authority *Authority, request LeafRequest, now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %q: making a key: %w", request.CommonName, err)
	}
	if certPEM, err = SignAt(authority, request, key.Public(), now); err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return certPEM, keyPEM, err
}

// SignAt makes a certificate for a key that somebody else holds, otherwise as
// IssueAt does. That they hold it, and who they are, the caller has checked.
func SignAt(authority *Authority, request LeafRequest, key crypto.PublicKey, now time.Time) (certPEM []byte, err error) {
	addresses, err := request.check()
	if err != nil {
		return nil, err
	}
	if !now.Before(authority.Certificate.NotAfter) {
		return nil, fmt.Errorf("certificate %q: the authority %q expired at %s: replace the authority",
			request.CommonName, authority.Certificate.Subject.CommonName, authority.Certificate.NotAfter.Format(time.RFC3339))
	}
	notAfter := now.Add(request.Validity).UTC()
	if notAfter.After(authority.Certificate.NotAfter) {
		notAfter = authority.Certificate.NotAfter
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: request.CommonName, Organization: request.Organizations},
		NotBefore:             now.Add(-Backdate).UTC(),
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           request.extendedUsages(),
		BasicConstraintsValid: true,
		DNSNames:              request.DNSNames,
		IPAddresses:           addresses,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Certificate, key, authority.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %q: signing: %w", request.CommonName, err)
	}
	return encodeCertificate(der), nil
}

// check reports every fault of the request at once and returns its addresses.
func (r LeafRequest) check() ([]net.IP, error) {
	var faults []error
	fault := func(format string, arguments ...any) {
		faults = append(faults, fmt.Errorf("certificate %q: "+format, append([]any{r.CommonName}, arguments...)...))
	}
	if r.CommonName == "" {
		fault("the common name is empty: it is the user name that Kubernetes sees")
	}
	if r.Validity <= 0 {
		fault("the validity %v is not positive: give a duration such as 24h", r.Validity)
	}
	if !r.Server && !r.Client {
		fault("neither server nor client: choose at least one usage")
	}
	if r.Server && len(r.DNSNames) == 0 && len(r.IPAddresses) == 0 {
		fault("a server certificate without names and addresses verifies nowhere: give at least one")
	}
	for _, name := range r.DNSNames {
		if name == "" {
			fault("an empty DNS name")
		}
	}
	var addresses []net.IP
	for _, text := range r.IPAddresses {
		address := net.ParseIP(text)
		if address == nil {
			fault("%q is not an IP address: write it without prefix length", text)
			continue
		}
		addresses = append(addresses, address)
	}
	return addresses, errors.Join(faults...)
}

func (r LeafRequest) extendedUsages() []x509.ExtKeyUsage {
	var usages []x509.ExtKeyUsage
	if r.Server {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		usages = append(usages, x509.ExtKeyUsageClientAuth)
	}
	return usages
}
