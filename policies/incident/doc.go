// Package incident isolates a pod, a namespace or a node in a running cluster and
// releases it (M40). It writes the label of quarantine and what follows from it;
// that the label holds, the admission policies of policies/baseline/quarantine see
// to, so that a label that is written by hand isolates as well.
package incident
