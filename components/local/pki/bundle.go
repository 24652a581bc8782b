package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// ParseBundle reads the certificates of authorities of which the first signs and
// all are trusted: while an authority is replaced there are two. It refuses
// anything else between and behind them.
func ParseBundle(data []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for rest := bytes.TrimSpace(data); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		if !bytes.HasPrefix(rest, []byte("-----BEGIN ")) {
			return nil, errors.New("certificates: something stands between or behind the PEM blocks")
		}
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != certificateBlock {
			return nil, errors.New("certificates: a PEM block is no certificate")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificates: %w", err)
		}
		found = append(found, certificate)
	}
	if len(found) == 0 {
		return nil, errors.New("certificates: there is none")
	}
	return found, nil
}

// ReadSigner reads prefix.crt, which may hold several authorities, and prefix.key,
// the key of the first. It gives the one that signs and all that are trusted.
func ReadSigner(prefix string) (*Authority, *x509.CertPool, error) {
	certificates, err := os.ReadFile(prefix + ".crt")
	if err != nil {
		return nil, nil, fmt.Errorf("reading a certificate authority: %w", err)
	}
	key, err := os.ReadFile(prefix + ".key")
	if err != nil {
		return nil, nil, fmt.Errorf("reading a certificate authority: %w", err)
	}
	found, err := ParseBundle(certificates)
	if err != nil {
		return nil, nil, fmt.Errorf("%s.crt: %w", prefix, err)
	}
	authority, err := ParseAuthority(encodeCertificate(found[0].Raw), key)
	if err != nil {
		return nil, nil, fmt.Errorf("%s.crt, %s.key: %w", prefix, prefix, err)
	}
	trusted := x509.NewCertPool()
	for _, each := range found {
		trusted.AddCert(each)
	}
	return authority, trusted, nil
}
