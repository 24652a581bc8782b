package approver

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Verdict is what happens to a request.
type Verdict string

const (
	Ignore  Verdict = "ignored"
	Approve Verdict = "approved"
	Deny    Verdict = "denied"
)

const (
	userPrefix      = "system:node:"      // of a node, followed by its name
	nodesGroup      = "system:nodes"      // of every node
	bootstrapPrefix = "system:bootstrap:" // of a bootstrap token's user, followed by the token's id
)

// Decision is the answer to one request.
type Decision struct {
	Verdict Verdict
	// Node is the name of the node that the certificate would name.
	Node string
	// Reason is one of the Reason constants: the name of the rule that decided.
	Reason string
	// Message is for people.
	Message string
	// signs is what is signed here after an approval, for the key of the request;
	// nil where the controller-manager signs.
	signs *x509.CertificateRequest
}

// reasonAllRules is the reason of an approval.
const reasonAllRules = "EveryRuleHolds"

// rule is one condition of an approval.
type rule struct {
	reason string // CamelCase, stands in the request's condition
	check  func(*request) error
}

// Decide answers a request at a moment. It asks the inventory for the one machine
// that the request is about, and for none when the request is not for the signers
// that it answers for or cannot be read. An error means that nothing was decided.
func Decide(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, inventory Inventory, now time.Time) (Decision, error) {
	return decide(ctx, csr, inventory, now, ruleset{servingRules, bootstrapRules, renewalRules, policyRules})
}

// ruleset holds the rules of each kind of request.
type ruleset struct{ serving, bootstrap, renewal, policy []rule }

// of gives the rules of a request's kind; false when it is for another signer.
func (r ruleset) of(csr *certificatesv1.CertificateSigningRequest) ([]rule, bool) {
	switch {
	case csr.Spec.SignerName == certificatesv1.KubeletServingSignerName:
		return r.serving, true
	case csr.Spec.SignerName == hostconfig.SignerPolicyAgent:
		return r.policy, true
	case csr.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName:
		return nil, false
	case strings.HasPrefix(csr.Spec.Username, userPrefix) && slices.Contains(csr.Spec.Groups, nodesGroup):
		return r.renewal, true
	}
	return r.bootstrap, true
}

func decide(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, inventory Inventory, now time.Time, all ruleset) (Decision, error) {
	rules, ours := all.of(csr)
	if !ours {
		return Decision{Verdict: Ignore, Message: "the request is for another signer"}, nil
	}
	if decided(csr) {
		return Decision{Verdict: Ignore, Message: "the request is decided already"}, nil
	}
	r, err := parse(csr)
	if err != nil {
		return Decision{Verdict: Deny, Reason: ReasonMalformed, Message: err.Error()}, nil
	}
	r.now = now
	if r.node != "" {
		if r.machine, r.known, err = inventory(ctx, r.node); err != nil {
			return Decision{}, fmt.Errorf("reading the inventory: %w", err)
		}
	}
	for _, rule := range rules {
		if err := rule.check(r); err != nil {
			return Decision{Verdict: Deny, Node: r.node, Reason: rule.reason, Message: err.Error()}, nil
		}
	}
	approved := Decision{Verdict: Approve, Node: r.node, Reason: reasonAllRules,
		Message: "the requester is entitled to a certificate for node " + r.node + " and asks for nothing else"}
	if csr.Spec.SignerName == hostconfig.SignerPolicyAgent {
		approved.signs = r.x509
	}
	return approved, nil
}

// decided tells whether somebody has answered the request.
func decided(csr *certificatesv1.CertificateSigningRequest) bool {
	return len(csr.Status.Certificate) > 0 ||
		slices.ContainsFunc(csr.Status.Conditions, func(c certificatesv1.CertificateSigningRequestCondition) bool {
			return c.Type == certificatesv1.CertificateApproved || c.Type == certificatesv1.CertificateDenied ||
				c.Type == certificatesv1.CertificateFailed
		})
}

// condition is how a decision is written into the request's status.
func (d Decision) condition() certificatesv1.CertificateSigningRequestCondition {
	kind := certificatesv1.CertificateApproved
	if d.Verdict == Deny {
		kind = certificatesv1.CertificateDenied
	}
	return certificatesv1.CertificateSigningRequestCondition{
		Type:    kind,
		Status:  corev1.ConditionTrue,
		Reason:  d.Reason,
		Message: "redoubt: " + d.Message,
	}
}
