// Package gcp provisions the parts of a hardened Kubernetes environment on
// Google Cloud, as Pulumi components that stand alone in any stack: a private
// network, keys, logs and firewall rules, and on them a GKE cluster with its
// service accounts, its node pools on Container-Optimized OS, a policy of images,
// a registry, alarms and a way in for operators.
//
// What shapes the graph is a plain value: the project, its number and the region
// are settings and not lookups, so that a preview asks Google nothing. What other
// resources give is an input.
//
// Each component checks its arguments, all at once, before it registers
// anything. What would weaken a control is refused unless an exception names
// the control, a reason and an expiry. What the provider cannot say is in
// [Limits].
package gcp

// Type tokens of the platform.
const (
	networkToken  = "redoubt:gcp:Network"
	keysToken     = "redoubt:gcp:Keys"
	logsToken     = "redoubt:gcp:Logs"
	firewallToken = "redoubt:gcp:Firewall"

	rolesToken          = "redoubt:gcp:Roles"
	imagePolicyToken    = "redoubt:gcp:ImagePolicy"
	gkeClusterToken     = "redoubt:gcp:GkeCluster"
	nodePoolToken       = "redoubt:gcp:NodePool"
	iapAccessToken      = "redoubt:gcp:IapAccess"
	cloudVpnToken       = "redoubt:gcp:CloudVpn"
	detectionToken      = "redoubt:gcp:Detection"
	registryToken       = "redoubt:gcp:ArtifactRegistry"
	flatcarRolesToken   = "redoubt:gcp:FlatcarRoles"
	flatcarClusterToken = "redoubt:gcp:FlatcarCluster"
	orgPolicyToken      = "redoubt:gcp:OrgPolicy"
)
