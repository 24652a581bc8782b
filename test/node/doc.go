// Package node attacks redoubt-node: the host program of self-managed clusters,
// against a real API server, a real controller-manager, real etcds and a cloud
// that is played by package fakecloud.
package node
