package incluster

import (
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// Kubeconfig reaches a cluster with a token that a program of the cloud gives its
// user when it is needed: it holds no secret. The authority is base64, as clouds
// give it; the server name is that of the certificate where the endpoint is
// another, such as a tunnel's.
func Kubeconfig(cluster, endpoint, authority, serverName string, token clientcmdv1.ExecConfig) (string, error) {
	server := map[string]any{"server": endpoint, "certificate-authority-data": authority}
	if serverName != "" {
		server["tls-server-name"] = serverName
	}
	token.APIVersion = "client.authentication.k8s.io/v1beta1" // what the programs of both clouds answer with
	token.InteractiveMode = clientcmdv1.NeverExecInteractiveMode
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": cluster,
		"clusters": []any{map[string]any{"name": cluster, "cluster": server}},
		"contexts": []any{clientcmdv1.NamedContext{Name: cluster, Context: clientcmdv1.Context{Cluster: cluster, AuthInfo: cluster}}},
		"users":    []any{clientcmdv1.NamedAuthInfo{Name: cluster, AuthInfo: clientcmdv1.AuthInfo{Exec: &token}}},
	})
	return string(text), err
}
