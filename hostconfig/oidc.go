package hostconfig

// OIDCIssuer is an external identity provider that the API server trusts.
//
// Tokens are mapped and judged by single claims, or by CEL expressions, which
// see the token as claims and the resulting user as user (KEP-3331):
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
// Expressions are compiled when the specification is validated.
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
	// name a built-in user, and apart from those of the other issuers.
	UsernamePrefix string `json:"usernamePrefix,omitempty"`
	// GroupsClaim is "groups" by default.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// GroupsPrefix is "oidc:" by default; never empty, and apart from those of
	// the other issuers.
	GroupsPrefix string `json:"groupsPrefix,omitempty"`
	// RequiredClaims must be in the token with these values.
	RequiredClaims map[string]string `json:"requiredClaims,omitempty"`

	// UsernameExpression gives the whole username, in place of UsernameClaim.
	// The API server refuses a token for which it does not begin with
	// UsernamePrefix: write "'oidc:' + claims.sub". An expression that uses
	// claims.email must use claims.email_verified somewhere too.
	UsernameExpression string `json:"usernameExpression,omitempty"`
	// GroupsExpression gives a group or a list of groups, in place of
	// GroupsClaim; each must begin with GroupsPrefix.
	GroupsExpression string `json:"groupsExpression,omitempty"`
	// UIDClaim or UIDExpression gives the user's uid; at most one of them.
	UIDClaim      string `json:"uidClaim,omitempty"`
	UIDExpression string `json:"uidExpression,omitempty"`
	// Extra are further attributes of the user, a key such as
	// example.org/department with the expression of its value.
	Extra map[string]string `json:"extra,omitempty"`
	// ClaimRules must all hold for the token, UserRules for the user that comes
	// out of it. They add to what is always demanded and can take nothing away.
	ClaimRules []OIDCRule `json:"claimRules,omitempty"`
	UserRules  []OIDCRule `json:"userRules,omitempty"`
	// EgressSelector is the way to the issuer, "controlplane" or "cluster", where
	// the API server has an egress-selector-config-file; empty means directly.
	EgressSelector string `json:"egressSelector,omitempty"`
}

// OIDCRule is a CEL expression that must be true.
type OIDCRule struct {
	Expression string `json:"expression"`
	// Message is what the API server logs when the rule refuses a token.
	Message string `json:"message,omitempty"`
}
