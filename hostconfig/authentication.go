package hostconfig

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
)

// defaultPrefix separates external users and groups from the cluster's own.
const defaultPrefix = "oidc:"

// reservedPrefixes belong to Kubernetes, to this project, and to kubeadm, which
// makes the group kubeadm:cluster-admins an administrator.
var reservedPrefixes = []string{"system:", "redoubt:", "kubeadm:"}

// ReservedPrefixes begin the names of users and groups that no identity provider
// may form.
func ReservedPrefixes() []string { return slices.Clone(reservedPrefixes) }

// mostIssuers is upstream's limit.
const mostIssuers = 64

// anonymousPaths are what a request without credentials may read: nothing but
// health, for load balancers and probes (CIS 1.2.1).
var anonymousPaths = []string{"/livez", "/readyz", "/healthz"}

// authenticationFile renders the structured authentication configuration:
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
func (c ControlPlane) authenticationFile() (File, error) {
	configuration := apiserverv1.AuthenticationConfiguration{
		TypeMeta:  metav1.TypeMeta{APIVersion: "apiserver.config.k8s.io/v1", Kind: "AuthenticationConfiguration"},
		JWT:       []apiserverv1.JWTAuthenticator{},
		Anonymous: &apiserverv1.AnonymousAuthConfig{Enabled: true},
	}
	for _, path := range anonymousPaths {
		configuration.Anonymous.Conditions = append(configuration.Anonymous.Conditions, apiserverv1.AnonymousAuthCondition{Path: path})
	}
	for _, issuer := range c.OIDC {
		configuration.JWT = append(configuration.JWT, issuer.authenticator())
	}
	contents, err := renderYAML(configuration)
	if err != nil {
		return File{}, fmt.Errorf("authentication configuration: %w", err)
	}
	return File{Path: c.Paths.Authentication(), Mode: modePrivate, Contents: contents}, nil
}

func (o OIDCIssuer) withDefaults() OIDCIssuer {
	if o.UsernameExpression == "" {
		setDefault(&o.UsernameClaim, "sub")
	}
	setDefault(&o.UsernamePrefix, defaultPrefix)
	if o.GroupsExpression == "" {
		setDefault(&o.GroupsClaim, "groups")
	}
	setDefault(&o.GroupsPrefix, defaultPrefix)
	return o
}

func (o OIDCIssuer) authenticator() apiserverv1.JWTAuthenticator {
	o = o.withDefaults()
	authenticator := apiserverv1.JWTAuthenticator{
		Issuer: apiserverv1.Issuer{
			URL:                  o.URL,
			CertificateAuthority: o.CertificateAuthority,
			Audiences:            o.Audiences,
			// The only policy that upstream has. A claim rule can ask for more:
			// sets.equivalent(claims.aud, ["a", "b"]).
			AudienceMatchPolicy: apiserverv1.AudienceMatchPolicyMatchAny,
			EgressSelectorType:  apiserverv1.EgressSelectorType(o.EgressSelector),
		},
		ClaimMappings: o.claimMappings(),
	}
	if o.DiscoveryURL != "" {
		authenticator.Issuer.DiscoveryURL = &o.DiscoveryURL
	}
	for _, claim := range slices.Sorted(maps.Keys(o.RequiredClaims)) {
		authenticator.ClaimValidationRules = append(authenticator.ClaimValidationRules,
			apiserverv1.ClaimValidationRule{Claim: claim, RequiredValue: o.RequiredClaims[claim]})
	}
	for _, rule := range o.ClaimRules {
		authenticator.ClaimValidationRules = append(authenticator.ClaimValidationRules,
			apiserverv1.ClaimValidationRule{Expression: rule.Expression, Message: rule.Message})
	}
	authenticator.UserValidationRules = o.protections()
	for _, rule := range o.UserRules {
		authenticator.UserValidationRules = append(authenticator.UserValidationRules,
			apiserverv1.UserValidationRule{Expression: rule.Expression, Message: rule.Message})
	}
	return authenticator
}

// protections are the rules that no issuer can be without. The API server
// applies them to the user that comes out of the claims or expressions.
func (o OIDCIssuer) protections() []apiserverv1.UserValidationRule {
	// An empty claim would make everybody who has one the same user.
	rules := []apiserverv1.UserValidationRule{{
		Expression: "user.username != " + strconv.Quote(o.UsernamePrefix),
		Message:    "the username claim is empty",
	}}
	// Where the API server puts the prefix before a claim, these hold anyway. An
	// expression says the whole name, so that it has to be held to its prefix.
	if o.UsernameExpression != "" {
		rules = append(rules, apiserverv1.UserValidationRule{
			Expression: "user.username.startsWith(" + strconv.Quote(o.UsernamePrefix) + ")",
			Message:    "usernames of this issuer begin with " + o.UsernamePrefix,
		})
	}
	if o.GroupsExpression != "" {
		rules = append(rules, apiserverv1.UserValidationRule{
			Expression: "user.groups.all(group, group.startsWith(" + strconv.Quote(o.GroupsPrefix) + "))",
			Message:    "groups of this issuer begin with " + o.GroupsPrefix,
		})
	}
	// The prefixes already keep reserved names out; these rules hold even if a
	// prefix were chosen badly.
	for _, reserved := range reservedPrefixes {
		rules = append(rules,
			apiserverv1.UserValidationRule{
				Expression: fmt.Sprintf("!user.username.startsWith('%s')", reserved),
				Message:    "usernames that begin with " + reserved + " are reserved",
			},
			apiserverv1.UserValidationRule{
				Expression: fmt.Sprintf("user.groups.all(group, !group.startsWith('%s'))", reserved),
				Message:    "groups that begin with " + reserved + " are reserved",
			})
	}
	return rules
}

func (p *problems) oidc(field string, c ControlPlane) {
	seen := map[string]bool{}
	if len(c.OIDC) > mostIssuers {
		p.add(field, fmt.Sprintf("%d issuers are more than the API server accepts", len(c.OIDC)), fmt.Sprintf("list at most %d", mostIssuers))
	}
	for i, issuer := range c.OIDC {
		at, before := fmt.Sprintf("%s[%d]", field, i), len(*p)
		p.httpsURL(at+".url", issuer.URL)
		if issuer.DiscoveryURL != "" {
			p.httpsURL(at+".discoveryURL", issuer.DiscoveryURL)
			if strings.TrimRight(issuer.DiscoveryURL, "/") == strings.TrimRight(issuer.URL, "/") {
				p.add(at+".discoveryURL", "is the issuer's own url", "leave it empty, or write the full discovery document's url")
			}
			if seen[issuer.DiscoveryURL] {
				p.add(at+".discoveryURL", "is used by an earlier issuer", "give each issuer its own")
			}
			seen[issuer.DiscoveryURL] = true
		}
		if seen[issuer.URL] {
			p.add(at+".url", "is listed twice", "list each issuer once, with all its audiences")
		}
		seen[issuer.URL] = true
		p.audiences(at+".audiences", issuer.Audiences)
		if ca := issuer.CertificateAuthority; ca != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(ca)) {
			p.add(at+".certificateAuthority", "holds no certificate", "write a PEM bundle")
		}
		issuer = issuer.withDefaults()
		p.prefix(at+".usernamePrefix", issuer.UsernamePrefix)
		p.prefix(at+".groupsPrefix", issuer.GroupsPrefix)
		for claim := range issuer.RequiredClaims {
			if claim == "" {
				p.add(at+".requiredClaims", "a claim has no name", "write the claim's name")
			}
		}
		for j, earlier := range c.OIDC[:i] {
			p.issuersApart(at, issuer, fmt.Sprintf("%s[%d]", field, j), earlier.withDefaults())
		}
		p.expressions(at, issuer, c)
		// Only what has the right form is worth a compilation.
		if len(*p) == before {
			p.compiles(at, issuer, c.issuer())
		}
	}
}

// issuersApart wants issuers that cannot name each other's users and groups.
func (p *problems) issuersApart(at string, issuer OIDCIssuer, otherField string, other OIDCIssuer) {
	overlap := func(name, a, b string) {
		if strings.HasPrefix(a, b) || strings.HasPrefix(b, a) {
			p.add(at+"."+name, fmt.Sprintf("%q lets this issuer form the names of %s, which has %q", a, otherField, b),
				"give each issuer a prefix of its own, such as ci:")
		}
	}
	overlap("usernamePrefix", issuer.UsernamePrefix, other.UsernamePrefix)
	overlap("groupsPrefix", issuer.GroupsPrefix, other.GroupsPrefix)
}

func (p *problems) audiences(field string, audiences []string) {
	if len(audiences) == 0 {
		p.add(field, "is empty", "write the client id for which this cluster's tokens are issued")
	}
	seen := map[string]bool{}
	for _, audience := range audiences {
		if audience == "" || seen[audience] {
			p.add(field, "has an empty or repeated entry", "write each client id once")
		}
		seen[audience] = true
	}
}

func (p *problems) prefix(field, prefix string) {
	for _, reserved := range reservedPrefixes {
		if strings.HasPrefix(prefix, reserved) || strings.HasPrefix(reserved, prefix) {
			p.add(field, fmt.Sprintf("%q can form a name of the reserved %s", prefix, reserved), "use a prefix such as "+defaultPrefix)
		}
	}
}

func (p *problems) httpsURL(field, value string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		p.add(field, quote(value)+" is not an https URL", "write https://host/path without user, query or fragment")
	}
}
