// Package selfmanaged is what the self-managed clusters of every cloud have in
// common: the authorities of a cluster as resources of Pulumi, and the objects of
// its store. It knows no cloud: each cloud's component keeps the objects where
// its machines read them.
//
// Keys are secrets of the stack from the moment in which they are made: they are
// encrypted in its state and shown nowhere. They leave it for the control plane's
// part of the store alone.
package selfmanaged
