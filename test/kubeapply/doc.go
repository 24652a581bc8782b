// Package kubeapply is a Pulumi resource provider for plain Kubernetes objects. It stands in for the official
// kubernetes plugin on a machine that cannot download it: the same program runs with either, and a state written by
// one is read by the other (same ids, same `__inputs`, `__initialApiVersion` and `__fieldManager` keys).
//
// Objects are written with server-side apply under a field manager of their own, so that nothing which somebody else
// owns is overwritten, and a create or update returns only when the object is ready. What the stand-in does not do, it
// refuses by name: Helm, Kustomize, YAML invokes, client-side apply, rendering to files. It never reads a cluster
// while nothing has to change: Check and Diff are answered from the state alone.
//
// Behaviour follows pulumi-kubernetes v4 (https://www.pulumi.com/registry/packages/kubernetes/) unless a comment says
// otherwise and why.
package kubeapply
