package agent

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// heading begins a join configuration. It stands outside the kubeconfig, which has
// no place for an end.
const heading = "# Join configuration of Redoubt, good until "

// token is the form of a bootstrap token.
var token = regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// renderKubeconfig writes a kubeconfig with one credential, for kubeadm's
// discovery file or for the kubelet.
func renderKubeconfig(cluster, server, ca string, user string, auth *clientcmdapi.AuthInfo) ([]byte, error) {
	config := clientcmdapi.NewConfig()
	config.Clusters[cluster] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: []byte(ca)}
	config.AuthInfos[user] = auth
	config.Contexts[cluster] = &clientcmdapi.Context{Cluster: cluster, AuthInfo: user}
	config.CurrentContext = cluster
	return clientcmd.Write(*config)
}

// renderJoinConfig writes what the machines of a pool join with.
func renderJoinConfig(config nodeconfig.Config, secret string, expires time.Time) ([]byte, error) {
	text, err := renderKubeconfig(config.Cluster, config.Endpoint, config.CACertificate, "joiner", &clientcmdapi.AuthInfo{Token: secret})
	if err != nil {
		return nil, err
	}
	return append([]byte(heading+expires.UTC().Format(time.RFC3339)+"\n"), text...), nil
}

// parseJoinConfig gives the token of a join configuration and its end. It refuses
// one that leads elsewhere than to this cluster, holds another kind of credential,
// or ends before margin has passed. The store is trusted with the token and with
// nothing else.
func parseJoinConfig(config nodeconfig.Config, data []byte, now time.Time, margin time.Duration) (secret string, expires time.Time, err error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	end, found := bytes.CutPrefix(line, []byte(heading))
	expires, err = time.Parse(time.RFC3339, string(end))
	if !found || err != nil {
		return "", expires, errors.New("the join configuration does not say how long it is good")
	}
	loaded, err := clientcmd.Load(data)
	if err != nil {
		return "", expires, fmt.Errorf("the join configuration: %w", err)
	}
	context := loaded.Contexts[loaded.CurrentContext]
	if len(loaded.Clusters) != 1 || len(loaded.AuthInfos) != 1 || context == nil ||
		loaded.Clusters[context.Cluster] == nil || loaded.AuthInfos[context.AuthInfo] == nil {
		return "", expires, errors.New("the join configuration has not exactly one cluster and one credential")
	}
	cluster, auth := loaded.Clusters[context.Cluster], loaded.AuthInfos[context.AuthInfo]
	var faults []error
	if cluster.Server != config.Endpoint {
		faults = append(faults, fmt.Errorf("the join configuration leads to %q instead of %q", cluster.Server, config.Endpoint))
	}
	if !shareCertificate(cluster.CertificateAuthorityData, []byte(config.CACertificate)) || cluster.CertificateAuthority != "" {
		faults = append(faults, errors.New("the join configuration has another authority than the cluster's"))
	}
	if cluster.InsecureSkipTLSVerify || cluster.ProxyURL != "" || cluster.TLSServerName != "" {
		faults = append(faults, errors.New("the join configuration changes how the server is verified or reached"))
	}
	if !token.MatchString(auth.Token) || auth.Exec != nil || auth.AuthProvider != nil || auth.TokenFile != "" {
		faults = append(faults, errors.New("the join configuration has another credential than a bootstrap token"))
	}
	if now.Add(margin).After(expires) {
		faults = append(faults, fmt.Errorf("the join configuration is good until %s only: is the control plane's redoubt-join-config.timer running?", expires.Format(time.RFC3339)))
	}
	return auth.Token, expires, errors.Join(faults...)
}

// shareCertificate tells whether two bundles have an authority in common: while
// one is replaced, a machine may know only the old one and the cluster both.
func shareCertificate(a, b []byte) bool {
	some, err := pki.ParseBundle(a)
	if err != nil {
		return false
	}
	own, err := pki.ParseBundle(b)
	return err == nil && slices.ContainsFunc(some, func(c *x509.Certificate) bool {
		return slices.ContainsFunc(own, c.Equal)
	})
}
