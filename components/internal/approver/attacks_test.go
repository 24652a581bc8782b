package approver

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net"
	"net/url"
	"slices"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// attack changes a good request in one way. Unless the reason is empty, it breaks
// exactly one rule, the one of that reason.
type attack struct {
	name   string
	change func(*testing.T, *draft)
	reason string
}

var bothSigners = []attack{
	{"not PEM", func(t *testing.T, d *draft) { d.csr.Spec.Request = []byte("hello") }, ReasonMalformed},
	{"text before the PEM block", func(t *testing.T, d *draft) {
		d.csr.Spec.Request = append([]byte("x\n"), d.encode(t)...)
	}, ReasonMalformed},
	{"two requests", func(t *testing.T, d *draft) {
		d.csr.Spec.Request = append(d.encode(t), d.encode(t)...)
	}, ReasonMalformed},
	{"another kind of PEM block", func(t *testing.T, d *draft) {
		d.csr.Spec.Request = bytes.ReplaceAll(d.encode(t), []byte("CERTIFICATE REQUEST"), []byte("CERTIFICATE"))
	}, ReasonMalformed},
	{"signed by somebody else's key", func(t *testing.T, d *draft) {
		block, _ := pem.Decode(d.encode(t))
		block.Bytes[len(block.Bytes)-1] ^= 1
		d.csr.Spec.Request = pem.EncodeToMemory(block)
	}, ReasonMalformed},
	{"no organization", func(t *testing.T, d *draft) {
		d.template.Subject.Organization = nil
		d.template.Subject.Locality = []string{"x"} // keeps two attributes
	}, ReasonOrganization},
	{"group system:masters in place", func(t *testing.T, d *draft) {
		d.template.Subject.Organization = []string{"system:masters"}
	}, ReasonOrganization},
	{"group system:masters besides", func(t *testing.T, d *draft) {
		d.template.Subject.Organization = []string{"system:nodes", "system:masters"}
	}, ReasonOrganization},
	{"a further subject attribute", func(t *testing.T, d *draft) {
		d.template.Subject.OrganizationalUnit = []string{"x"}
	}, ReasonSubject},
	{"two common names", func(t *testing.T, d *draft) {
		d.template.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "kube-apiserver"},
			{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: d.template.Subject.CommonName},
		}
		d.template.Subject.CommonName = ""
	}, ReasonSubject},
	{"RSA of 1024 bits", func(t *testing.T, d *draft) { d.key = rsaKey(t, 1024) }, ReasonKey},
	{"ECDSA P-224", func(t *testing.T, d *draft) {
		key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d.key = key
	}, ReasonKey},
	{"Ed25519, which the signer's usages do not cover", func(t *testing.T, d *draft) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d.key = key
	}, ReasonKey},
	{"a usage left out", func(t *testing.T, d *draft) { d.csr.Spec.Usages = d.csr.Spec.Usages[:1] }, ReasonUsages},
	{"any usage", func(t *testing.T, d *draft) {
		d.csr.Spec.Usages = append(d.csr.Spec.Usages, certificatesv1.UsageAny)
	}, ReasonUsages},
	{"server and client at once", func(t *testing.T, d *draft) {
		d.csr.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth, certificatesv1.UsageClientAuth}
	}, ReasonUsages},
	{"key encipherment with ECDSA", func(t *testing.T, d *draft) {
		d.csr.Spec.Usages = append(d.csr.Spec.Usages, certificatesv1.UsageKeyEncipherment)
	}, ReasonUsages},
	{"certificate signing with RSA", func(t *testing.T, d *draft) {
		d.key = rsaKey(t, 2048)
		d.csr.Spec.Usages = append(d.csr.Spec.Usages, certificatesv1.UsageCertSign)
	}, ReasonUsages},
	{"asks to be an authority", func(t *testing.T, d *draft) {
		d.template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}}
	}, ReasonExtensions},
}

var servingAttacks = append(slices.Clip(slices.Clone(bothSigners)), []attack{
	{"a node the inventory does not know", func(t *testing.T, d *draft) {
		asNode(d, "worker-9")
		d.csr.Spec.Username, d.template.DNSNames, d.template.IPAddresses = "system:node:worker-9", []string{"worker-9"}, nil
	}, ReasonUnknownNode},
	{"another node's certificate", func(t *testing.T, d *draft) { d.csr.Spec.Username = "system:node:worker-2" }, ReasonRequester},
	{"a person's request", func(t *testing.T, d *draft) { d.csr.Spec.Username = "redoubt:admin" }, ReasonRequester},
	{"a bootstrap token's request", func(t *testing.T, d *draft) { d.csr.Spec.Username = "system:bootstrap:abcdef" }, ReasonRequester},
	{"a requester outside system:nodes", func(t *testing.T, d *draft) { d.csr.Spec.Groups = []string{"system:authenticated"} }, ReasonRequesterGroup},
	{"a bare node name as common name", func(t *testing.T, d *draft) { d.template.Subject.CommonName = "worker-1" }, ReasonCommonName},
	{"no name and no address", func(t *testing.T, d *draft) { d.template.DNSNames, d.template.IPAddresses = nil, nil }, ReasonNoNames},
	{"the API server's name", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"kubernetes.default.svc"} }, ReasonForeignDNSName},
	{"another node's name besides", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"worker-1", "worker-2"} }, ReasonForeignDNSName},
	{"a name below the node's", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"worker-1.example.com"} }, ReasonForeignDNSName},
	{"a wildcard", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"*"} }, ReasonForeignDNSName},
	{"localhost", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"localhost"} }, ReasonForeignDNSName},
	{"another node's address", func(t *testing.T, d *draft) { d.template.IPAddresses = []net.IP{net.ParseIP("10.80.0.12")} }, ReasonForeignIPAddress},
	{"the control plane's address besides", func(t *testing.T, d *draft) {
		d.template.IPAddresses = append(d.template.IPAddresses, net.ParseIP("10.80.0.10"))
	}, ReasonForeignIPAddress},
	{"loopback", func(t *testing.T, d *draft) { d.template.IPAddresses = []net.IP{net.ParseIP("127.0.0.1")} }, ReasonForeignIPAddress},
	{"an e-mail name", func(t *testing.T, d *draft) { d.template.EmailAddresses = []string{"root@worker-1"} }, ReasonNameKind},
	{"a URI name", func(t *testing.T, d *draft) { d.template.URIs = []*url.URL{{Scheme: "spiffe", Host: "worker-1"}} }, ReasonNameKind},
	{"a kind of name that Go does not show", func(t *testing.T, d *draft) {
		// registeredID, context-specific tag 8, beside the node's own DNS name.
		value, err := asn1.Marshal([]asn1.RawValue{
			{Class: asn1.ClassContextSpecific, Tag: 2, Bytes: []byte("worker-1")},
			{Class: asn1.ClassContextSpecific, Tag: 8, Bytes: []byte{0x2a, 3}},
		})
		if err != nil {
			t.Fatal(err)
		}
		d.template.DNSNames, d.template.IPAddresses = nil, nil
		d.template.ExtraExtensions = []pkix.Extension{{Id: oidSubjectAltName, Value: value}}
	}, ReasonNameKind},
}...)

var bootstrapAttacks = append(slices.Clip(slices.Clone(bothSigners)), []attack{
	{"a node the inventory does not know", func(t *testing.T, d *draft) {
		asNode(d, "worker-9")
		d.csr.Spec.Groups = []string{"system:bootstrappers:redoubt:node:worker-9"}
	}, ReasonUnknownNode},
	{"another node's name", func(t *testing.T, d *draft) { asNode(d, "worker-2") }, ReasonTokenNode},
	{"a token for any node", func(t *testing.T, d *draft) {
		d.csr.Spec.Groups = []string{"system:bootstrappers", "system:bootstrappers:redoubt"}
	}, ReasonTokenNode},
	{"kubeadm's group", func(t *testing.T, d *draft) {
		d.csr.Spec.Groups = []string{"system:bootstrappers:kubeadm:default-node-token"}
	}, ReasonTokenNode},
	{"a token of a pool besides", func(t *testing.T, d *draft) {
		d.csr.Spec.Groups = append(d.csr.Spec.Groups, "system:bootstrappers:redoubt:pool:general")
	}, ReasonTokenNode},
	{"a token of two nodes", func(t *testing.T, d *draft) {
		d.csr.Spec.Groups = append(d.csr.Spec.Groups, "system:bootstrappers:redoubt:node:worker-2")
	}, ReasonTokenNode},
	{"a node name that continues the token's", func(t *testing.T, d *draft) { asNode(d, "worker-10") }, ReasonTokenNode},
	{"a machine that had to join earlier", func(t *testing.T, d *draft) { joinAs(d, "old") }, ReasonTooLate},
	{"a name that another machine's node has", func(t *testing.T, d *draft) { joinAs(d, "taken") }, ReasonNameTaken},
	{"a token where the machine joins by a certificate", func(t *testing.T, d *draft) { joinAs(d, "control-plane-1") }, ReasonTokenUser},
	{"a person in the token's group", func(t *testing.T, d *draft) { d.csr.Spec.Username = "mallory" }, ReasonTokenUser},
	{"a node's own renewal from outside system:nodes", func(t *testing.T, d *draft) {
		d.csr.Spec.Username = "system:node:worker-1"
	}, ReasonTokenUser},
	{"a person's common name", func(t *testing.T, d *draft) {
		d.template.Subject.CommonName = "worker-1" // as user name it would be nobody's
	}, ReasonCommonName},
	{"a DNS name", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"worker-1"} }, ReasonExtensions},
	{"an address", func(t *testing.T, d *draft) { d.template.IPAddresses = []net.IP{net.ParseIP("10.80.0.11")} }, ReasonExtensions},
	{"an e-mail name", func(t *testing.T, d *draft) { d.template.EmailAddresses = []string{"root@worker-1"} }, ReasonExtensions},
	{"a URI name", func(t *testing.T, d *draft) { d.template.URIs = []*url.URL{{Scheme: "spiffe", Host: "x"}} }, ReasonExtensions},
}...)

var renewalAttacks = append(slices.Clip(slices.Clone(bothSigners)), []attack{
	{"a node that was removed", func(t *testing.T, d *draft) {
		asNode(d, "worker-9")
		d.csr.Spec.Username = "system:node:worker-9"
	}, ReasonUnknownNode},
	{"a node asking for another node", func(t *testing.T, d *draft) { d.csr.Spec.Username = "system:node:worker-2" }, ReasonRequester},
	{"a node that also holds a token", func(t *testing.T, d *draft) {
		asNode(d, "worker-2")
		d.csr.Spec.Groups = append(d.csr.Spec.Groups, "system:bootstrappers:redoubt:node:worker-2")
	}, ReasonRequester},
	{"a DNS name", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"worker-1"} }, ReasonExtensions},
}...)

var policyAttacks = append(slices.Clip(slices.Clone(bothSigners)), []attack{
	{"a node that was removed", func(t *testing.T, d *draft) {
		d.template.Subject.CommonName, d.csr.Spec.Username = "redoubt:policy-agent:worker-9", "system:node:worker-9"
	}, ReasonUnknownNode},
	{"another node's agent", func(t *testing.T, d *draft) { d.csr.Spec.Username = "system:node:worker-2" }, ReasonRequester},
	{"a requester outside system:nodes", func(t *testing.T, d *draft) { d.csr.Spec.Groups = []string{"system:authenticated"} }, ReasonRequesterGroup},
	{"a person's request", func(t *testing.T, d *draft) { d.csr.Spec.Username = "redoubt:admin" }, ReasonRequester},
	{"a bare node name as common name", func(t *testing.T, d *draft) { d.template.Subject.CommonName = "worker-1" }, ReasonCommonName},
	{"the administrator's name", func(t *testing.T, d *draft) { d.template.Subject.CommonName = "redoubt:admin" }, ReasonRequester},
	{"the group of nodes", func(t *testing.T, d *draft) { d.template.Subject.Organization = []string{"system:nodes"} }, ReasonOrganization},
	{"the group of administrators besides", func(t *testing.T, d *draft) {
		d.template.Subject.Organization = append(d.template.Subject.Organization, "redoubt:platform-admins")
	}, ReasonOrganization},
	{"a DNS name", func(t *testing.T, d *draft) { d.template.DNSNames = []string{"worker-1"} }, ReasonExtensions},
}...)

func asNode(d *draft, name string) { d.template.Subject.CommonName = "system:node:" + name }

// joinAs asks for a node's first certificate with a token that is meant for it.
func joinAs(d *draft, node string) {
	asNode(d, node)
	d.csr.Spec.Groups = []string{"system:bootstrappers:redoubt", "system:bootstrappers:redoubt:node:" + node}
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0") // the weak key is the attack
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
