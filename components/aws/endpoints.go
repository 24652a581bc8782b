package aws

// endpoint is a service that machines of the network call, and who needs it.
type endpoint struct {
	Service string
	Reason  string
}

// nodeEndpoints are what a Bottlerocket node and the add-ons call. A network with no way out needs every one of them
// (bottlerocket-os/bottlerocket#2535, #3064), eks-auth included, without which Pod Identity fails.
var nodeEndpoints = []endpoint{
	{"ec2", "nodes ask for their own network settings, and the network agent for addresses"},
	{"ecr.api", "nodes ask for a token to pull images with"},
	{"ecr.dkr", "nodes pull the manifests of images"},
	{"eks", "nodes ask for the cluster's settings while they boot"},
	{"eks-auth", "pods get their roles' credentials through Pod Identity"},
	{"kms", "the CSI driver asks for keys of volumes"},
	{"logs", "agents send logs"},
	{"sts", "nodes and pods assume roles"},
}

// optionalEndpoints may be asked for by name.
var optionalEndpoints = []endpoint{
	{"autoscaling", "the cluster autoscaler changes the sizes of groups"},
	{"ec2messages", "Systems Manager carries commands"},
	{"elasticloadbalancing", "the load-balancer controller makes load balancers"},
	{"guardduty-data", "the GuardDuty agent reports what it sees"},
	{"monitoring", "agents send metrics"},
	{"ssm", "Systems Manager knows the node"},
	{"ssmmessages", "Systems Manager opens sessions"},
	{"xray", "applications send traces"},
}

// endpointPolicy lets only principals of the account use an endpoint: a stolen credential of another account cannot
// carry data out through it (M06).
func endpointPolicy(service, region, account string) string {
	ours := statement{"Sid": "OwnPrincipals", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
		"Condition": map[string]any{"StringEquals": map[string]any{"aws:PrincipalAccount": account}}}
	switch service {
	case "s3":
		// Layers of images lie in a bucket of ECR's, and are read with addresses that ECR signed:
		// https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
		layers := statement{"Sid": "ImageLayers", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
			"Resource": "arn:aws:s3:::prod-" + region + "-starport-layer-bucket/*"}
		own := statement{"Sid": "OwnBuckets", "Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*",
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:PrincipalAccount": account, "aws:ResourceAccount": account}}}
		return document(layers, own)
	case "sts":
		// Whoever assumes a role with a web identity is nobody yet: the role decides.
		return document(ours, statement{"Sid": "OwnRoles", "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity",
			"Resource": "arn:aws:iam::" + account + ":role/*"})
	}
	return document(ours)
}
