package provider

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/pulumi/pulumi-go-provider/infer"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

// CertificateAuthority is a self-signed certificate authority. Its private key
// lives in the Pulumi state, encrypted, and on the control plane's own disk.
type CertificateAuthority struct{}

// CertificateAuthorityInputs are the inputs of a CertificateAuthority.
type CertificateAuthorityInputs struct {
	CommonName    string `pulumi:"commonName"`
	ValidityHours int    `pulumi:"validityHours"`
}

// CertificateAuthorityState is the recorded state of a CertificateAuthority.
type CertificateAuthorityState struct {
	CertificateAuthorityInputs
	CertificatePem string `pulumi:"certificatePem"`
	PrivateKeyPem  string `pulumi:"privateKeyPem" provider:"secret"`
}

// Annotate sets the type token.
func (*CertificateAuthority) Annotate(a infer.Annotator) {
	a.SetToken(Module, "CertificateAuthority")
}

// WireDependencies marks the key as a secret of the state: what a resource makes
// itself is not one by default.
func (*CertificateAuthority) WireDependencies(f infer.FieldSelector, _ *CertificateAuthorityInputs, state *CertificateAuthorityState) {
	f.OutputField(&state.PrivateKeyPem).AlwaysSecret()
}

// Create makes the key pair and the self-signed certificate.
func (*CertificateAuthority) Create(_ context.Context, req infer.CreateRequest[CertificateAuthorityInputs]) (infer.CreateResponse[CertificateAuthorityState], error) {
	out := infer.CreateResponse[CertificateAuthorityState]{
		ID:     req.Name,
		Output: CertificateAuthorityState{CertificateAuthorityInputs: req.Inputs},
	}
	if req.DryRun {
		return out, nil
	}
	certificate, key, err := pki.NewAuthority(req.Inputs.CommonName, time.Duration(req.Inputs.ValidityHours)*time.Hour)
	if err != nil {
		return out, err
	}
	out.Output.CertificatePem, out.Output.PrivateKeyPem = string(certificate), string(key)
	return out, nil
}

// ServiceAccountKey is the key pair that signs and verifies service account
// tokens (CIS 1.2.22, 1.3.4).
type ServiceAccountKey struct{}

// ServiceAccountKeyInputs are the inputs of a ServiceAccountKey.
type ServiceAccountKeyInputs struct{}

// ServiceAccountKeyState is the recorded state of a ServiceAccountKey.
type ServiceAccountKeyState struct {
	ServiceAccountKeyInputs
	PrivateKeyPem string `pulumi:"privateKeyPem" provider:"secret"`
	PublicKeyPem  string `pulumi:"publicKeyPem"`
}

// Annotate sets the type token.
func (*ServiceAccountKey) Annotate(a infer.Annotator) { a.SetToken(Module, "ServiceAccountKey") }

// WireDependencies marks the key as a secret of the state: what a resource makes
// itself is not one by default.
func (*ServiceAccountKey) WireDependencies(f infer.FieldSelector, _ *ServiceAccountKeyInputs, state *ServiceAccountKeyState) {
	f.OutputField(&state.PrivateKeyPem).AlwaysSecret()
}

// Create makes the key pair.
func (*ServiceAccountKey) Create(_ context.Context, req infer.CreateRequest[ServiceAccountKeyInputs]) (infer.CreateResponse[ServiceAccountKeyState], error) {
	out := infer.CreateResponse[ServiceAccountKeyState]{ID: req.Name}
	if req.DryRun {
		return out, nil
	}
	private, public, err := pki.NewServiceAccountKey()
	if err != nil {
		return out, err
	}
	out.Output.PrivateKeyPem, out.Output.PublicKeyPem = string(private), string(public)
	return out, nil
}

// EncryptionKey is a symmetric key of 32 bytes for encryption at rest. A new
// keyName makes a new key; the control plane then rewrites what the old one
// encrypted.
type EncryptionKey struct{}

// EncryptionKeyInputs are the inputs of an EncryptionKey.
type EncryptionKeyInputs struct {
	KeyName string `pulumi:"keyName"`
}

// EncryptionKeyState is the recorded state of an EncryptionKey.
type EncryptionKeyState struct {
	EncryptionKeyInputs
	// Secret is the key, base64.
	Secret string `pulumi:"secret" provider:"secret"`
}

// Annotate sets the type token.
func (*EncryptionKey) Annotate(a infer.Annotator) { a.SetToken(Module, "EncryptionKey") }

// WireDependencies marks the key as a secret of the state: what a resource makes
// itself is not one by default.
func (*EncryptionKey) WireDependencies(f infer.FieldSelector, _ *EncryptionKeyInputs, state *EncryptionKeyState) {
	f.OutputField(&state.Secret).AlwaysSecret()
}

// Create draws the key from the operating system's random source.
func (*EncryptionKey) Create(_ context.Context, req infer.CreateRequest[EncryptionKeyInputs]) (infer.CreateResponse[EncryptionKeyState], error) {
	out := infer.CreateResponse[EncryptionKeyState]{
		ID:     fmt.Sprintf("%s/%s", req.Name, req.Inputs.KeyName),
		Output: EncryptionKeyState{EncryptionKeyInputs: req.Inputs},
	}
	if req.DryRun {
		return out, nil
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return out, fmt.Errorf("drawing key %q: %w", req.Inputs.KeyName, err)
	}
	out.Output.Secret = base64.StdEncoding.EncodeToString(key)
	return out, nil
}
