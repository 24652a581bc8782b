// Package local provisions a hardened Kubernetes cluster on one machine, with
// no cloud account: the same settings as the cloud components, rendered by
// package hostconfig, on machines that are namespaces of this host.
//
// The package never touches the host: it registers resources, and the redoubt
// provider (package provider) carries them out.
package local

// Type tokens of the platform.
const (
	clusterToken              = "redoubt:local:Cluster"
	networkToken              = "redoubt:local:Network"
	firewallToken             = "redoubt:local:Firewall"
	certificateAuthorityToken = "redoubt:local:CertificateAuthority"
	serviceAccountKeyToken    = "redoubt:local:ServiceAccountKey"
	encryptionKeyToken        = "redoubt:local:EncryptionKey"
	controlPlaneToken         = "redoubt:local:ControlPlane"
	workerToken               = "redoubt:local:Worker"
)
