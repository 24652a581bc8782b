package pki

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestReadSigner has two authorities in a file: the first signs, both are trusted.
func TestReadSigner(t *testing.T) {
	_, next, nextKey := testAuthority(t, "next", time.Hour)
	_, old, oldKey := testAuthority(t, "old", time.Hour)
	prefix := filepath.Join(t.TempDir(), "ca")
	write := func(certificates, key []byte) {
		for path, data := range map[string][]byte{prefix + ".crt": certificates, prefix + ".key": key} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	both := bytes.Join([][]byte{next, old}, nil)
	write(both, nextKey)
	authority, trusted, err := ReadSigner(prefix)
	if err != nil || authority.Certificate.Subject.CommonName != "next" {
		t.Fatalf("%v, %v", authority, err)
	}
	previous, err := ParseAuthority(old, oldKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, signer := range []*Authority{authority, previous} {
		leaf := issue(t, signer, serverRequest())
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: trusted, CurrentTime: epoch}); err != nil {
			t.Errorf("what %s issued: %v", signer.Certificate.Subject.CommonName, err)
		}
	}
	for name, files := range map[string][2][]byte{
		"the key of the second": {both, oldKey}, "a key among certificates": {append(bytes.Clone(both), oldKey...), nextKey},
		"text between": {bytes.Join([][]byte{next, []byte("x\n"), old}, nil), nextKey}, "nothing": {nil, nextKey},
	} {
		write(files[0], files[1])
		if _, _, err := ReadSigner(prefix); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
