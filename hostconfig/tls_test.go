package hostconfig

import (
	"crypto/tls"
	"slices"
	"testing"
)

// TestCipherSuites compares with what Go itself considers secure.
func TestCipherSuites(t *testing.T) {
	secure := map[string]bool{}
	for _, suite := range tls.CipherSuites() {
		secure[suite.Name] = slices.Contains(suite.SupportedVersions, tls.VersionTLS12)
	}
	for _, name := range CipherSuites() {
		if !secure[name] {
			t.Errorf("%s is not a secure suite of TLS 1.2", name)
		}
	}
	CipherSuites()[0] = "changed"
	if CipherSuites()[0] == "changed" {
		t.Error("a caller can change the list")
	}
}
