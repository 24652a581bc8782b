package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

func emptyBody() io.ReadSeeker { return bytes.NewReader(nil) }

// readLimited reads all of something that must not be longer than limit bytes.
func readLimited(from io.Reader, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return data, err
}

// answers tells whether an API server of this cluster is behind a URL: whoever
// presents a certificate of the cluster's authority. What it answers does not
// matter; an API server that is not ready yet exists all the same.
func (a *Agent) answers(ctx context.Context, server string) error {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(a.config.CACertificate)) {
		return errors.New("caCertificate is no certificate")
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
