package fakecloud

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Provider is the cloud that is played.
type Provider string

// Providers.
const (
	AWS Provider = "aws"
	GCP Provider = "gcp"
)

// Options of a cloud.
type Options struct {
	Provider Provider
	// Region is the only one, for example eu-central-1 or europe-west3.
	Region string
	// Account is AWS's account number or GCP's project id.
	Account string
	// Now is the servers' clock; time.Now by default.
	Now func() time.Time
	// HopLimit is the IP time to live of the metadata server's answers: 1 by
	// default, so that they do not pass a router, such as a machine whose pods ask.
	HopLimit int
}

// Cloud is the state of a cloud and its servers. All methods may be called by
// several goroutines at once.
type Cloud struct {
	provider        Provider
	region, account string
	now             func() time.Time
	hopLimit        int

	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	lock      sync.Mutex
	roles     map[string]*role
	buckets   map[string]*bucket
	keys      map[string]*key
	instances map[string]*Instance
	groups    map[string]*group
	sessions  map[string]*session // by access key id or access token
	tokens    map[string]imdsToken
	leaves    map[string]*tls.Certificate
	faults    map[string]Fault
	requests  []Request
	servers   []*http.Server
}

// New makes a cloud without anything in it.
func New(options Options) (*Cloud, error) {
	switch {
	case options.Provider != AWS && options.Provider != GCP:
		return nil, fmt.Errorf("provider %q: write aws or gcp", options.Provider)
	case options.Region == "" || options.Account == "":
		return nil, errors.New("region and account are needed")
	}
	c := &Cloud{
		provider: options.Provider, region: options.Region, account: options.Account, now: options.Now, hopLimit: options.HopLimit,
		roles: map[string]*role{}, buckets: map[string]*bucket{}, keys: map[string]*key{}, instances: map[string]*Instance{},
		groups: map[string]*group{}, sessions: map[string]*session{}, tokens: map[string]imdsToken{},
		leaves: map[string]*tls.Certificate{}, faults: map[string]Fault{},
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.hopLimit == 0 {
		c.hopLimit = 1
	}
	return c, c.makeAuthority()
}

func (c *Cloud) makeAuthority() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "fakecloud"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	c.key = key
	c.authority, err = x509.ParseCertificate(der)
	return err
}

// CA gives the authority of the servers' certificates in PEM.
func (c *Cloud) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.authority.Raw})
}

// certificate makes a certificate for the name that a client asks for.
func (c *Cloud) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hello.ServerName
	if !c.knownHost(name) {
		return nil, fmt.Errorf("no such host: %q", name)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if leaf := c.leaves[name]; leaf != nil {
		return leaf, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.authority, c.key.Public(), c.key)
	if err != nil {
		return nil, err
	}
	c.leaves[name] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: c.key}
	return c.leaves[name], nil
}

// ServeAPI serves the cloud's APIs over TLS until [Cloud.Close]. It returns at once.
func (c *Cloud) ServeAPI(listener net.Listener) {
	c.serve(tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: c.certificate, NextProtos: []string{"http/1.1"},
	}), c.api())
}

// ServeMetadata serves the metadata server of all instances, told apart by the
// address that asks, until [Cloud.Close]. It returns at once.
func (c *Cloud) ServeMetadata(listener net.Listener) {
	c.serveMetadata(listener, func(r *http.Request) *Instance {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return nil
		}
		return c.instanceAt(host)
	})
}

// ServeMetadataOf serves the metadata server of one instance, whoever asks.
func (c *Cloud) ServeMetadataOf(id string, listener net.Listener) {
	c.serveMetadata(listener, func(*http.Request) *Instance { return c.instance(id) })
}

func (c *Cloud) serveMetadata(listener net.Listener, who func(*http.Request) *Instance) {
	handler := c.awsMetadata(who)
	if c.provider == GCP {
		handler = c.gcpMetadata(who)
	}
	c.serve(hopLimited{listener, c.hopLimit}, handler)
}

func (c *Cloud) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(discard{}, "", 0)}
	c.lock.Lock()
	c.servers = append(c.servers, server)
	c.lock.Unlock()
	go func() { _ = server.Serve(listener) }() // ends with Close
}

type discard struct{}

func (discard) Write(data []byte) (int, error) { return len(data), nil }

// Close ends all servers.
func (c *Cloud) Close() {
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, server := range c.servers {
		_ = server.Close() // listeners of tests end either way
	}
	c.servers = nil
}

// Client gives a client whose connections all go to address, for programs that run
// without an /etc/hosts of their own. It trusts the cloud's authority alone.
func (c *Cloud) Client(address string) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(c.authority)
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}}
}

// Hosts are the names of the servers, as they must resolve on a machine. It
// grows with each bucket of AWS.
func (c *Cloud) Hosts() []string {
	if c.provider == GCP {
		return []string{"storage.googleapis.com", "compute.googleapis.com", "cloudkms.googleapis.com"}
	}
	hosts := []string{"kms." + c.region + ".amazonaws.com", "ec2." + c.region + ".amazonaws.com", "autoscaling." + c.region + ".amazonaws.com"}
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, s3 := range c.s3Hosts() {
		hosts = append(hosts, s3)
		for name := range c.buckets {
			hosts = append(hosts, name+"."+s3)
		}
	}
	return hosts
}

func (c *Cloud) s3Hosts() []string {
	return []string{"s3.amazonaws.com", "s3.us-east-1.amazonaws.com", "s3." + c.region + ".amazonaws.com", "s3.dualstack." + c.region + ".amazonaws.com"}
}

func (c *Cloud) knownHost(name string) bool {
	if c.provider == GCP {
		return strings.HasSuffix(name, ".googleapis.com")
	}
	return strings.HasSuffix(name, ".amazonaws.com")
}

// HostsFile gives /etc/hosts of a machine that reaches the servers at address.
func (c *Cloud) HostsFile(address string) string {
	text := "127.0.0.1 localhost\n::1 localhost\n"
	if c.provider == GCP {
		text += "169.254.169.254 metadata.google.internal metadata\n"
	}
	for _, host := range c.Hosts() {
		text += address + " " + host + "\n"
	}
	return text
}

// random gives n random bytes in hexadecimal.
func random(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails (crypto/rand)
	return hex.EncodeToString(data)
}
