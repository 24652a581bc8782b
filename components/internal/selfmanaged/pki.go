package selfmanaged

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
)

const pkiToken = "redoubt:internal:Pki"

// PKIArgs describes the authorities of a cluster. Cluster is required.
type PKIArgs struct {
	// Cluster is the name of the cluster, which stands in the subjects.
	Cluster string
	// Algorithm is that of every key; ECDSA with P-256 by default.
	Algorithm kubeadm.EncryptionAlgorithm
	// Validity is how long an authority holds, five years by default and ten at
	// most, as [kubeadm.Settings] has it.
	Validity time.Duration
	// Generation is that of the authorities that sign; 1 by default. A rotation
	// has three steps, with every machine replaced in between: the next generation
	// is trusted, then it signs and the last one is trusted, then it is alone.
	Generation int
	// Trusted are further generations whose signatures hold.
	Trusted []int
}

// Limits of an authority's life, as kubeadm has them.
const (
	validityByDefault = 5 * 365 * 24 * time.Hour
	longestValidity   = 10 * 365 * 24 * time.Hour
	shortestValidity  = 30 * 24 * time.Hour // longer than every certificate that it signs
)

// WithDefaults gives a copy in which what was left empty has its default.
func (a PKIArgs) WithDefaults() PKIArgs {
	if a.Algorithm == "" {
		a.Algorithm = kubeadm.ECDSAP256
	}
	if a.Validity == 0 {
		a.Validity = validityByDefault
	}
	if a.Generation == 0 {
		a.Generation = 1
	}
	return a
}

// keyKinds are the keys that the provider makes, by kubeadm's names.
var keyKinds = map[kubeadm.EncryptionAlgorithm]tls.PrivateKeyArgs{
	kubeadm.ECDSAP256: {Algorithm: pulumi.String("ECDSA"), EcdsaCurve: pulumi.String("P256")},
	kubeadm.ECDSAP384: {Algorithm: pulumi.String("ECDSA"), EcdsaCurve: pulumi.String("P384")},
	kubeadm.RSA3072:   {Algorithm: pulumi.String("RSA"), RsaBits: pulumi.Int(3072)},
	kubeadm.RSA4096:   {Algorithm: pulumi.String("RSA"), RsaBits: pulumi.Int(4096)},
}

// Validate reports everything that is wrong, as [hostconfig.FieldError] values
// below a field.
func (a PKIArgs) Validate(field string) []error {
	a = a.WithDefaults()
	var problems []error
	add := func(name, problem, remedy string) {
		problems = append(problems, &hostconfig.FieldError{Field: field + "." + name, Problem: problem, Remedy: remedy})
	}
	if _, known := keyKinds[a.Algorithm]; !known {
		add("algorithm", fmt.Sprintf("%q is not offered", a.Algorithm), "write ECDSA-P256, ECDSA-P384, RSA-3072 or RSA-4096")
	}
	if a.Validity < shortestValidity || a.Validity > longestValidity {
		add("validityDays", fmt.Sprintf("%d is no life of an authority", int(a.Validity.Hours()/24)), "write 30 to 3650")
	}
	if a.Generation < 1 {
		add("generation", fmt.Sprintf("%d is no generation", a.Generation), "write 1, or one more than before")
	}
	for i, each := range a.Trusted {
		at := fmt.Sprintf("trusted[%d]", i)
		switch {
		case each < 1:
			add(at, fmt.Sprintf("%d is no generation", each), "write that of authorities that were, or that will be")
		case each == a.Generation || slices.Contains(a.Trusted[:i], each):
			add(at, fmt.Sprintf("%d is trusted already", each), "leave it out")
		}
	}
	if len(a.Trusted) > 1 {
		add("trusted", "more than one generation beside that which signs is no step of a rotation", "write the last one, or the next one")
	}
	return problems
}

// PKI are the authorities of a cluster and the key that signs the tokens of its
// service accounts.
type PKI struct {
	pulumi.ResourceState

	// Files are what the store keeps for control planes, by the names of
	// that package selfmanaged of hostconfig
	// gives them. Those of [Secret] are secrets.
	Files map[string]pulumi.StringOutput
	// CACertificate is the certificate of the cluster's authority, with those that
	// are trusted beside it, in PEM: what clients verify the API server by.
	CACertificate pulumi.StringOutput
}

// authorities are those of kubeadm, with their files and the common names that it
// gives them: https://kubernetes.io/docs/setup/best-practices/certificates/#single-root-ca
var authorities = []struct{ name, file, commonName string }{
	{"ca", "ca", "kubernetes"}, {"etcd-ca", "etcd/ca", "etcd-ca"}, {"front-proxy-ca", "front-proxy-ca", "front-proxy-ca"},
}

// Files of a [PKI] that are no authority's, and that of the cluster's, which
// stands in every configuration.
const (
	serviceAccountKey    = "sa.key"
	serviceAccountPublic = "sa.pub"
	clusterCA            = "ca.crt"
)

// Secret tells whether a file of a [PKI] holds a key.
func Secret(file string) bool { return strings.HasSuffix(file, ".key") }

// NewPKI registers the authorities. Whoever calls it has validated the arguments.
func NewPKI(ctx *pulumi.Context, name string, args PKIArgs, opts ...pulumi.ResourceOption) (*PKI, error) {
	a := args.WithDefaults()
	p := &PKI{Files: map[string]pulumi.StringOutput{}}
	if err := ctx.RegisterComponentResource(pkiToken, name+"-pki", p, opts...); err != nil {
		return nil, err
	}
	for _, authority := range authorities {
		var bundle []any
		for i, generation := range append([]int{a.Generation}, a.Trusted...) {
			key, certificate, err := p.authority(ctx, fmt.Sprintf("%s-%s-%d", name, authority.name, generation), authority.commonName, a, p.child(i))
			if err != nil {
				return nil, err
			}
			bundle = append(bundle, certificate.CertPem)
			if i == 0 {
				p.Files[authority.file+".key"] = key.PrivateKeyPem
			}
		}
		p.Files[authority.file+".crt"] = joined(bundle) // what signs is the first
	}
	// Nobody learns a key from it.
	p.CACertificate = pulumi.Unsecret(p.Files[clusterCA]).(pulumi.StringOutput)
	var bundle []any
	for i, generation := range append([]int{a.Generation}, a.Trusted...) {
		key, err := p.key(ctx, fmt.Sprintf("%s-sa-%d", name, generation), a, p.child(i))
		if err != nil {
			return nil, err
		}
		bundle = append(bundle, key.PublicKeyPem)
		if i == 0 {
			p.Files[serviceAccountKey] = key.PrivateKeyPem
		}
	}
	p.Files[serviceAccountPublic] = joined(bundle)
	return p, ctx.RegisterResourceOutputs(p, pulumi.Map{"caCertificate": p.CACertificate})
}

// child gives the options of the i-th generation. The first one signs and is
// protected as the authorities are. What is trusted beside it comes and goes with a
// rotation, whose last step deletes it: protection would refuse that.
func (p *PKI) child(i int) pulumi.ResourceOption {
	if i == 0 {
		return pulumi.Parent(p)
	}
	return pulumi.Composite(pulumi.Parent(p), pulumi.Protect(false))
}

func (p *PKI) key(ctx *pulumi.Context, name string, a PKIArgs, opts pulumi.ResourceOption) (*tls.PrivateKey, error) {
	kind := keyKinds[a.Algorithm]
	return tls.NewPrivateKey(ctx, name, &kind, opts)
}

func (p *PKI) authority(ctx *pulumi.Context, name, commonName string, a PKIArgs, opts pulumi.ResourceOption) (*tls.PrivateKey, *tls.SelfSignedCert, error) {
	key, err := p.key(ctx, name, a, opts)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := tls.NewSelfSignedCert(ctx, name, &tls.SelfSignedCertArgs{
		PrivateKeyPem: key.PrivateKeyPem, IsCaCertificate: pulumi.Bool(true), SetSubjectKeyId: pulumi.Bool(true), SetAuthorityKeyId: pulumi.Bool(true),
		// kubeadm looks for these names; the cluster's tells authorities apart.
		Subject:             tls.SelfSignedCertSubjectArgs{CommonName: pulumi.String(commonName), OrganizationalUnit: pulumi.String(a.Cluster)},
		ValidityPeriodHours: pulumi.Int(int(a.Validity.Hours())),
		// The uses of an authority that kubeadm makes.
		AllowedUses: pulumi.ToStringArray([]string{"cert_signing", "crl_signing", "digital_signature", "key_encipherment"}),
	}, opts)
	return key, certificate, err
}

// joined are several documents of PEM as one.
func joined(documents []any) pulumi.StringOutput {
	return pulumi.All(documents...).ApplyT(func(texts []any) string {
		var out strings.Builder
		for _, text := range texts {
			out.WriteString(strings.TrimRight(text.(string), "\n") + "\n")
		}
		return out.String()
	}).(pulumi.StringOutput)
}
