// Package kubeadm renders the configuration with which kubeadm starts a control
// plane, adds another one or joins a worker: the documents of
// kubeadm.k8s.io/v1beta4 with those of the kubelet and of kube-proxy.
//
// Every setting of etcd, the API server, the controller-manager, the scheduler
// and the kubelet comes from [hostconfig.ControlPlane] and [hostconfig.Worker].
// Where kubeadm cannot take one over, [Deviations] says which, and why.
//
// The package is pure, as hostconfig is. It renders no token, no certificate
// and no key: a machine joins with a discovery file that holds a short-lived
// credential, which whoever provisions the machine writes. No bootstrap token
// is made, and so none is left behind.
//
// https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
package kubeadm
