// Package roles holds who may do what in every hardened cluster (M20): the roles
// of the platform's administrators, of operators, auditors, incident responders
// and tenants, and of an emergency, with their bindings, which name groups of the
// identity provider and nobody else. The package is pure: groups in, objects out.
//
// Nothing is bound to cluster-admin, and no role has a wildcard: an API that is
// added later is covered when somebody decides it (CIS 5.1.1, 5.1.3). Every role
// grants a part of what hostconfig's platform administrator holds, because the
// API server refuses a role that grants more than its author has.
package roles
