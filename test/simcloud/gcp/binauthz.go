package gcp

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/binaryauthorization"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/containeranalysis"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/orgpolicy"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	clusterRule  = regexp.MustCompile(`^[a-z0-9-]+\.[a-z0-9-]+$`)
	policyParent = regexp.MustCompile(`^(projects/[a-z0-9-]+|folders/[0-9]+|organizations/[0-9]+)$`)
	policyName   = regexp.MustCompile(`^(projects/[a-z0-9-]+|folders/[0-9]+|organizations/[0-9]+)/policies/([a-zA-Z0-9]+\.[a-zA-Z0-9.]+)$`)
)

// binaryTypes say which images run: https://cloud.google.com/binary-authorization/docs/key-concepts
func binaryTypes() []*simcloud.ResourceType {
	n := named(kind(note, "projects/{project}/notes/{name}", containeranalysis.NoteArgs{}, containeranalysis.Note{}), 100)
	judged(n, func(c *simcloud.Change) error {
		c.Out["kind"] = "ATTESTATION"
		return nil
	}, nil)

	a := named(kind(attestor, "projects/{project}/attestors/{name}", binaryauthorization.AttestorArgs{}, binaryauthorization.Attestor{}), 100)
	a.References = []simcloud.Reference{holding(to("attestationAuthorityNote.noteReference", note, "projects/{project}/notes/{name}"))}
	a.Check = func(p *simcloud.Plan) {
		for i := range p.Values.List("attestationAuthorityNote.publicKeys") {
			at := fmt.Sprintf("attestationAuthorityNote.publicKeys[%d].", i)
			p.ExactlyOne(at+"asciiArmoredPgpPublicKey", at+"pkixPublicKey")
			if text := p.Values.String(at + "pkixPublicKey.publicKeyPem"); text != "" && !strings.Contains(text, "-----BEGIN PUBLIC KEY-----") {
				p.Add(at+"pkixPublicKey.publicKeyPem", "must be a public key in PEM")
			}
		}
	}

	t := kind(binaryPolicy, "projects/{project}", binaryauthorization.PolicyArgs{}, binaryauthorization.Policy{})
	t.Defaults = simcloud.Values{"globalPolicyEvaluationMode": "ENABLE"}
	t.References = []simcloud.Reference{holding(to("defaultAdmissionRule.requireAttestationsBies[]", attestor, "projects/{project}/attestors/{name}")),
		holding(to("clusterAdmissionRules[].requireAttestationsBies[]", attestor, "projects/{project}/attestors/{name}"))}
	t.Check = func(p *simcloud.Plan) {
		p.OneOf("globalPolicyEvaluationMode", "ENABLE", "DISABLE")
		rules := []string{"defaultAdmissionRule"}
		for i := range p.Values.List("clusterAdmissionRules") {
			at := fmt.Sprintf("clusterAdmissionRules[%d]", i)
			rules = append(rules, at)
			matching(p, at+".cluster", clusterRule, "a cluster is named location.name")
		}
		for _, at := range rules {
			p.OneOf(at+".evaluationMode", "ALWAYS_ALLOW", "REQUIRE_ATTESTATION", "ALWAYS_DENY")
			p.OneOf(at+".enforcementMode", "ENFORCED_BLOCK_AND_AUDIT_LOG", "DRYRUN_AUDIT_LOG_ONLY")
		}
	}
	attested := func(c *simcloud.Change) error {
		rules := append(c.New.List("clusterAdmissionRules"), section(c.New, "defaultAdmissionRule"))
		for _, rule := range rules {
			if (rule.String("evaluationMode") == "REQUIRE_ATTESTATION") != (len(rule.Strings("requireAttestationsBies")) > 0) {
				return badRequest("An admission rule names attestors with REQUIRE_ATTESTATION, and only then (%s).", rule.String("evaluationMode"))
			}
		}
		return nil
	}
	judged(t, attested, attested)
	return []*simcloud.ResourceType{n, a, t}
}

// orgPolicyTypes are constraints: https://cloud.google.com/resource-manager/docs/organization-policy/using-constraints
func orgPolicyTypes() []*simcloud.ResourceType {
	t := kind(orgPolicy, "{name}", orgpolicy.PolicyArgs{}, orgpolicy.Policy{})
	t.Replace = []string{"name", "parent"}
	t.Check = func(p *simcloud.Plan) {
		v := p.Values
		matching(p, "parent", policyParent, "a parent is projects/ID, folders/NUMBER or organizations/NUMBER")
		name := v.String("name")
		matching(p, "name", policyName, "a policy is named PARENT/policies/CONSTRAINT, such as projects/p/policies/compute.vmExternalIpAccess")
		if !v.Has("name") {
			p.Add("name", "the name says which constraint is meant: PARENT/policies/CONSTRAINT")
		} else if parent := v.String("parent"); name != "" && parent != "" && !strings.HasPrefix(name, parent+"/") {
			p.Add("name", fmt.Sprintf("%q must begin with its parent, %q", name, parent))
		}
		if !v.Has("spec") && !v.Has("dryRunSpec") {
			p.Add("spec", "a policy needs a spec or a dryRunSpec")
		}
		for i := range v.List("spec.rules") {
			at := fmt.Sprintf("spec.rules[%d].", i)
			p.ExactlyOne(at+"enforce", at+"allowAll", at+"denyAll", at+"values")
			for _, each := range []string{"enforce", "allowAll", "denyAll"} {
				p.OneOf(at+each, "TRUE", "FALSE", "true", "false")
			}
		}
	}
	return []*simcloud.ResourceType{t}
}
