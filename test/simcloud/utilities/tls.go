package utilities

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"time"

	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	privateKey     = "tls:index/privateKey:PrivateKey"
	selfSignedCert = "tls:index/selfSignedCert:SelfSignedCert"
)

// tlsTypes are keys and the certificates that they sign for themselves.
func tlsTypes() []*simcloud.ResourceType {
	k := &simcloud.ResourceType{Token: privateKey, Inputs: simcloud.Inputs(tls.PrivateKeyArgs{}), Outputs: simcloud.Outputs(tls.PrivateKey{}),
		Replace: []string{"algorithm", "ecdsaCurve", "rsaBits"}}
	k.Check = func(p *simcloud.Plan) {
		p.OneOf("algorithm", "RSA", "ECDSA", "ED25519")
		p.OneOf("ecdsaCurve", "P224", "P256", "P384", "P521")
		p.Between("rsaBits", 1024, 16384)
	}
	k.Create = makeKey

	s := &simcloud.ResourceType{Token: selfSignedCert, Inputs: simcloud.Inputs(tls.SelfSignedCertArgs{}, "allowedUses"), Outputs: simcloud.Outputs(tls.SelfSignedCert{}),
		Replace: []string{"allowedUses", "dnsNames", "ipAddresses", "isCaCertificate", "privateKeyPem", "setAuthorityKeyId", "setSubjectKeyId", "subject", "uris", "validityPeriodHours"}}
	s.Check = func(p *simcloud.Plan) {
		for _, use := range p.Values.Strings("allowedUses") {
			if _, known := uses[use]; !known {
				p.Add("allowedUses", use+" is no use that is simulated")
			}
		}
	}
	s.Create = makeCertificate
	return []*simcloud.ResourceType{k, s}
}

var curves = map[string]elliptic.Curve{"P224": elliptic.P224(), "P256": elliptic.P256(), "P384": elliptic.P384(), "P521": elliptic.P521(), "": elliptic.P224()}

// uses of a certificate, by the provider's names.
var uses = map[string]x509.KeyUsage{
	"digital_signature": x509.KeyUsageDigitalSignature, "key_encipherment": x509.KeyUsageKeyEncipherment, "cert_signing": x509.KeyUsageCertSign, "crl_signing": x509.KeyUsageCRLSign,
	"content_commitment": x509.KeyUsageContentCommitment, "data_encipherment": x509.KeyUsageDataEncipherment, "key_agreement": x509.KeyUsageKeyAgreement,
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func makeKey(c *simcloud.Change) error {
	var key crypto.Signer
	var text string
	switch algorithm := c.New.String("algorithm"); algorithm {
	case "ECDSA":
		made, err := ecdsa.GenerateKey(curves[c.New.String("ecdsaCurve")], rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.MarshalECPrivateKey(made)
		if err != nil {
			return err
		}
		key, text = made, block("EC PRIVATE KEY", der)
	case "RSA":
		made, err := rsa.GenerateKey(rand.Reader, max(2048, c.New.Int("rsaBits")))
		if err != nil {
			return err
		}
		key, text = made, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(made))
	default:
		return simcloud.Errorf("Unsupported", "keys of %s are not simulated", algorithm)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	c.ID = id(string(public))
	c.Out["privateKeyPem"], c.Out["publicKeyPem"], c.Out["privateKeyPemPkcs8"] = text, block("PUBLIC KEY", public), block("PRIVATE KEY", pkcs8)
	for _, name := range []string{"privateKeyOpenssh", "publicKeyOpenssh", "publicKeyFingerprintMd5", "publicKeyFingerprintSha256"} {
		c.Out[name] = "" // for SSH, of which there is none here
	}
	return nil
}

// makeCertificate signs a certificate with its own key, for as long as it is told from now on.
func makeCertificate(c *simcloud.Change) error {
	decoded, _ := pem.Decode([]byte(c.New.String("privateKeyPem")))
	if decoded == nil {
		return simcloud.Errorf("InvalidKey", "privateKeyPem is no PEM")
	}
	var key crypto.Signer
	var err error
	if decoded.Type == "EC PRIVATE KEY" {
		key, err = x509.ParseECPrivateKey(decoded.Bytes)
	} else {
		key, err = x509.ParsePKCS1PrivateKey(decoded.Bytes)
	}
	if err != nil {
		return simcloud.Errorf("InvalidKey", "privateKeyPem: %v", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	// The machines that verify it have a real clock, and not the simulated one.
	start := time.Now().UTC().Truncate(time.Second)
	template := &x509.Certificate{SerialNumber: serial, NotBefore: start, NotAfter: start.Add(time.Duration(c.New.Int("validityPeriodHours")) * time.Hour),
		Subject: subject(c.New), IsCA: c.New.Bool("isCaCertificate"), BasicConstraintsValid: true}
	for _, use := range c.New.Strings("allowedUses") {
		template.KeyUsage |= uses[use]
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if c.New.Bool("setSubjectKeyId") {
		sum := sha1.Sum(public) //nolint:gosec // RFC 5280, 4.2.1.2: a name for a key, and no protection
		template.SubjectKeyId = sum[:]
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	c.ID = id(string(der))
	c.Out["certPem"], c.Out["keyAlgorithm"], c.Out["readyForRenewal"] = block("CERTIFICATE", der), map[bool]string{true: "ECDSA", false: "RSA"}[decoded.Type == "EC PRIVATE KEY"], false
	c.Out["validityStartTime"], c.Out["validityEndTime"] = template.NotBefore.Format(time.RFC3339), template.NotAfter.Format(time.RFC3339)
	return nil
}

func subject(v simcloud.Values) pkix.Name {
	name := pkix.Name{CommonName: v.String("subject.commonName")}
	for path, into := range map[string]*[]string{"subject.organization": &name.Organization, "subject.organizationalUnit": &name.OrganizationalUnit, "subject.country": &name.Country} {
		if text := v.String(path); text != "" {
			*into = []string{text}
		}
	}
	return name
}
