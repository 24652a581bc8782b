package hostconfig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a certificate authority for one test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, path, name string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	a := authority{key: newKey(t, path+".key")}
	a.certificate = a.sign(t, template, template, a.key, path+".crt")
	return a
}

func newKey(t *testing.T, path string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, path, "EC PRIVATE KEY", der, 0o600)
	return key
}

func (a authority) sign(t *testing.T, template, parent *x509.Certificate, subject *ecdsa.PrivateKey, path string) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &subject.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, path, "CERTIFICATE", der, 0o644)
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// issue makes exactly what a LeafCertificate asks for.
func (a authority) issue(t *testing.T, leaf LeafCertificate) {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organizations},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		DNSNames: leaf.DNSNames, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for _, address := range leaf.IPAddresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	if leaf.Server {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if leaf.Client {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	a.sign(t, template, a.certificate, newKey(t, leaf.KeyFile), leaf.CertFile)
}

func writePEM(t *testing.T, path, kind string, der []byte, mode os.FileMode) {
	t.Helper()
	writeFile(t, path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

func writeFile(t *testing.T, path string, contents []byte, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, contents, mode); err != nil {
		t.Fatal(err)
	}
}

// providePKI writes everything that ControlPlane.Authorities asks for, and every
// leaf certificate. It gives the cluster's authority.
func providePKI(t *testing.T, c ControlPlane) authority {
	t.Helper()
	files := c.Authorities()
	issuers := map[string]authority{}
	for _, path := range []string{files.Cluster, files.Etcd, files.FrontProxy} {
		issuers[path] = newAuthority(t, path, filepath.Base(path))
	}
	etcdCA, err := os.ReadFile(files.Etcd + ".crt")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, files.EtcdForAPIServer, etcdCA, 0o644)
	serviceAccount := newKey(t, files.ServiceAccountKey)
	public, err := x509.MarshalPKIXPublicKey(&serviceAccount.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, files.ServiceAccountPublicKey, "PUBLIC KEY", public, 0o644)
	for _, leaf := range c.LeafCertificates() {
		issuer, known := issuers[leaf.CA]
		if !known {
			t.Fatalf("%s names an authority %s that Authorities does not ask for", leaf.Name, leaf.CA)
		}
		issuer.issue(t, leaf)
	}
	return issuers[files.Cluster]
}
