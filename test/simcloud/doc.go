// Package simcloud is what simulated clouds share: a Pulumi resource provider, served in this process and attached to
// the real engine, over a store of what exists. A cloud brings its resource types, their rules and its functions; this
// package brings the rest: property checks derived from the SDK's own argument types, references between resources and
// the deletion order that follows from them, eventual consistency, throttling and failures on demand, and creation
// times on a clock that runs as fast as one likes.
//
// It is made to say no: an unknown type, property or reference is refused, never ignored. What a simulation does not
// model it refuses too, so that a program which passes has not merely been waved through. It runs no workload and
// judges no performance of a cloud; its times are estimates from tables.
package simcloud
