package aws

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/kept"
)

// Outputs of the first stack that the second reads.
const (
	outputAccount     = "account"
	outputRegion      = "region"
	outputCluster     = "clusterName"
	outputEndpoint    = "apiEndpoint"
	outputAuthority   = "certificateAuthority"
	outputVersion     = "kubernetesVersion"
	outputNetworkCIDR = "networkCIDR"
	outputServiceCIDR = "serviceCIDR"
	outputVolumesRole = "volumesRoleArn"
	outputVolumesKey  = "volumesKeyArn"
	outputNodePools   = "nodePoolArns"
	outputTags        = "tags"
)

// export gives the outputs of the stack. None is a secret: the kubeconfig asks
// the CLI of AWS for a token of its user each time.
func (e environment) export(ctx *pulumi.Context, p parts, pools pulumi.StringArray) {
	for name, value := range map[string]pulumi.Input{
		outputAccount: pulumi.String(e.Account.ID), outputRegion: pulumi.String(e.Account.Region),
		outputCluster: p.cluster.Name, "clusterArn": p.cluster.Arn, outputEndpoint: p.cluster.Endpoint, outputAuthority: p.cluster.CertificateAuthority,
		outputVersion: p.cluster.KubernetesVersion, "oidcIssuer": p.cluster.OidcIssuer, "oidcProviderArn": p.cluster.OidcProviderArn,
		"breakGlassArns": p.cluster.BreakGlassArns, "vpcId": p.network.VpcID, outputNetworkCIDR: pulumi.String(e.Network.CIDR),
		outputServiceCIDR: pulumi.String(e.Network.ServiceCIDR), "nodeRoleArn": p.roles.NodeRoleArn, outputVolumesRole: p.roles.VolumesRoleArn,
		outputVolumesKey: p.keys.VolumesKeyArn, outputNodePools: pools, kept.Output: pulumi.ToStringMap(e.standing()), outputTags: pulumi.ToStringMap(e.Tags),
		"kubeconfig": pulumi.All(p.cluster.Name, p.cluster.Endpoint, p.cluster.CertificateAuthority).ApplyT(func(of []any) (string, error) {
			return kubeconfig(of[0].(string), of[1].(string), of[2].(string), e.Account.Region, "")
		}),
	} {
		ctx.Export(name, value)
	}
}

// kubeconfig lets whoever has credentials of AWS, or of a role that they take,
// into the cluster: with a token of a quarter of an hour, made when it is needed.
// The authority is base64, as EKS gives it.
// https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
func kubeconfig(cluster, endpoint, authority, region, role string) (string, error) {
	arguments := []string{"eks", "get-token", "--cluster-name", cluster, "--region", region, "--output", "json"}
	if role != "" {
		arguments = append(arguments, "--role-arn", role)
	}
	return incluster.Kubeconfig(cluster, endpoint, authority, "", clientcmdv1.ExecConfig{Command: "aws", Args: arguments, InstallHint: "install the AWS CLI, version 2"})
}
