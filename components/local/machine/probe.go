package machine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// attemptLimit is how long one attempt of a probe may take.
const attemptLimit = 2 * time.Second

// try makes one attempt: nil means ready.
func (p Probe) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	switch {
	case p.TCP != "":
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", p.TCP)
		if err != nil {
			return err
		}
		return conn.Close()
	case p.HTTPS != "":
		return p.get(ctx)
	default:
		_, err := os.Stat(p.File)
		return err
	}
}

// get asks the URL. Certificates are read each time: they are renewed, and at
// the first attempts they may not be there yet.
func (p Probe) get(ctx context.Context) error {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if p.CAFile != "" {
		pem, err := os.ReadFile(p.CAFile)
		if err != nil {
			return err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("%s holds no certificate", p.CAFile)
		}
	}
	if p.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.HTTPS, nil)
	if err != nil {
		return err
	}
	// No proxy and no kept connection: the question is whether this program
	// answers now.
	transport := &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return fmt.Errorf("%s answers %s: %s", p.HTTPS, response.Status, body)
	}
	return nil
}

// interval is the pause before the next attempt: short at first, because the
// start of a cluster waits for it, and longer for what takes long.
func interval(attempt int) time.Duration {
	return min(50*time.Millisecond+time.Duration(attempt)*5*time.Millisecond, time.Second)
}
