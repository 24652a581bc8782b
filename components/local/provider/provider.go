// Package provider serves the custom resources behind redoubt:local:Cluster:
// certificate authorities, keys, the private network, host firewalls and the
// machines that run Kubernetes on this host.
//
// Every resource converges: creating what already exists adopts it, so an
// interrupted `pulumi up` continues where it stopped. Diff and Read look at
// the host itself, so drift shows in `pulumi preview` and `pulumi refresh` and
// the next `pulumi up` repairs it.
//
// The package never decides what is secure: settings arrive rendered by
// package hostconfig.
package provider

import (
	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Name is the provider's name, the first segment of every type token.
const Name = "redoubt"

// Version is the version that the plugin reports; a release stamps it.
var Version = "0.1.0"

// Module is the token segment of the local platform.
const Module = "local"

// Resources lists the custom resources of the local platform.
func Resources() []infer.InferredResource {
	return []infer.InferredResource{
		infer.Resource(&CertificateAuthority{}),
		infer.Resource(&ServiceAccountKey{}),
		infer.Resource(&EncryptionKey{}),
		infer.Resource(&Network{}),
		infer.Resource(&Firewall{}),
		infer.Resource(&ControlPlane{}),
		infer.Resource(&Worker{}),
	}
}

// New returns a provider that serves only the local platform, so that a
// program which uses nothing else compiles no cloud SDK.
func New() (p.Provider, error) {
	return infer.NewProviderBuilder().
		WithDisplayName("Redoubt").
		WithDescription("Hardened Kubernetes clusters.").
		WithNamespace("redoubt-dev").
		WithResources(Resources()...).
		Build()
}
