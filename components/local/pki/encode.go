package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	certificateBlock = "CERTIFICATE"
	privateKeyBlock  = "PRIVATE KEY" // PKCS #8
	publicKeyBlock   = "PUBLIC KEY"  // PKIX
)

// NewServiceAccountKey makes the ECDSA P-256 key that signs service-account tokens
// (ES256, RFC 7518 section 3.4) and returns it with its public half as PEM: the
// former for --service-account-signing-key-file and the controller-manager, the
// latter for --service-account-key-file.
func NewServiceAccountKey() (privatePEM, publicPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a service-account key: %w", err)
	}
	if privatePEM, err = encodeKey(key); err != nil {
		return nil, nil, err
	}
	if publicPEM, err = PublicKeyPEM(key); err != nil {
		return nil, nil, err
	}
	return privatePEM, publicPEM, nil
}

// PublicKeyPEM returns the public half of a key.
func PublicKeyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der}), nil
}

// ParseCertificate reads exactly one PEM certificate and nothing beside it: a second
// one would be trusted by some readers and overlooked by others.
func ParseCertificate(data []byte) (*x509.Certificate, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if block.Type != certificateBlock {
		return nil, fmt.Errorf("certificate: the PEM block is a %q instead of a %q", block.Type, certificateBlock)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return certificate, nil
}

// ParsePrivateKey reads exactly one PEM private key: PKCS #8, SEC 1 or PKCS #1, so
// that keys made by other programs are accepted. Its errors never quote the key.
func ParsePrivateKey(data []byte) (crypto.Signer, error) {
	block, err := onlyBlock(data)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	var key any
	switch block.Type {
	case privateKeyBlock:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("private key: the PEM block is a %q instead of a %q", block.Type, privateKeyBlock)
	}
	if err != nil {
		return nil, errors.New("private key: it cannot be parsed")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key: a %T cannot sign", key)
	}
	return signer, nil
}

// KeyMatches tells whether the key belongs to the certificate.
func KeyMatches(certificate *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(certificate.PublicKey)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateKeyBlock, Bytes: der}), nil
}

func onlyBlock(data []byte) (*pem.Block, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, errors.New("no PEM block found")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something follows the first PEM block: expected exactly one")
	}
	return block, nil
}
