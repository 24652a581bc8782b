package hostconfig

import (
	"fmt"
	"path"

	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
)

// kubeconfig renders the kubeconfig of a component, whose client certificate in
// [Paths.PKI] has the component's name.
func (c ControlPlane) kubeconfig(component, user string) (File, error) {
	pki := c.Paths.PKI()
	// Files, not data: a renewed certificate is read without a restart, and the
	// kubeconfig itself holds no secret.
	cluster := clientcmdv1.Cluster{Server: c.localEndpoint(), CertificateAuthority: path.Join(pki, "ca.crt")}
	return renderKubeconfig(c.Paths.Kubeconfig(component), c.ClusterName, cluster, user,
		clientcmdv1.AuthInfo{
			ClientCertificate: path.Join(pki, component+".crt"),
			ClientKey:         path.Join(pki, component+".key"),
		})
}

// renderKubeconfig renders a kubeconfig with one cluster, user and context.
func renderKubeconfig(file, name string, cluster clientcmdv1.Cluster, user string, auth clientcmdv1.AuthInfo) (File, error) {
	contents, err := renderYAML(clientcmdv1.Config{
		APIVersion:     "v1",
		Kind:           "Config",
		Clusters:       []clientcmdv1.NamedCluster{{Name: name, Cluster: cluster}},
		AuthInfos:      []clientcmdv1.NamedAuthInfo{{Name: user, AuthInfo: auth}},
		Contexts:       []clientcmdv1.NamedContext{{Name: name, Context: clientcmdv1.Context{Cluster: name, AuthInfo: user}}},
		CurrentContext: name,
	})
	if err != nil {
		return File{}, fmt.Errorf("kubeconfig %s: %w", file, err)
	}
	return File{Path: file, Mode: modePrivate, Contents: contents, Secret: auth.Token != ""}, nil
}

// AdminKubeconfig renders the administrator's kubeconfig. It holds the cluster's
// authority (PEM) and refers to the short-lived certificate and key by absolute
// path: the text stays the same while they are renewed, and holds no secret. The
// server is an https URL.
func AdminKubeconfig(file, clusterName, server, caCertificate, certificate, key string) (File, error) {
	var p problems
	p.httpsURL("server", server)
	p.caCertificate("caCertificate", caCertificate)
	for field, name := range map[string]string{"file": file, "certificate": certificate, "key": key} {
		if !path.IsAbs(name) {
			p.add(field, quote(name)+" is not absolute", "write an absolute path: the file is used from any directory")
		}
	}
	if err := p.join(); err != nil {
		return File{}, err
	}
	cluster := clientcmdv1.Cluster{Server: server, CertificateAuthorityData: []byte(caCertificate)}
	return renderKubeconfig(file, clusterName, cluster, UserAdmin,
		clientcmdv1.AuthInfo{ClientCertificate: certificate, ClientKey: key})
}
