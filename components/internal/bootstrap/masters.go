package bootstrap

import (
	"crypto/tls"
	"net/http"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

const (
	// mastersUser is what the audit log shows for what the agent does with all rights.
	mastersUser = "redoubt:agent:bootstrap"
	// mastersGroup passes every authorizer: it is needed once, before any RBAC
	// object exists, and again when somebody removed them.
	mastersGroup = "system:masters"
	// mastersValidity is the least that bears clocks ten minutes apart; each pass
	// mints its own certificate and forgets it.
	mastersValidity = 10 * time.Minute
	// requestTimeout bounds each request, so that a hanging API server delays a
	// pass and does not stop it for good.
	requestTimeout = 15 * time.Second
	// clientQPS bounds the requests of a second: a pass over all objects or nodes
	// of a large cluster is made in seconds, and the API server notices little.
	clientQPS = 50
)

// WithMasters calls do with a client that has all rights, by means of a certificate
// minted for this call and kept in memory only. Its connections end with the call.
// The server is the API server's https URL, the authority the path of the cluster's
// without its suffix.
func WithMasters(server, authorityPath string, now time.Time, do func(dynamic.Interface) error) error {
	config, client, err := Client(server, authorityPath, pki.LeafRequest{
		CommonName: mastersUser, Organizations: []string{mastersGroup}, Validity: mastersValidity,
	}, now)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	dynamicClient, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return err
	}
	return do(dynamicClient)
}

// Client makes a client for an identity by a certificate that is minted for it and
// kept in memory only. The caller closes its idle connections.
func Client(server, authorityPath string, identity pki.LeafRequest, now time.Time) (*rest.Config, *http.Client, error) {
	authority, trusted, err := pki.ReadSigner(authorityPath)
	if err != nil {
		return nil, nil, err
	}
	identity.Client = true
	certPEM, keyPEM, err := pki.IssueAt(authority, identity, now)
	if err != nil {
		return nil, nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, nil, err
	}
	// A transport of our own: client-go caches one for each certificate it ever
	// saw, which would keep every minted key in memory.
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			RootCAs:      trusted,
			Certificates: []tls.Certificate{pair},
		},
		ForceAttemptHTTP2:   true,
		TLSHandshakeTimeout: requestTimeout,
	}
	return &rest.Config{Host: server, UserAgent: "redoubt-agent", QPS: clientQPS, Burst: 2 * clientQPS}, &http.Client{Transport: transport, Timeout: requestTimeout}, nil
}
