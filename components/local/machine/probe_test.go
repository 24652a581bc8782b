package machine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate makes a certificate that signs itself and serves 127.0.0.1.
func certificate(t *testing.T, dir, name string) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for path, data := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err = tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, pair
}

func TestProbeHTTPS(t *testing.T) {
	dir := t.TempDir()
	serverCA, _, serverPair := certificate(t, dir, "server")
	clientCert, clientKey, clientPair := certificate(t, dir, "client")
	otherCA, _, _ := certificate(t, dir, "other")
	clients := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(clientPair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	clients.AddCert(leaf)
	answer := http.StatusOK
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer)
		_, _ = w.Write([]byte("etcd not ready"))
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{serverPair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	server.Config.ErrorLog = newLogger(&strings.Builder{}, "")
	server.StartTLS()
	defer server.Close()

	good := Probe{HTTPS: server.URL, CAFile: serverCA, CertFile: clientCert, KeyFile: clientKey}
	if err := good.try(t.Context()); err != nil {
		t.Errorf("a server that is ready: %v", err)
	}
	bad := good
	bad.CAFile = otherCA
	if err := bad.try(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server of another authority: %v", err)
	}
	bad = good
	bad.CertFile, bad.KeyFile = "", ""
	if err := bad.try(t.Context()); err == nil {
		t.Error("ready without the client's certificate")
	}
	bad = good
	bad.CAFile = filepath.Join(dir, "not-yet-there")
	if err := bad.try(t.Context()); !os.IsNotExist(err) {
		t.Errorf("without the authority's file: %v", err)
	}
	answer = http.StatusInternalServerError
	if err := good.try(t.Context()); err == nil || !strings.Contains(err.Error(), "500") || !strings.Contains(err.Error(), "etcd not ready") {
		t.Errorf("a server that is not ready: %v", err)
	}
}

func TestProbeTCPAndFile(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	probe := Probe{TCP: listener.Addr().String()}
	if err := probe.try(t.Context()); err != nil {
		t.Errorf("an open port: %v", err)
	}
	listener.Close()
	if err := probe.try(t.Context()); err == nil {
		t.Error("a closed port is ready")
	}
	path := filepath.Join(t.TempDir(), "f")
	probe = Probe{File: path}
	if err := probe.try(t.Context()); err == nil {
		t.Error("an absent file is ready")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := probe.try(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestProbeOfAServerThatHangs must not take longer than an attempt may.
func TestProbeOfAServerThatHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	began := time.Now()
	if err := (Probe{HTTPS: "https://" + listener.Addr().String()}).try(t.Context()); err == nil {
		t.Error("a server that says nothing is ready")
	}
	if took := time.Since(began); took > attemptLimit+time.Second {
		t.Errorf("the attempt took %v", took)
	}
}
