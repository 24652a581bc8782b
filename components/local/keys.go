package local

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// authorityValidityHours is ten years, kubeadm's own lifetime for authorities;
// leaf certificates live for a day.
const authorityValidityHours = 10 * 365 * 24

// keys are the long-lived keys of a cluster. They are secrets in the state;
// what they sign is not in the state at all.
type keys struct {
	cluster, etcd, frontProxy *certificateAuthority
	serviceAccount            *serviceAccountKey
	encryption                *encryptionKey // nil when a KMS holds the key
}

type certificateAuthority struct {
	pulumi.CustomResourceState
	CertificatePem pulumi.StringOutput `pulumi:"certificatePem"`
	PrivateKeyPem  pulumi.StringOutput `pulumi:"privateKeyPem"`
}

type serviceAccountKey struct {
	pulumi.CustomResourceState
	PrivateKeyPem pulumi.StringOutput `pulumi:"privateKeyPem"`
	PublicKeyPem  pulumi.StringOutput `pulumi:"publicKeyPem"`
}

type encryptionKey struct {
	pulumi.CustomResourceState
	Secret pulumi.StringOutput `pulumi:"secret"`
}

// newKeys registers an authority each for the cluster, etcd and the front
// proxy, so that a certificate of one opens nothing of another (M13).
func newKeys(ctx *pulumi.Context, name string, p plan, opts ...pulumi.ResourceOption) (*keys, error) {
	k := &keys{}
	for _, authority := range []struct {
		suffix, commonName string
		into               **certificateAuthority
	}{
		{"ca", "kubernetes-ca", &k.cluster},
		{"etcd-ca", "etcd-ca", &k.etcd},
		{"front-proxy-ca", "front-proxy-ca", &k.frontProxy},
	} {
		res := &certificateAuthority{}
		err := ctx.RegisterResource(certificateAuthorityToken, name+"-"+authority.suffix, pulumi.Map{
			"commonName":    pulumi.String(authority.commonName),
			"validityHours": pulumi.Int(authorityValidityHours),
		}, res, opts...)
		if err != nil {
			return nil, err
		}
		*authority.into = res
	}
	k.serviceAccount = &serviceAccountKey{}
	if err := ctx.RegisterResource(serviceAccountKeyToken, name+"-service-account-key", pulumi.Map{}, k.serviceAccount, opts...); err != nil {
		return nil, err
	}
	if p.args.Encryption.Provider == string(hostconfig.EncryptionKMS) {
		return k, nil
	}
	k.encryption = &encryptionKey{}
	return k, ctx.RegisterResource(encryptionKeyToken, name+"-encryption-key", pulumi.Map{
		"keyName": pulumi.String(p.args.Encryption.KeyName),
	}, k.encryption, opts...)
}
