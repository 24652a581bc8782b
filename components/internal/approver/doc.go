// Package approver answers the certificate requests of kubelets: it approves a
// request only when the one who asks is the node, or holds the bootstrap token of
// the node, that the certificate would name, and denies every other request of the
// two kubelet signers with a reason. A node also gets the certificate of its own
// policy agent, from a signer of Redoubt's own that serves nothing else.
//
// It exists because nobody in a plain cluster approves kubelet-serving requests,
// without which the API server cannot verify kubelets (CIS Kubernetes 1.2.5), and
// because the built-in approver lets any bootstrap token become any node, and a
// node that was removed renew its certificate for ever.
//
// It never touches requests to other signers. For kubelets it does not sign: the
// controller-manager does.
package approver
