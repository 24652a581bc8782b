// Package quarantine holds the admission policies by which one label isolates a
// pod, a namespace or a node (M40): what has it is frozen, nobody gets into it but
// forensics, nothing new is scheduled to it, and only who may impose and release
// quarantine writes or removes the label. The package is pure: objects out.
//
// The network is cut by what is left out: in namespaces of tenants, a
// NetworkPolicy that allows something must leave out pods with the label, so that
// the default denial of the namespace is all that holds for them.
//
// These policies stand beside the catalogue of policies/baseline/admission, because
// nobody is let off them and they have no modes; and because two of them have the
// labelled pods and nodes themselves as parameters: a session is asked for by the
// name of a pod, and only so the API server can tell whether the pod has the label.
package quarantine

import "github.com/redoubt-dev/redoubt/policies/baseline/admission"

// Label isolates what has it, whatever its value; on a pod, a namespace or a node.
const Label = admission.QuarantineLabel

// Annotations that say why, by whom, since when (RFC 3339), because of what a pod is
// under quarantine (the target), and whether the node was schedulable before.
const (
	AnnotationReason   = Label + "-reason"
	AnnotationBy       = Label + "-by"
	AnnotationSince    = Label + "-since"
	AnnotationOf       = Label + "-of"
	AnnotationCordoned = Label + "-cordoned"
)

// Taint keeps the scheduler from a node; it drives nothing out, because what runs
// there is evidence.
const Taint = Label
