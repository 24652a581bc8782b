package approver

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Reasons of a denial, one for each rule.
const (
	ReasonRequester        = "RequesterIsNotThisNode"
	ReasonRequesterGroup   = "RequesterIsNotInSystemNodes"
	ReasonTokenUser        = "RequesterIsNotABootstrapToken"
	ReasonTokenNode        = "TokenIsNotForThisNode"
	ReasonCommonName       = "CommonNameIsNotANode"
	ReasonOrganization     = "OrganizationIsNotSystemNodes"
	ReasonSubject          = "SubjectHasOtherAttributes"
	ReasonKey              = "KeyIsWeak"
	ReasonUsages           = "UsagesDiffer"
	ReasonExtensions       = "ExtensionIsNotAllowed"
	ReasonUnknownNode      = "NodeIsNotInTheInventory"
	ReasonTooLate          = "MachineIsTooOldToJoin"
	ReasonNameTaken        = "NodeBelongsToAnotherMachine"
	ReasonNoNames          = "NoNameOrAddress"
	ReasonNameKind         = "KindOfNameIsNotAllowed"
	ReasonForeignDNSName   = "DNSNameIsNotOfThisNode"
	ReasonForeignIPAddress = "IPAddressIsNotOfThisNode"
)

const (
	minimumECDSABits = 256  // NIST SP 800-131A and 800-186: P-256 is the least still in use
	minimumRSABits   = 2048 // NIST SP 800-131A

	// Kinds of GeneralName, RFC 5280 section 4.2.1.6.
	tagDNSName   = 2
	tagIPAddress = 7
)

// servingRules are the conditions for a kubelet's serving certificate. They are the
// signer's own (kubernetes.io/kubelet-serving), made exact, and those that only
// somebody with an inventory can check.
var servingRules = []rule{
	{ReasonRequester, requesterIsNode},
	{ReasonRequesterGroup, requesterIsInNodes},
	{ReasonCommonName, commonNameIsNode},
	{ReasonOrganization, organizationIsNodes},
	{ReasonSubject, subjectIsPlain},
	{ReasonKey, keyIsStrong},
	{ReasonUsages, usagesAre(certificatesv1.UsageServerAuth)},
	{ReasonExtensions, onlyAlternativeNames},
	{ReasonUnknownNode, nodeIsKnown},
	{ReasonNoNames, someName},
	{ReasonNameKind, namesAndAddressesOnly},
	{ReasonForeignDNSName, dnsNamesAreTheNodes},
	{ReasonForeignIPAddress, addressesAreTheNodes},
}

// bootstrapRules are the conditions for a node's first client certificate, asked
// for with the credential that was made for this node or for its group of
// machines. The last two bound what such a credential is good for once somebody
// stole it.
var bootstrapRules = []rule{
	{ReasonTokenUser, requesterIsToken},
	{ReasonTokenNode, tokenIsForNode},
	{ReasonCommonName, commonNameIsNode},
	{ReasonOrganization, organizationIsNodes},
	{ReasonSubject, subjectIsPlain},
	{ReasonKey, keyIsStrong},
	{ReasonUsages, usagesAre(certificatesv1.UsageClientAuth)},
	{ReasonExtensions, noExtensions},
	{ReasonUnknownNode, nodeIsKnown},
	{ReasonTooLate, machineIsNew},
	{ReasonNameTaken, nameIsFree},
}

// renewalRules are the conditions for a node's next client certificate, asked for
// with the present one. The controller-manager could approve these by itself
// (selfnodeclient), but it has no inventory: a node that was removed would renew
// its way on for ever.
var renewalRules = []rule{
	{ReasonRequester, requesterIsNode},
	{ReasonOrganization, organizationIsNodes},
	{ReasonSubject, subjectIsPlain},
	{ReasonKey, keyIsStrong},
	{ReasonUsages, usagesAre(certificatesv1.UsageClientAuth)},
	{ReasonExtensions, noExtensions},
	{ReasonUnknownNode, nodeIsKnown},
}

// policyAgentPrefix begins the names of policy agents.
var policyAgentPrefix = hostconfig.UserPolicyAgent("")

// policyRules are the conditions for the client certificate of a node's policy
// agent: the node itself asks for it, with its own certificate.
var policyRules = []rule{
	{ReasonRequester, requesterIsNode},
	{ReasonRequesterGroup, requesterIsInNodes},
	{ReasonCommonName, commonNameIsPolicyAgent},
	{ReasonOrganization, organizationIsPolicyAgents},
	{ReasonSubject, subjectIsPlain},
	{ReasonKey, keyIsStrong},
	{ReasonUsages, usagesAre(certificatesv1.UsageClientAuth)},
	{ReasonExtensions, noExtensions},
	{ReasonUnknownNode, nodeIsKnown},
}

func requesterIsNode(r *request) error {
	if r.csr.Spec.Username != userPrefix+r.node {
		return fmt.Errorf("%q asks for a certificate of node %q", r.csr.Spec.Username, r.node)
	}
	return nil
}

func requesterIsInNodes(r *request) error {
	if !slices.Contains(r.csr.Spec.Groups, nodesGroup) {
		return fmt.Errorf("%q is not in the group %s", r.csr.Spec.Username, nodesGroup)
	}
	return nil
}

func requesterIsToken(r *request) error {
	user := r.csr.Spec.Username
	if r.machine.JoinUser == "" && !strings.HasPrefix(user, bootstrapPrefix) {
		return fmt.Errorf("%q is neither a bootstrap token nor the node itself", user)
	}
	if r.machine.JoinUser != "" && user != r.machine.JoinUser {
		return fmt.Errorf("%q is neither %q nor the node itself", user, r.machine.JoinUser)
	}
	return nil
}

// tokenIsForNode wants exactly one group below that of all joiners: a token of
// several nodes would let one of them become the other.
func tokenIsForNode(r *request) error {
	if !r.known {
		return nil // a rule of its own
	}
	var groups []string
	for _, group := range r.csr.Spec.Groups {
		if strings.HasPrefix(group, hostconfig.GroupNodeBootstrappers+":") {
			groups = append(groups, group)
		}
	}
	if want := r.machine.JoinGroup; len(groups) != 1 || groups[0] != want {
		return fmt.Errorf("the token's groups of nodes are %q instead of exactly %q", groups, want)
	}
	return nil
}

func commonNameIsNode(r *request) error {
	if name := r.x509.Subject.CommonName; !strings.HasPrefix(name, userPrefix) || name == userPrefix {
		return fmt.Errorf("the common name %q is not %s<name>", name, userPrefix)
	}
	return nil
}

func commonNameIsPolicyAgent(r *request) error {
	if name := r.x509.Subject.CommonName; !strings.HasPrefix(name, policyAgentPrefix) || name == policyAgentPrefix {
		return fmt.Errorf("the common name %q is not %s<name of the node>", name, policyAgentPrefix)
	}
	return nil
}

func organizationIsPolicyAgents(r *request) error {
	if have := r.x509.Subject.Organization; !slices.Equal(have, []string{hostconfig.GroupPolicyAgents}) {
		return fmt.Errorf("the organizations are %q instead of exactly %q", have, hostconfig.GroupPolicyAgents)
	}
	return nil
}

func organizationIsNodes(r *request) error {
	if have := r.x509.Subject.Organization; !slices.Equal(have, []string{nodesGroup}) {
		return fmt.Errorf("the organizations are %q instead of exactly %q", have, nodesGroup)
	}
	return nil
}

// subjectIsPlain wants two attributes, which the rules before know to be a common
// name and an organization: readers differ in which of several common names counts.
func subjectIsPlain(r *request) error {
	if count := len(r.x509.Subject.Names); count != 2 {
		return fmt.Errorf("the subject %q has %d attributes instead of one common name and one organization", r.x509.Subject, count)
	}
	return nil
}

func keyIsStrong(r *request) error {
	switch key := r.x509.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < minimumECDSABits {
			return fmt.Errorf("the ECDSA key has %d bits instead of at least %d", bits, minimumECDSABits)
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minimumRSABits {
			return fmt.Errorf("the RSA key has %d bits instead of at least %d", bits, minimumRSABits)
		}
	default:
		return fmt.Errorf("a key of type %s is neither ECDSA nor RSA", r.x509.PublicKeyAlgorithm)
	}
	return nil
}

// usagesAre wants digital signature and the given usage, and key encipherment
// beside them only with an RSA key, which alone can encipher keys.
func usagesAre(usage certificatesv1.KeyUsage) func(*request) error {
	return func(r *request) error {
		allowed := []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, usage}
		have := slices.Sorted(slices.Values(r.csr.Spec.Usages))
		if slices.Equal(have, slices.Sorted(slices.Values(allowed))) {
			return nil
		}
		if _, isRSA := r.x509.PublicKey.(*rsa.PublicKey); isRSA {
			allowed = append(allowed, certificatesv1.UsageKeyEncipherment)
			if slices.Equal(have, slices.Sorted(slices.Values(allowed))) {
				return nil
			}
		}
		return fmt.Errorf("the usages are %q instead of exactly %q", have, allowed)
	}
}

func onlyAlternativeNames(r *request) error {
	for _, extension := range r.x509.Extensions {
		if !extension.Id.Equal(oidSubjectAltName) {
			return fmt.Errorf("the request asks for the extension %s: only subjectAltName is allowed", extension.Id)
		}
	}
	return nil
}

// noExtensions keeps alternative names out with everything else: a client
// certificate that has names could serve in a node's place.
func noExtensions(r *request) error {
	if len(r.x509.Extensions) > 0 {
		return fmt.Errorf("the request asks for the extension %s: a client certificate has none, alternative names included", r.x509.Extensions[0].Id)
	}
	return nil
}

func nodeIsKnown(r *request) error {
	if !r.known {
		return fmt.Errorf("the node %q is not in this cluster's inventory", r.node)
	}
	return nil
}

// machineIsNew bounds the time in which a machine may become a node.
func machineIsNew(r *request) error {
	if by := r.machine.JoinBy; !by.IsZero() && r.now.After(by) {
		return fmt.Errorf("the machine of node %q had to join by %s: replace it", r.node, by.UTC().Format(time.RFC3339))
	}
	return nil
}

// nameIsFree keeps a credential from taking over a node that works already.
func nameIsFree(r *request) error {
	if other := r.machine.TakenBy; other != "" {
		return fmt.Errorf("the node %q is %s", r.node, other)
	}
	return nil
}

func someName(r *request) error {
	if len(r.names) == 0 {
		return errors.New("the request names no DNS name and no address")
	}
	return nil
}

func namesAndAddressesOnly(r *request) error {
	for _, name := range r.names {
		if name.Tag != tagDNSName && name.Tag != tagIPAddress {
			return fmt.Errorf("an alternative name has the kind %d (RFC 5280 GeneralName): only DNS names and addresses are allowed", name.Tag)
		}
	}
	return nil
}

func dnsNamesAreTheNodes(r *request) error {
	for _, name := range r.x509.DNSNames {
		if name != r.node {
			return fmt.Errorf("the DNS name %q is not the node's name %q", name, r.node)
		}
	}
	return nil
}

func addressesAreTheNodes(r *request) error {
	for _, address := range r.x509.IPAddresses {
		if !slices.ContainsFunc(r.machine.Addresses, func(own string) bool { return address.Equal(net.ParseIP(own)) }) {
			return fmt.Errorf("the address %s is not one of node %s: %q", address, r.node, r.machine.Addresses)
		}
	}
	return nil
}
