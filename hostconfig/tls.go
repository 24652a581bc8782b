package hostconfig

import "strings"

// tlsMinimum is the oldest TLS that Kubernetes components accept; older
// versions have no AEAD suites at all (CIS 1.2.29, 4.2.12, RFC 8996).
const tlsMinimum = "VersionTLS12"

// tlsMinimumEtcd is the same in etcd's spelling.
const tlsMinimumEtcd = "TLS1.2"

// aeadSuites are the TLS 1.2 suites with forward secrecy and authenticated
// encryption, by Go's names (CIS 1.2.29 and 4.2.12). TLS 1.3 has no others, so
// they need no naming. HTTP/2 demands the AES-128-GCM ones (RFC 9113, 9.2.2).
var aeadSuites = []string{
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

// CipherSuites gives the only TLS 1.2 suites that any component accepts, by the
// names of Go's crypto/tls.
func CipherSuites() []string { return append([]string(nil), aeadSuites...) }

func cipherSuiteList() string { return strings.Join(aeadSuites, ",") }

// curveIDs are the key exchanges of Go's crypto/tls by number: the NIST curves
// P-256, P-384 and P-521, X25519, and the hybrids with ML-KEM that a later
// quantum computer does not open. https://pkg.go.dev/crypto/tls#CurveID
func curveIDs() []string {
	return []string{"23", "24", "25", "29", "4587", "4588", "4589"}
}

const curvesBound = "the numbers of NIST curves, X25519 and their hybrids with ML-KEM"
