// Package access proves on a real API server, without nodes, who may do what: that
// the platform's administrator can write every role of the baseline and no more,
// that a review says what the API server's own authorizer says, that tenants do
// not get at each other, and that the label of quarantine holds.
package access
