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
	"math/big"
	"time"
)

// Authority is a certificate authority that can issue.
type Authority struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// NewAuthority makes a self-signed certificate authority: ECDSA P-256, path length
// 0 (it may issue leafs and no further authority, RFC 5280 section 4.2.1.9), usable
// for signing certificates and revocation lists only. It returns certificate and
// PKCS #8 private key as PEM.
func NewAuthority(commonName string, validity time.Duration) (certPEM, keyPEM []byte, err error) {
	return newAuthority(commonName, validity, time.Now())
}

func newAuthority(commonName string, validity time.Duration, now time.Time) (certPEM, keyPEM []byte, err error) {
	if commonName == "" {
		return nil, nil, errors.New("certificate authority: the common name is empty: give it a name that tells the authorities of one cluster apart")
	}
	if validity <= 0 {
		return nil, nil, fmt.Errorf("certificate authority %q: the validity %v is not positive: give a duration such as 8760h", commonName, validity)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate authority %q: making a key: %w", commonName, err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-Backdate).UTC(),
		NotAfter:              now.Add(validity).UTC(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            0,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate authority %q: signing: %w", commonName, err)
	}
	keyPEM, err = encodeKey(key)
	if err != nil {
		return nil, nil, err
	}
	return encodeCertificate(der), keyPEM, nil
}

// ParseAuthority reads an authority from PEM and refuses what could not issue: a
// certificate that is no authority or may not sign, or a key of another certificate.
func ParseAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	certificate, err := ParseCertificate(certPEM)
	if err != nil {
		return nil, err
	}
	key, err := ParsePrivateKey(keyPEM)
	if err != nil {
		return nil, err
	}
	name := certificate.Subject.CommonName
	if !certificate.BasicConstraintsValid || !certificate.IsCA || certificate.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("certificate %q is not a certificate authority: it needs the basic constraint CA and the usage certificate signing", name)
	}
	if !KeyMatches(certificate, key) {
		return nil, fmt.Errorf("certificate authority %q: the private key belongs to another certificate", name)
	}
	return &Authority{Certificate: certificate, Key: key}, nil
}

// ReadAuthority reads the authority in the files prefix.crt and prefix.key. While
// authorities are rotated the first file holds several certificates; the one that
// signs is the first, as kubeadm has it.
func ReadAuthority(prefix string) (*Authority, error) {
	authority, _, err := ReadSigner(prefix)
	return authority, err
}

// newSerial returns a positive random serial number.
func newSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), serialBits)
	for {
		serial, err := rand.Int(rand.Reader, limit)
		if err != nil {
			return nil, fmt.Errorf("making a serial number: %w", err)
		}
		if serial.Sign() > 0 { // RFC 5280 section 4.1.2.2: never zero
			return serial, nil
		}
	}
}
