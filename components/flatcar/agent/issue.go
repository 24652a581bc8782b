package agent

import (
	"context"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/redoubt-dev/redoubt/components/local/pki"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const (
	// joinValidity is the time that an attempt of kubeadm join may take.
	joinValidity = 30 * time.Minute
	// kubeletValidity is until when the kubelet must have renewed its certificate (M34).
	kubeletValidity = 24 * time.Hour
)

// IssueJoin writes what this control plane joins with, once an API server answers
// at the server's URL: a credential that may ask for this node's certificate and
// read what kubeadm join reads. Its key is the machine's own doing, and gone with
// the file.
func (a *Agent) IssueJoin(ctx context.Context, server, out string) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if server == "" {
		server = a.config.Endpoint
	}
	if err := a.until(ctx, "waiting for an API server", func() error { return a.answers(ctx, server) }); err != nil {
		return err
	}
	return a.issue(server, out, pki.LeafRequest{
		CommonName:    nodeconfig.UserJoin(a.config.Node),
		Organizations: []string{hostconfig.GroupNodeBootstrappers, hostconfig.GroupNodeBootstrapper(a.config.Node)},
		Validity:      joinValidity,
	})
}

// IssueKubelet writes the kubeconfig of this control plane's kubelet.
func (a *Agent) IssueKubelet(server, out string) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if server == "" {
		server = a.config.Endpoint
	}
	return a.issue(server, out, pki.LeafRequest{
		CommonName: "system:node:" + a.config.Node, Organizations: []string{"system:nodes"}, Validity: kubeletValidity,
	})
}

func (a *Agent) issue(server, out string, request pki.LeafRequest) error {
	authority, _, err := pki.ReadSigner(a.authority())
	if err != nil {
		return err
	}
	request.Client = true
	certificate, key, err := pki.IssueAt(authority, request, time.Now())
	if err != nil {
		return err
	}
	text, err := renderKubeconfig(a.config.Cluster, server, a.config.CACertificate, request.CommonName,
		&clientcmdapi.AuthInfo{ClientCertificateData: certificate, ClientKeyData: key})
	if err != nil {
		return err
	}
	if err := writePrivate(out, text); err != nil {
		return err
	}
	a.log.Info("issued", "user", request.CommonName, "file", out, "validity", request.Validity.String())
	return nil
}
