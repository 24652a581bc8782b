package approver

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
)

func TestAttacksAreDenied(t *testing.T) {
	for signer, suite := range map[string]struct {
		draft   func(*testing.T) *draft
		attacks []attack
	}{
		"serving": {servingDraft, servingAttacks}, "bootstrap": {bootstrapDraft, bootstrapAttacks},
		"renewal": {renewalDraft, renewalAttacks}, "policy agent": {policyDraft, policyAttacks},
	} {
		for _, attack := range suite.attacks {
			t.Run(signer+"/"+attack.name, func(t *testing.T) {
				d := suite.draft(t)
				attack.change(t, d)
				decision := answer(t, d)
				if decision.Verdict != Deny || decision.Reason != attack.reason || decision.Message == "" {
					t.Errorf("%s, %s: %s\nwant denied, %s", decision.Verdict, decision.Reason, decision.Message, attack.reason)
				}
				if condition := decision.condition(); condition.Type != certificatesv1.CertificateDenied ||
					condition.Status != corev1.ConditionTrue || condition.Reason != attack.reason {
					t.Errorf("the condition would be %+v", condition)
				}
			})
		}
	}
}

// TestEveryRuleIsNeeded takes away one rule after the other, and wants an attack
// that then comes through: a rule without one could be deleted unnoticed.
func TestEveryRuleIsNeeded(t *testing.T) {
	for signer, suite := range map[string]struct {
		draft   func(*testing.T) *draft
		attacks []attack
		rules   []rule
	}{
		"serving": {servingDraft, servingAttacks, servingRules}, "bootstrap": {bootstrapDraft, bootstrapAttacks, bootstrapRules},
		"renewal": {renewalDraft, renewalAttacks, renewalRules}, "policy agent": {policyDraft, policyAttacks, policyRules},
	} {
		for i, removed := range suite.rules {
			t.Run(signer+"/without "+removed.reason, func(t *testing.T) {
				rest := slices.Delete(slices.Clone(suite.rules), i, i+1)
				var through []string
				for _, attack := range suite.attacks {
					d := suite.draft(t)
					attack.change(t, d)
					if answerBy(t, d, ruleset{rest, rest, rest, rest}).Verdict == Approve {
						through = append(through, attack.name)
						if attack.reason != removed.reason {
							t.Errorf("%q comes through, which is meant for rule %s", attack.name, attack.reason)
						}
					}
				}
				if len(through) == 0 {
					t.Error("no attack comes through: the rule is not tested, or another makes it superfluous")
				}
			})
		}
	}
}

func TestKubeletsAreApproved(t *testing.T) {
	encipherment := func(t *testing.T, d *draft) {
		d.key = rsaKey(t, 2048)
		d.csr.Spec.Usages = append(d.csr.Spec.Usages, certificatesv1.UsageKeyEncipherment)
	}
	for name, test := range map[string]struct {
		draft  func(*testing.T) *draft
		change func(*testing.T, *draft)
	}{
		"serving":                   {servingDraft, func(*testing.T, *draft) {}},
		"serving, name only":        {servingDraft, func(t *testing.T, d *draft) { d.template.IPAddresses = nil }},
		"serving, address only":     {servingDraft, func(t *testing.T, d *draft) { d.template.DNSNames = nil }},
		"serving, IPv6":             {servingDraft, func(t *testing.T, d *draft) { d.template.IPAddresses = []net.IP{net.ParseIP("fd00:0::11")} }},
		"serving, RSA":              {servingDraft, func(t *testing.T, d *draft) { d.key = rsaKey(t, 2048) }},
		"serving, RSA enciphering":  {servingDraft, encipherment},
		"serving, other order":      {servingDraft, func(t *testing.T, d *draft) { slices.Reverse(d.csr.Spec.Usages) }},
		"bootstrap":                 {bootstrapDraft, func(*testing.T, *draft) {}},
		"bootstrap, RSA encipering": {bootstrapDraft, encipherment},
		"renewal":                   {renewalDraft, func(*testing.T, *draft) {}},
		"policy agent":              {policyDraft, func(*testing.T, *draft) {}},
		"policy agent, RSA":         {policyDraft, encipherment},
	} {
		t.Run(name, func(t *testing.T) {
			d := test.draft(t)
			test.change(t, d)
			decision := answer(t, d)
			if decision.Verdict != Approve || decision.Node != "worker-1" {
				t.Errorf("%s for node %q, %s: %s", decision.Verdict, decision.Node, decision.Reason, decision.Message)
			}
			if condition := decision.condition(); condition.Type != certificatesv1.CertificateApproved {
				t.Errorf("the condition would be %+v", condition)
			}
		})
	}
}

func TestOthersAreLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*testing.T, *draft){
		"another signer":        func(t *testing.T, d *draft) { d.csr.Spec.SignerName = certificatesv1.KubeAPIServerClientSignerName },
		"somebody's own signer": func(t *testing.T, d *draft) { d.csr.Spec.SignerName = "example.com/x" },
		"a broken request to another signer": func(t *testing.T, d *draft) {
			d.csr.Spec.SignerName, d.csr.Spec.Request = "example.com/x", []byte("x")
		},
		"approved already": decidedAs(certificatesv1.CertificateApproved),
		"denied already":   decidedAs(certificatesv1.CertificateDenied),
		"failed already":   decidedAs(certificatesv1.CertificateFailed),
		"issued already":   func(t *testing.T, d *draft) { d.csr.Status.Certificate = []byte("x") },
	} {
		t.Run(name, func(t *testing.T) {
			d := bootstrapDraft(t)
			change(t, d)
			if decision := answer(t, d); decision.Verdict != Ignore {
				t.Errorf("%s, %s: %s", decision.Verdict, decision.Reason, decision.Message)
			}
		})
	}
}

func decidedAs(kind certificatesv1.RequestConditionType) func(*testing.T, *draft) {
	return func(_ *testing.T, d *draft) {
		d.csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: kind}}
	}
}

// TestEmptyNodeName guards the corner in which prefix and name meet.
func TestEmptyNodeName(t *testing.T) {
	d := bootstrapDraft(t)
	asNode(d, "")
	d.csr.Spec.Groups = []string{"system:bootstrappers:redoubt:node:"}
	everything := func(context.Context, string) (Machine, bool, error) {
		return Machine{JoinGroup: "system:bootstrappers:redoubt:node:"}, true, nil
	}
	decision, err := Decide(t.Context(), d.finish(t), everything, moment)
	if err != nil {
		t.Fatal(err)
	}
	if decision.Verdict != Deny || !strings.Contains(decision.Message, "common name") {
		t.Errorf("%s: %s", decision.Verdict, decision.Message)
	}
}

// TestAnInventoryThatFailsDecidesNothing: neither approved nor denied, since both
// are for good.
func TestAnInventoryThatFailsDecidesNothing(t *testing.T) {
	failing := func(context.Context, string) (Machine, bool, error) { return Machine{}, false, errors.New("no answer") }
	for name, draft := range map[string]func(*testing.T) *draft{"serving": servingDraft, "bootstrap": bootstrapDraft, "renewal": renewalDraft} {
		if decision, err := Decide(t.Context(), draft(t).finish(t), failing, moment); err == nil || decision.Verdict != "" {
			t.Errorf("%s: %v, %v", name, decision, err)
		}
	}
}
