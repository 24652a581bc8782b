package local

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// caller is who makes a request, and from where.
type caller struct {
	// from is the machine whose network is used; "" is the host.
	from string
	// certificate is the client's, nil for none.
	certificate *tls.Certificate
	// token is sent as a bearer token when not empty.
	token string
	// header is added as it is.
	header http.Header
}

// reply is what came back.
type reply struct {
	status int
	body   string
	// certificate is the server's, verified against the cluster's authority.
	certificate *x509.Certificate
}

// authorityPool holds one of the cluster's authorities: "ca" or "etcd-ca".
func (c *Cluster) authorityPool(name string) (*x509.CertPool, error) {
	data, err := os.ReadFile(c.authority(name) + ".crt")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s.crt holds no certificate", name)
	}
	return pool, nil
}

// do makes one request over a connection of its own. The server's certificate
// must chain to the cluster's authority, so no check passes by talking to
// somebody else.
func (c *Cluster) do(ctx context.Context, who caller, method, url string, body []byte) (reply, error) {
	pool, err := c.authorityPool("ca")
	if err != nil {
		return reply{}, err
	}
	return c.doWith(ctx, who, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, method, url, body)
}

// askController gets a path of a controller. Where controllers make their serving
// certificate themselves, the machine's own loopback interface tells who answers.
func (c *Cluster) askController(ctx context.Context, who caller, url string) (reply, error) {
	if !c.selfSigned(controllerManager) {
		return c.do(ctx, who, http.MethodGet, url, nil)
	}
	return c.doWith(ctx, who, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, http.MethodGet, url, nil)
}

func (c *Cluster) doWith(ctx context.Context, who caller, config *tls.Config, method, url string, body []byte) (reply, error) {
	if who.certificate != nil {
		// GetClientCertificate and not Certificates: a certificate whose issuer
		// the server does not name is sent all the same, as an attacker would.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return who.certificate, nil }
	}
	transport := &http.Transport{DialContext: c.DialFrom(who.from), TLSClientConfig: config, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	for name, values := range who.header {
		request.Header[name] = values
	}
	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token)
	}
	if len(body) > 0 && request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	result := reply{status: response.StatusCode, body: string(text)}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		result.certificate = response.TLS.PeerCertificates[0]
	}
	return result, err
}
