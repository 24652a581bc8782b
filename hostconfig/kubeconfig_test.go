package hostconfig

import (
	"os"
	"testing"

	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
)

func TestAdminKubeconfig(t *testing.T) {
	ca, err := os.ReadFile("testdata/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	file, err := AdminKubeconfig("/srv/kubeconfig", "local", "https://10.83.0.2:6443", string(ca), "/srv/admin/client.crt", "/srv/admin/client.key")
	if err != nil {
		t.Fatal(err)
	}
	var configuration clientcmdv1.Config
	decode(t, file.Contents, &configuration)
	auth := configuration.AuthInfos[0].AuthInfo
	if file.Mode != 0o600 || file.Secret || auth.ClientCertificate != "/srv/admin/client.crt" || auth.ClientKey != "/srv/admin/client.key" || len(auth.ClientKeyData) > 0 {
		t.Errorf("%+v", file)
	}
	cluster := configuration.Clusters[0].Cluster
	if string(cluster.CertificateAuthorityData) != string(ca) || cluster.InsecureSkipTLSVerify {
		t.Errorf("%+v", cluster)
	}
	for field, arguments := range map[string][4]string{
		"server":        {"http://10.83.0.2:6443", string(ca), "/a", "/b"},
		"caCertificate": {"https://10.83.0.2:6443", "x", "/a", "/b"},
		"certificate":   {"https://10.83.0.2:6443", string(ca), "a", "/b"},
		"key":           {"https://10.83.0.2:6443", string(ca), "/a", "b"},
	} {
		_, err := AdminKubeconfig("/srv/kubeconfig", "local", arguments[0], arguments[1], arguments[2], arguments[3])
		refused(t, err, field, "")
	}
}

func TestKubeconfigsOfComponents(t *testing.T) {
	for component, user := range map[string]string{
		"controller-manager": "system:kube-controller-manager", "scheduler": "system:kube-scheduler", "agent": "redoubt:agent",
	} {
		file, err := isolated().kubeconfig(component, user)
		if err != nil {
			t.Fatal(err)
		}
		var configuration clientcmdv1.Config
		decode(t, file.Contents, &configuration)
		cluster := configuration.Clusters[0].Cluster
		if cluster.Server != "https://127.0.0.1:6443" || cluster.InsecureSkipTLSVerify || cluster.CertificateAuthority == "" {
			t.Errorf("%s: %+v", component, cluster)
		}
		// The certificate that it refers to is issued for the same user.
		leaf := leaves(t, isolated())[component]
		if leaf.CommonName != user || leaf.CertFile != configuration.AuthInfos[0].AuthInfo.ClientCertificate {
			t.Errorf("%s: %+v", component, leaf)
		}
	}
}
