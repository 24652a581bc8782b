// Package baseline proves the policies of policies/baseline on a real API server:
// what each must refuse and let in, exceptions and their end, modes, replacement
// without a gap.
package baseline
