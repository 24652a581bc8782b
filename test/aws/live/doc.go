// Package live makes aws-dev in a real account of AWS with the official plugins, looks at it and removes it. It runs
// only when it is told the account:
//
//	REDOUBT_LIVE_AWS=<account id> go test -count=1 -timeout 120m -v ./aws/live
//
// The id must be that of the credentials, so that it never runs in another account by mistake. It needs the AWS CLI
// (version 2) and lets Pulumi fetch its plugins. REDOUBT_LIVE_AWS_REGION chooses the region, eu-central-1 otherwise, of
// which the zones a and b are used; REDOUBT_LIVE_AWS_ROLE is a role that administers the cluster, otherwise that of the
// credentials.
//
// What it costs: a control plane, two spot nodes and nine interface endpoints in two zones are about half a US dollar an
// hour in Frankfurt, and a run takes about 45 minutes. Three keys wait a week for their deletion, for which AWS charges
// nothing. What a run could not remove it names; it is tagged redoubt.dev/cluster with the name of the run.
//
// The endpoint is private: inside a network that reaches it, such as a runner in the VPC, the API is asked too.
package live
