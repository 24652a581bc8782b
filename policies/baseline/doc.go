// Package baseline holds components of Kubernetes objects that every hardened
// cluster gets. They need a kubernetes.Provider and nothing else, so they serve
// any cluster, whoever made it.
package baseline

// Type tokens.
const (
	baselineToken = "redoubt:baseline:Baseline"
	tenantToken   = "redoubt:baseline:Tenant"
	systemToken   = "redoubt:baseline:SystemPolicies"
)
