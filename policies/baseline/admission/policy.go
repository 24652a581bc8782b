package admission

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// Mode is what a violation of a policy does.
type Mode string

// Modes. Audit writes to the audit log, Warn also tells the client, Deny refuses
// and writes to the audit log.
const (
	Audit Mode = "audit"
	Warn  Mode = "warn"
	Deny  Mode = "deny"
)

// strictness orders the modes.
var strictness = map[Mode]int{Audit: 1, Warn: 2, Deny: 3}

// Scope is where a policy holds.
type Scope int

const (
	// Everywhere is every namespace, and objects that are in none.
	Everywhere Scope = iota
	// Workloads are all namespaces but those of the system, see
	// [Settings.SystemNamespaces].
	Workloads
)

// Policy is one of the catalogue.
type Policy struct {
	// ID is a DNS label; the control of an exception is "M25/" and the ID.
	ID string
	// Family names policies that the API server gets as one object for each mode,
	// because what costs time there is each policy that looks at an object, far more
	// than what it asks. Members have the same Scope, Templates, Conditions, Unless,
	// NoParameters and Sentinel; each judges nothing but what its own Rules name.
	// Empty: the policy is an object of its own.
	Family string
	// Title says what the policy demands, in a sentence without its full stop.
	Title string
	// Controls are rows of the project (M26) and recommendations of CIS Kubernetes
	// (CIS-5.2.2).
	Controls []string
	// Mode is what the policy does unless settings say otherwise.
	Mode Mode
	// Relaxed is the mode in namespaces of the class baseline; Mode where empty.
	Relaxed Mode
	// Scope is where it holds.
	Scope Scope
	// Rules are what it looks at. Subresources stand by themselves: "pods" does not
	// mean "pods/ephemeralcontainers".
	Rules []admissionv1.NamedRuleWithOperations
	// Templates are rules for objects that pods are made from. What violates one is
	// warned about, because the pods are refused themselves.
	Templates []admissionv1.NamedRuleWithOperations
	// Conditions must all hold, or the policy has no say. They cost as much as a
	// policy does, and see none of its variables.
	Conditions []admissionv1.MatchCondition
	// NoParameters keeps the policy from reading parameters, so that there is no
	// exception to it: for one that would stand in the way of their repair.
	NoParameters bool
	// Variables are CEL expressions in the order in which they use each other, which
	// the others reach as variables.NAME. Every policy also has those of [common],
	// and one with templates those of [pods]. In a family, a name stands for one
	// expression.
	Variables []admissionv1.Variable
	// Violated is CEL of type bool: whether there are findings. It is asked of every
	// object, and Findings only of those that violate; so it should be cheap. Empty:
	// whether Findings is not empty.
	Violated string
	// Findings is CEL of a list of strings: the fields that violate the policy, each
	// with its value where that says more.
	Findings string
	found    finding // of the catalogue's own policies, which gives both
	// Unless is CEL of type bool: who or what may violate it all the same. It alone
	// may use the authorizer.
	Unless string
	// Remedy says what to write instead.
	Remedy string
	// Sentinel is how the policy is asked whether it is in force.
	Sentinel Sentinel
}

// Control is the id that an exception to the policy names.
func (p Policy) Control() string { return controlPrefix + p.ID }

// controlPrefix is the row of the policies.
const controlPrefix = "M25/"

// atMost is the weaker of two modes.
func (m Mode) atMost(other Mode) Mode {
	if strictness[m] > strictness[other] {
		return other
	}
	return m
}
