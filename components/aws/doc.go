// Package aws provisions the parts of a hardened Kubernetes environment on AWS,
// as Pulumi components that stand alone in any stack: a private network, keys,
// logs and security groups, and on them an EKS cluster with its roles, its node
// pools on Bottlerocket, add-ons, a registry and a way in for operators.
//
// What shapes the graph, and what policies are made of, is a plain value: the
// account and the region are settings and not lookups, so that a preview shows
// every policy as it will be and asks AWS nothing. What other resources give is
// an input.
//
// Each component checks its arguments, all at once, before it registers
// anything. What would weaken a control is refused unless an exception names
// the control, a reason and an expiry.
package aws

// Type tokens of the platform.
const (
	networkToken  = "redoubt:aws:Network"
	keysToken     = "redoubt:aws:Keys"
	logsToken     = "redoubt:aws:Logs"
	firewallToken = "redoubt:aws:Firewall"

	rolesToken      = "redoubt:aws:Roles"
	eksClusterToken = "redoubt:aws:EksCluster"
	nodePoolToken   = "redoubt:aws:NodePool"
	eksAddonsToken  = "redoubt:aws:EksAddons"
	clientVpnToken  = "redoubt:aws:ClientVpn"
	registryToken   = "redoubt:aws:EcrRegistry"
	runnerToken     = "redoubt:aws:Runner"

	flatcarRolesToken   = "redoubt:aws:FlatcarRoles"
	flatcarClusterToken = "redoubt:aws:FlatcarCluster"

	detectionToken      = "redoubt:aws:Detection"
	sessionLoggingToken = "redoubt:aws:SessionLogging"
)
