package flatcar

import (
	"slices"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Lock is a name through which a control could be undone, and so is refused
// among a machine's additions.
type Lock struct {
	// Kind is "file" for a path and what lies below it, "unit" for the beginning of
	// a unit's name, or "kernel-argument" for the beginning of an argument's.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Control is the id that an exception must name to open this lock.
	Control string `json:"control"`
}

// Locks gives every lock, by kind and name.
func Locks() []Lock {
	var all []Lock
	for _, kind := range []struct {
		name  string
		locks []string
	}{{"file", protectedPaths}, {"kernel-argument", lockedArguments}, {"unit", protectedUnits}} {
		for _, lock := range slices.Sorted(slices.Values(kind.locks)) {
			all = append(all, Lock{Kind: kind.name, Name: lock, Control: partOf(kind.name, lock)})
		}
	}
	return all
}

// KernelArguments gives the arguments that every machine boots with.
func KernelArguments() []string { return slices.Clone(hardenedArguments) }

// AuditRules gives the rules of every machine, in their order.
func AuditRules() []string { return slices.Clone(auditRules) }

// MaskedUnits gives the units that nothing can start, for an update strategy.
func MaskedUnits(strategy hostconfig.UpdateStrategy) []string {
	return Spec{Node: hostconfig.Node{Updates: hostconfig.Updates{Strategy: strategy}}}.maskedUnits()
}
