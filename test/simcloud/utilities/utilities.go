// Package utilities stands in for the providers tls and random in simulations: it makes real keys and certificates, and
// refuses properties that the real ones do not know, as the simulated clouds do.
package utilities

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the identifier of a key by RFC 5280, 4.2.1.2
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"time"

	pulumirandom "github.com/pulumi/pulumi-random/sdk/v4/go/random"
	pulumitls "github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Open makes what both providers keep, with journals beside the path, if one is given.
func Open(journal string) ([]*simcloud.Cloud, error) {
	var out []*simcloud.Cloud
	for _, d := range []simcloud.Definition{
		{Package: "tls", Version: "5.0.9", Types: []*simcloud.ResourceType{privateKey(), selfSigned()}},
		{Package: "random", Version: "4.16.7", Types: []*simcloud.ResourceType{randomBytes()}},
	} {
		d.Provider, d.Scope, d.Frame = &simcloud.Type{Kind: simcloud.Struct, Fields: map[string]*simcloud.Field{}}, anywhere, frame
		options := simcloud.Options{}
		if journal != "" {
			options.Journal = journal + "." + d.Package
		}
		made, err := simcloud.Open(d, options)
		if err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

// Providers are both, for an engine beside a cloud.
func Providers(of []*simcloud.Cloud) []rehearse.Provider {
	var out []rehearse.Provider
	for _, each := range of {
		out = append(out, rehearse.Provider{Name: each.Package, Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) { return each.Serve(), nil }})
	}
	return out
}

func anywhere(simcloud.Values) (string, error) { return "", nil }

func frame(_ string, _ simcloud.Operation, e *simcloud.Error) string { return e.Message }

// made is a type of which every change is another resource.
func made(token string, args, resource any, required ...string) *simcloud.ResourceType {
	t := &simcloud.ResourceType{Token: token, Global: true, Inputs: simcloud.Inputs(args, required...), Outputs: simcloud.Outputs(resource)}
	t.Replace = slices.Sorted(maps.Keys(t.Inputs.Fields))
	return t
}

func privateKey() *simcloud.ResourceType {
	t := made("tls:index/privateKey:PrivateKey", pulumitls.PrivateKeyArgs{}, pulumitls.PrivateKey{})
	t.Defaults = simcloud.Values{"ecdsaCurve": "P224", "rsaBits": 2048} // the provider's own
	t.Check = func(p *simcloud.Plan) {
		p.OneOf("algorithm", "RSA", "ECDSA", "ED25519")
		p.OneOf("ecdsaCurve", "P224", "P256", "P384", "P521")
	}
	t.Create = func(c *simcloud.Change) error {
		key, err := generate(c.New.String("algorithm"), c.New.String("ecdsaCurve"), c.New.Int("rsaBits"))
		if err != nil {
			return err
		}
		private, kind, err := encode(key)
		if err != nil {
			return err
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		sum := sha1.Sum(public) //nolint:gosec // as the provider names it
		c.ID = hex.EncodeToString(sum[:])
		c.Out = simcloud.Values{"privateKeyPem": block(kind, private), "publicKeyPem": block("PUBLIC KEY", public), "privateKeyPemPkcs8": block("PRIVATE KEY", pkcs8),
			"privateKeyOpenssh": "", "publicKeyOpenssh": "", "publicKeyFingerprintMd5": "", "publicKeyFingerprintSha256": ""}
		return nil
	}
	return t
}

func generate(algorithm, curve string, bits int) (crypto.Signer, error) {
	if algorithm == "RSA" {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	curves := map[string]elliptic.Curve{"P256": elliptic.P256(), "P384": elliptic.P384(), "P521": elliptic.P521()}
	if algorithm != "ECDSA" || curves[curve] == nil {
		return nil, simcloud.Errorf("unsupported", "the stand-in makes keys of RSA, and of ECDSA with P256, P384 and P521, and none of %s %s", algorithm, curve)
	}
	return ecdsa.GenerateKey(curves[curve], rand.Reader)
}

func encode(key crypto.Signer) (der []byte, kind string, err error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return x509.MarshalPKCS1PrivateKey(key), "RSA PRIVATE KEY", nil
	case *ecdsa.PrivateKey:
		der, err = x509.MarshalECPrivateKey(key)
		return der, "EC PRIVATE KEY", err
	}
	return nil, "", fmt.Errorf("a key of %T", key)
}

func decode(text string) (crypto.Signer, error) {
	found, _ := pem.Decode([]byte(text))
	if found == nil {
		return nil, simcloud.Errorf("invalid", "the private key is not PEM")
	}
	switch found.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(found.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(found.Bytes)
	}
	return nil, simcloud.Errorf("invalid", "a private key of the kind %s", found.Type)
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// uses are those of the provider: https://registry.terraform.io/providers/hashicorp/tls/latest/docs/resources/self_signed_cert
var uses = map[string]x509.KeyUsage{"cert_signing": x509.KeyUsageCertSign, "crl_signing": x509.KeyUsageCRLSign, "digital_signature": x509.KeyUsageDigitalSignature,
	"key_encipherment": x509.KeyUsageKeyEncipherment, "key_agreement": x509.KeyUsageKeyAgreement}

func selfSigned() *simcloud.ResourceType {
	t := made("tls:index/selfSignedCert:SelfSignedCert", pulumitls.SelfSignedCertArgs{}, pulumitls.SelfSignedCert{}, "allowedUses")
	t.Defaults = simcloud.Values{"earlyRenewalHours": 0, "isCaCertificate": false, "setAuthorityKeyId": false, "setSubjectKeyId": false}
	t.Check = func(p *simcloud.Plan) {
		for i, each := range p.Values.Strings("allowedUses") {
			if _, known := uses[each]; !known {
				p.Add(fmt.Sprintf("allowedUses[%d]", i), fmt.Sprintf("%q is no use of a certificate that the stand-in knows", each))
			}
		}
	}
	t.Create = func(c *simcloud.Change) error {
		key, err := decode(c.New.String("privateKeyPem"))
		if err != nil {
			return err
		}
		serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
		if err != nil {
			return err
		}
		now := time.Now().UTC().Truncate(time.Second)
		template := &x509.Certificate{
			SerialNumber: serial, NotBefore: now, NotAfter: now.Add(time.Duration(c.New.Int("validityPeriodHours")) * time.Hour),
			IsCA: c.New.Bool("isCaCertificate"), BasicConstraintsValid: true, DNSNames: c.New.Strings("dnsNames"),
			Subject: pkix.Name{CommonName: c.New.String("subject.commonName")},
		}
		if unit := c.New.String("subject.organizationalUnit"); unit != "" {
			template.Subject.OrganizationalUnit = []string{unit}
		}
		if organization := c.New.String("subject.organization"); organization != "" {
			template.Subject.Organization = []string{organization}
		}
		for _, each := range c.New.Strings("allowedUses") {
			template.KeyUsage |= uses[each]
		}
		if c.New.Bool("setSubjectKeyId") {
			public, err := x509.MarshalPKIXPublicKey(key.Public())
			if err != nil {
				return err
			}
			sum := sha1.Sum(public) //nolint:gosec // RFC 5280
			template.SubjectKeyId = sum[:]
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return err
		}
		c.ID = serial.String()
		c.Out = simcloud.Values{"certPem": block("CERTIFICATE", der), "keyAlgorithm": "ECDSA", "readyForRenewal": false,
			"validityStartTime": template.NotBefore.Format(time.RFC3339), "validityEndTime": template.NotAfter.Format(time.RFC3339)}
		return nil
	}
	return t
}

func randomBytes() *simcloud.ResourceType {
	t := made("random:index/randomBytes:RandomBytes", pulumirandom.RandomBytesArgs{}, pulumirandom.RandomBytes{})
	t.Check = func(p *simcloud.Plan) { p.Between("length", 1, 1<<16) }
	t.Create = func(c *simcloud.Change) error {
		made := make([]byte, c.New.Int("length"))
		_, _ = rand.Read(made) // never fails
		c.ID = base64.StdEncoding.EncodeToString(made)
		c.Out = simcloud.Values{"base64": c.ID, "hex": hex.EncodeToString(made)}
		return nil
	}
	return t
}
