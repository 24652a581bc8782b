// Package pki makes and checks the certificates of a local cluster: certificate
// authorities, the leaf certificates they issue and the service-account signing key.
//
// It works on bytes. It opens no network connection, keeps nothing between calls
// and never logs; the only files it reads are those that ReadAuthority is told to.
//
// Every key is ECDSA P-256: the strength asked for by NIST SP 800-57 beyond 2030,
// issued in microseconds, so that short lifetimes cost nothing.
package pki

import "time"

const (
	// Backdate is how far NotBefore lies before the moment of issue, so that a
	// machine whose clock is a little behind accepts the certificate at once. It is
	// what Kubernetes' own signer uses.
	Backdate = 5 * time.Minute

	// serialBits is the length of serial numbers. RFC 5280 section 4.1.2.2 allows
	// 20 octets; the CA/Browser Forum asks for at least 64 random bits.
	serialBits = 128
)
