// Package kubeapi runs a real API server with its etcd and, where asked for, its
// controller manager, on loopback, for tests that need the judgement of the real
// one and no nodes. Its settings are those of Kubernetes, not Redoubt's: what it
// refuses, the objects in it refuse.
package kubeapi
