package gcp

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/kept"
)

// Outputs of the first stack that the second reads.
const (
	outputCluster   = "clusterName"
	outputEndpoint  = "apiEndpoint"
	outputAuthority = "certificateAuthority"
	outputDisksKey  = "disksKeyId"
	outputNodePools = "nodePoolIds"
	outputProject   = "project"
	outputRegion    = "region"
)

// export gives the outputs of the stack. None is a secret: the kubeconfig asks a
// program of Google's for a token of its user each time.
func (e environment) export(ctx *pulumi.Context, p parts, pools pulumi.StringArray) {
	for name, value := range map[string]pulumi.Input{
		outputProject: pulumi.String(e.Project.ID), outputRegion: pulumi.String(e.Project.Region), outputCluster: p.cluster.Name, "clusterId": p.cluster.ID,
		outputEndpoint: p.cluster.Endpoint, outputAuthority: p.cluster.CertificateAuthority, "kubernetesVersion": p.cluster.KubernetesVersion,
		"oidcIssuer": p.cluster.OidcIssuer, "workloadPool": p.cluster.WorkloadPool, "breakGlassMembers": p.cluster.BreakGlassMembers,
		"networkId": p.network.NetworkID, "nodeServiceAccount": p.roles.NodeEmail, outputDisksKey: p.keys.DisksKeyID, outputNodePools: pools,
		kept.Output: pulumi.ToStringMap(e.standing()), incluster.OutputAPIServers: incluster.APIServers(e.apiServers()...),
		"kubeconfig": pulumi.All(p.cluster.Name, p.cluster.Endpoint, p.cluster.CertificateAuthority).ApplyT(func(of []any) (string, error) {
			return kubeconfig(of[0].(string), of[1].(string), of[2].(string), "")
		}),
	} {
		ctx.Export(name, value)
	}
}

// kubeconfig lets whoever has credentials of Google Cloud into the cluster, with a
// token of an hour. The authority is base64, as GKE gives it; the server name is
// that of the certificate where the endpoint is another, such as a tunnel's.
// https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-access-for-kubectl
func kubeconfig(cluster, endpoint, authority, serverName string) (string, error) {
	return incluster.Kubeconfig(cluster, endpoint, authority, serverName, clientcmdv1.ExecConfig{
		Command: "gke-gcloud-auth-plugin", ProvideClusterInfo: true, InstallHint: "gcloud components install gke-gcloud-auth-plugin"})
}
