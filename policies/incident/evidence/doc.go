// Package evidence collects what a cluster knows about a pod, a namespace or a
// node into one archive (M40): objects, logs, events, lines of the audit log and
// the state of the node, with a digest of each file, and keeps a record of who had
// the archive since. It only reads the cluster.
//
// Nothing secret is in an archive: Secrets are never read, and what looks like a
// credential in anything else is replaced. What could not be collected is said in
// the archive, with the reason.
package evidence
