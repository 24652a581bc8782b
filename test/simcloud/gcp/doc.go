// Package gcp is a simulated GCP project for programs written with pulumi-gcp v7: networks, firewalls, DNS, keys, IAM,
// GKE with its node pools, and the services beside them. It refuses what the real APIs and their provider refuse, in
// their words as far as they are known.
//
// It takes every well-formed project for one that exists, with its APIs on; other projects' service accounts are taken
// for real, those of a project in which something is made are not. It has no quotas. Two bindings of one role to one
// member are refused, which GCP takes for one and the same: removing either would remove both. Addresses of others that
// are used privately are refused too. Key rings and keys disappear from what a test sees when they are destroyed; their
// names stay taken, as they do at GCP.
package gcp
