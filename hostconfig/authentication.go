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

// OIDCIssuer is an external identity provider that the API server trusts.
type OIDCIssuer struct {
	// URL is the issuer, exactly as its tokens say it; https only. Required.
	URL string `json:"url"`
	// DiscoveryURL replaces "<URL>/.well-known/openid-configuration".
	DiscoveryURL string `json:"discoveryURL,omitempty"`
	// CertificateAuthority is the PEM bundle that verifies the issuer; empty
	// means the machine's own trust store.
	CertificateAuthority string `json:"certificateAuthority,omitempty"`
	// Audiences are the client ids that a token must be for. Required.
	Audiences []string `json:"audiences"`
	// UsernameClaim is "sub" by default, the one claim that issuers never reuse.
	UsernameClaim string `json:"usernameClaim,omitempty"`
	// UsernamePrefix is "oidc:" by default; never empty, so that a token cannot
	// name a built-in user.
	UsernamePrefix string `json:"usernamePrefix,omitempty"`
	// GroupsClaim is "groups" by default.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// GroupsPrefix is "oidc:" by default; never empty.
	GroupsPrefix string `json:"groupsPrefix,omitempty"`
	// RequiredClaims must be in the token with these values.
	RequiredClaims map[string]string `json:"requiredClaims,omitempty"`
}

// defaultPrefix separates external users and groups from the cluster's own.
const defaultPrefix = "oidc:"

// reservedPrefixes belong to Kubernetes and to this project.
var reservedPrefixes = []string{"system:", "redoubt:"}

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
	setDefault(&o.UsernameClaim, "sub")
	setDefault(&o.UsernamePrefix, defaultPrefix)
	setDefault(&o.GroupsClaim, "groups")
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
			AudienceMatchPolicy:  apiserverv1.AudienceMatchPolicyMatchAny,
		},
		ClaimMappings: apiserverv1.ClaimMappings{
			Username: apiserverv1.PrefixedClaimOrExpression{Claim: o.UsernameClaim, Prefix: &o.UsernamePrefix},
			Groups:   apiserverv1.PrefixedClaimOrExpression{Claim: o.GroupsClaim, Prefix: &o.GroupsPrefix},
		},
	}
	if o.DiscoveryURL != "" {
		authenticator.Issuer.DiscoveryURL = &o.DiscoveryURL
	}
	for _, claim := range slices.Sorted(maps.Keys(o.RequiredClaims)) {
		authenticator.ClaimValidationRules = append(authenticator.ClaimValidationRules,
			apiserverv1.ClaimValidationRule{Claim: claim, RequiredValue: o.RequiredClaims[claim]})
	}
	// An empty claim would make everybody who has one the same user.
	authenticator.UserValidationRules = append(authenticator.UserValidationRules, apiserverv1.UserValidationRule{
		Expression: "user.username != " + strconv.Quote(o.UsernamePrefix),
		Message:    "the username claim is empty",
	})
	// The prefixes already keep reserved names out; these rules hold even if a
	// prefix were chosen badly.
	for _, reserved := range reservedPrefixes {
		authenticator.UserValidationRules = append(authenticator.UserValidationRules,
			apiserverv1.UserValidationRule{
				Expression: fmt.Sprintf("!user.username.startsWith('%s')", reserved),
				Message:    "usernames that begin with " + reserved + " are reserved",
			},
			apiserverv1.UserValidationRule{
				Expression: fmt.Sprintf("user.groups.all(group, !group.startsWith('%s'))", reserved),
				Message:    "groups that begin with " + reserved + " are reserved",
			})
	}
	return authenticator
}

func (p *problems) oidc(field string, issuers []OIDCIssuer) {
	seen := map[string]bool{}
	for i, issuer := range issuers {
		at := fmt.Sprintf("%s[%d]", field, i)
		p.httpsURL(at+".url", issuer.URL)
		if issuer.DiscoveryURL != "" {
			p.httpsURL(at+".discoveryURL", issuer.DiscoveryURL)
			if issuer.DiscoveryURL == issuer.URL {
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
	}
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
