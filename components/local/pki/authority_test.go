package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// epoch is the moment at which these tests issue.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testAuthority(t *testing.T, commonName string, validity time.Duration) (authority *Authority, certPEM, keyPEM []byte) {
	t.Helper()
	certPEM, keyPEM, err := newAuthority(commonName, validity, epoch)
	if err != nil {
		t.Fatal(err)
	}
	authority, err = ParseAuthority(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return authority, certPEM, keyPEM
}

func TestAuthorityMaySignLeafsAndNothingElse(t *testing.T) {
	authority, _, _ := testAuthority(t, "cluster", 24*time.Hour)
	c := authority.Certificate
	if !c.IsCA || !c.BasicConstraintsValid || c.MaxPathLen != 0 || !c.MaxPathLenZero {
		t.Errorf("basic constraints: CA %v, path length %d (zero is meant: %v)", c.IsCA, c.MaxPathLen, c.MaxPathLenZero)
	}
	if want := x509.KeyUsageCertSign | x509.KeyUsageCRLSign; c.KeyUsage != want {
		t.Errorf("key usage %b, want %b", c.KeyUsage, want)
	}
	if len(c.ExtKeyUsage) != 0 {
		t.Errorf("extended key usages %v, want none", c.ExtKeyUsage)
	}
	if key, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("public key is %T, want ECDSA P-256", c.PublicKey)
	}
	if !c.NotBefore.Equal(epoch.Add(-5*time.Minute)) || !c.NotAfter.Equal(epoch.Add(24*time.Hour)) {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	if len(c.SubjectKeyId) == 0 {
		t.Error("no subject key id: chains of authorities of one name could not be told apart")
	}
}

func TestSerialNumbersAreRandomAndLong(t *testing.T) {
	seen, longest := map[string]bool{}, 0
	for range 64 {
		serial, err := newSerial()
		if err != nil {
			t.Fatal(err)
		}
		if serial.Sign() <= 0 || serial.BitLen() > 128 || seen[serial.String()] {
			t.Fatalf("serial %v: not positive, longer than 128 bits or seen before", serial)
		}
		seen[serial.String()] = true
		longest = max(longest, serial.BitLen())
	}
	if longest < 120 {
		t.Errorf("the longest of 64 serials has %d bits, want 128-bit randomness", longest)
	}
}

func TestParseAuthorityRefuses(t *testing.T) {
	authority, certPEM, keyPEM := testAuthority(t, "cluster", time.Hour)
	_, otherCert, otherKey := testAuthority(t, "cluster", time.Hour)
	leafCert, leafKey, err := IssueAt(authority, LeafRequest{CommonName: "x", Client: true, Validity: time.Hour}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cert, key []byte
		want      string
	}{
		"key of another authority":     {certPEM, otherKey, "belongs to another certificate"},
		"a leaf in place of authority": {leafCert, leafKey, "not a certificate authority"},
		"two certificates in one file": {append(append([]byte{}, certPEM...), otherCert...), keyPEM, "something follows"},
		"key in place of certificate":  {keyPEM, keyPEM, `is a "PRIVATE KEY"`},
		"certificate in place of key":  {certPEM, certPEM, `is a "CERTIFICATE"`},
		"nothing":                      {nil, keyPEM, "no PEM block"},
		"a damaged key":                {certPEM, []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"), "cannot be parsed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAuthority(test.cert, test.key)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

func TestNewAuthorityRefuses(t *testing.T) {
	if _, _, err := NewAuthority("", time.Hour); err == nil {
		t.Error("accepted an empty common name")
	}
	if _, _, err := NewAuthority("x", 0); err == nil {
		t.Error("accepted a validity of zero")
	}
}

func TestServiceAccountKeyHalvesBelongTogether(t *testing.T) {
	private, public, err := NewServiceAccountKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := PublicKeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	if string(derived) != string(public) || !strings.HasPrefix(string(public), "-----BEGIN PUBLIC KEY-----") {
		t.Errorf("public half\n%sis not that of the private key\n%s", public, derived)
	}
}

// TestReadAuthorityInRotation: of several certificates the first one signs; the key
// must be its own, and nothing but certificates may stand beside it.
func TestReadAuthorityInRotation(t *testing.T) {
	old, oldCert, oldKey := testAuthority(t, "old", 24*time.Hour)
	_, nextCert, nextKey := testAuthority(t, "next", 24*time.Hour)
	for name, each := range map[string]struct {
		crt, key []byte
		accepted bool
	}{
		"next one trusted":         {append(bytes.Clone(oldCert), nextCert...), oldKey, true},
		"the key is the other's":   {append(bytes.Clone(oldCert), nextCert...), nextKey, false},
		"a key beside it":          {append(bytes.Clone(oldCert), nextKey...), oldKey, false},
		"something else beside it": {append(bytes.Clone(oldCert), "x"...), oldKey, false},
	} {
		prefix := filepath.Join(t.TempDir(), "ca")
		for suffix, contents := range map[string][]byte{".crt": each.crt, ".key": each.key} {
			if err := os.WriteFile(prefix+suffix, contents, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		read, err := ReadAuthority(prefix)
		if (err == nil) != each.accepted || err == nil && !read.Certificate.Equal(old.Certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
