package approver

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// ReasonMalformed stands for a request that is not one well-formed, self-signed
// PKCS #10 request.
const ReasonMalformed = "Malformed"

// request is a parsed request with what the rules compare it to.
type request struct {
	csr  *certificatesv1.CertificateSigningRequest
	x509 *x509.CertificateRequest
	// node is the common name without "system:node:", or without what stands before
	// the node's name in that of an agent.
	node string
	// machine is the inventory's entry for node, if it is known.
	machine Machine
	known   bool
	// now is the moment of the decision.
	now time.Time
	// names are the raw general names of the requested subjectAltName.
	names []asn1.RawValue
}

// oidSubjectAltName is RFC 5280 section 4.2.1.6.
var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// parse reads a request strictly: one PEM block, nothing around it, and a signature
// that proves possession of the key.
func parse(csr *certificatesv1.CertificateSigningRequest) (*request, error) {
	if !bytes.HasPrefix(csr.Spec.Request, []byte("-----BEGIN ")) {
		return nil, errors.New("the request does not begin with a PEM block")
	}
	block, rest := pem.Decode(csr.Spec.Request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("the request is not a PEM block of type CERTIFICATE REQUEST")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("something follows the PEM block of the request")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the request cannot be parsed: %w", err)
	}
	if err := parsed.CheckSignature(); err != nil {
		return nil, fmt.Errorf("the request's signature: %w", err)
	}
	names, err := generalNames(parsed)
	if err != nil {
		return nil, err
	}
	prefix := userPrefix
	if csr.Spec.SignerName == hostconfig.SignerPolicyAgent {
		prefix = policyAgentPrefix
	}
	return &request{
		csr:   csr,
		x509:  parsed,
		node:  strings.TrimPrefix(parsed.Subject.CommonName, prefix),
		names: names,
	}, nil
}

// generalNames returns the requested alternative names undecoded: Go's parser drops
// the kinds it does not know, such as otherName, and a rule must see them.
func generalNames(parsed *x509.CertificateRequest) ([]asn1.RawValue, error) {
	var names []asn1.RawValue
	for _, extension := range parsed.Extensions {
		if !extension.Id.Equal(oidSubjectAltName) {
			continue
		}
		var some []asn1.RawValue
		if rest, err := asn1.Unmarshal(extension.Value, &some); err != nil || len(rest) > 0 {
			return nil, errors.New("the requested subjectAltName cannot be parsed")
		}
		names = append(names, some...)
	}
	return names, nil
}
