// Package live makes gcp-dev in a real project of Google Cloud with the official plugins, looks at it and removes it. It
// runs only when it is told the project:
//
//	REDOUBT_LIVE_GCP=<project id> REDOUBT_LIVE_GCP_GROUP=gke-security-groups@<domain> go test -count=1 -timeout 120m -v ./gcp/live
//
// The id must be that of gcloud's configuration, so that it never runs in another project by mistake. Give it a project
// of its own: the policy of images that it makes holds for every cluster of the project. It needs the Google Cloud CLI
// with application default credentials, the APIs that it names, and lets Pulumi fetch its plugins. REDOUBT_LIVE_GCP_REGION
// chooses the region, europe-west3 otherwise, of which the zones a and b are used; REDOUBT_LIVE_GCP_MEMBER is a group or
// a service account that administers the cluster, otherwise the account of the credentials where it is one.
//
// What it costs: a control plane, two spot nodes and the forwarder are about a quarter of a US dollar an hour, and a run
// takes about 40 minutes. The names of a key ring and its keys stay for ever, with versions that wait a month for their
// destruction; Google charges some cents for them. What else a run could not remove it names.
//
// The endpoint is private: whether it is reached from here is told.
package live
