// Package network says who may talk to whom in a cluster (M21): the flows of a
// tenant, which everything else is denied beside, and rules of the whole cluster
// that no tenant's policy undoes. It is pure: settings in, objects out; it asks no
// cluster and no clock.
//
// A tenant's flows are standard NetworkPolicies wherever those can say them,
// because every plugin enforces them and every scanner reads them. Names on the
// internet they cannot say: those need a plugin that can. Rules of the cluster have
// one definition and a form for each plugin; without one, the tenants' default
// deny, which is always there, does the same for every pod of a tenant.
//
// What no policy reaches: pods in the network of their node, connections between a
// node and its own pods, and connections that were there before a policy.
package network

import "github.com/redoubt-dev/redoubt/policies/baseline/admission"

// AnnotationReason says on each policy why the flow is there.
const AnnotationReason = admission.Group + "/reason"
