// Package access reviews who can do what in a cluster, by group: it reads RBAC
// objects and what they act on, follows every path by which one identity takes
// on the rights of another, and answers each question with yes, no or unknown.
//
// It is pure: what a cluster holds in, a report out; no API server, no files, no
// clock. Unknown is never no: where the answer depends on something that was not
// given, such as which pods run, the report says so.
//
// Rights that do not come from RBAC (the Node authorizer, the authorizers of
// Amazon EKS and of Google Cloud IAM) are not seen; the report names them.
//
// https://kubernetes.io/docs/concepts/security/rbac-good-practices/
package access
