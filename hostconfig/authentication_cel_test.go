package hostconfig

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apiserver/pkg/apis/apiserver"
	apiservervalidation "k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// expressive is an issuer that uses every kind of expression.
func expressive() OIDCIssuer {
	return OIDCIssuer{
		URL: "https://login.example.org", Audiences: []string{"kubernetes", "kubectl"},
		UsernameExpression: `claims.email_verified ? "oidc:" + claims.email : ""`,
		GroupsExpression:   `claims.roles.split(",").map(role, "oidc:" + role)`,
		UIDExpression:      "claims.sub",
		Extra:              map[string]string{"example.org/department": "claims.department", "example.org/amr": `has(claims.amr) ? claims.amr : []`},
		RequiredClaims:     map[string]string{"tenant": "a"},
		ClaimRules: []OIDCRule{
			{Expression: "claims.exp - claims.nbf <= 86400", Message: "a token lives a day at most"},
			{Expression: `"mfa" in claims.amr`, Message: "a second factor is required"},
		},
		UserRules: []OIDCRule{{Expression: `!user.username.endsWith("@contractor.example.org")`, Message: "no contractors"}},
	}
}

func TestIssuerExpressions(t *testing.T) {
	c := isolated()
	c.OIDC = []OIDCIssuer{expressive(), {URL: "https://ci.example.org", Audiences: []string{"ci"}, UIDClaim: "jti", UsernamePrefix: "ci:", GroupsPrefix: "ci:"}}
	accepted(t, c.Validate(now))
	file, err := c.authenticationFile()
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "controlplane/expressions/authentication.yaml", file.Contents)
	upstreamAuthentication(t, file.Contents)
}

// upstreamAuthentication judges a file with the API server's own validation.
func upstreamAuthentication(t testing.TB, document string) *apiserver.AuthenticationConfiguration {
	t.Helper()
	configuration := apiServerObject(t, document).(*apiserver.AuthenticationConfiguration)
	if found := apiservervalidation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), configuration, []string{isolated().issuer()}); len(found) > 0 {
		t.Fatalf("%v:\n%s", found.ToAggregate(), document)
	}
	return configuration
}

func TestExpressionRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*OIDCIssuer)
		field, text string
	}{
		"syntax":              {func(o *OIDCIssuer) { o.UsernameExpression = "claims.(" }, "oidc[0].usernameExpression", "Syntax error"},
		"unknown variable":    {func(o *OIDCIssuer) { o.GroupsExpression = "token.groups" }, "oidc[0].groupsExpression", "undeclared reference"},
		"unverified address":  {func(o *OIDCIssuer) { o.UsernameExpression = "'oidc:' + claims.email" }, "oidc[0].usernameExpression", "email_verified"},
		"uid":                 {func(o *OIDCIssuer) { o.UIDExpression = "1 +" }, "oidc[0].uidExpression", "Syntax error"},
		"two uids":            {func(o *OIDCIssuer) { o.UIDClaim = "sub" }, "oidc[0].uidExpression", "beside uidClaim"},
		"claim and username":  {func(o *OIDCIssuer) { o.UsernameClaim = "sub" }, "oidc[0].usernameExpression", "beside usernameClaim"},
		"claim and groups":    {func(o *OIDCIssuer) { o.GroupsClaim = "groups" }, "oidc[0].groupsExpression", "beside groupsClaim"},
		"extra value":         {func(o *OIDCIssuer) { o.Extra = map[string]string{"example.org/a": "user.username"} }, "oidc[0].extra[example.org/a]", "undeclared"},
		"extra of Kubernetes": {func(o *OIDCIssuer) { o.Extra = map[string]string{"authentication.kubernetes.io/node": "'x'"} }, "oidc[0].extra[authentication.kubernetes.io/node]", "reserved"},
		"no boolean":          {func(o *OIDCIssuer) { o.ClaimRules[1].Expression = "claims.sub + 'x'" }, "oidc[0].claimRules[1].expression", "must evaluate to bool"},
		"empty rule":          {func(o *OIDCIssuer) { o.UserRules[0].Expression = "" }, "oidc[0].userRules[0].expression", "empty"},
		"user rule on claims": {func(o *OIDCIssuer) { o.UserRules[0].Expression = "claims.admin" }, "oidc[0].userRules[0].expression", "undeclared"},
		"our own rule again":  {func(o *OIDCIssuer) { o.UserRules[0].Expression = o.protections()[3].Expression }, "oidc[0].userRules[0].expression", "Duplicate"},
		"reserved prefix":     {func(o *OIDCIssuer) { o.UsernamePrefix = "system:" }, "oidc[0].usernamePrefix", "reserved"},
		"the cluster itself":  {func(o *OIDCIssuer) { o.URL = isolated().issuer() }, "oidc[0].url", "disallowed"},
		"egress to nowhere":   {func(o *OIDCIssuer) { o.EgressSelector = "cluster" }, "oidc[0].egressSelector", "without a configuration"},
		"egress by etcd":      {func(o *OIDCIssuer) { o.EgressSelector = "etcd" }, "oidc[0].egressSelector", "not a way out"},
		"discovery is itself": {func(o *OIDCIssuer) { o.DiscoveryURL = o.URL + "/" }, "oidc[0].discoveryURL", "own url"},
	} {
		t.Run(name, func(t *testing.T) {
			c := isolated()
			issuer := expressive()
			each.change(&issuer)
			c.OIDC = []OIDCIssuer{issuer}
			refused(t, c.Validate(now), each.field, each.text)
		})
	}
	c := isolated()
	c.OIDC = []OIDCIssuer{expressive(), {URL: "https://ci.example.org", Audiences: []string{"ci"}, UsernamePrefix: "oidc:ci:", GroupsPrefix: "ci:"}}
	refused(t, c.Validate(now), "oidc[1].usernamePrefix", "form the names of oidc[0]")
	c.OIDC = nil
	for i := range mostIssuers + 1 {
		prefix := fmt.Sprintf("i%d:", i)
		c.OIDC = append(c.OIDC, OIDCIssuer{URL: fmt.Sprintf("https://%d.example.org", i), Audiences: []string{"a"}, UsernamePrefix: prefix, GroupsPrefix: prefix})
	}
	refused(t, c.Validate(now), "oidc", "65 issuers")
}

// TestExpressionsCannotNameTheSystem evaluates the protections with the API
// server's own program, for names that an expression could give.
func TestExpressionsCannotNameTheSystem(t *testing.T) {
	issuer := expressive()
	issuer.UserRules = nil
	c := isolated()
	c.OIDC = []OIDCIssuer{issuer}
	file, err := c.authenticationFile()
	if err != nil {
		t.Fatal(err)
	}
	configuration := apiServerObject(t, file.Contents).(*apiserver.AuthenticationConfiguration)
	mapper, found := apiservervalidation.CompileAndValidateJWTAuthenticator(authenticationcel.NewDefaultCompiler(), configuration.JWT[0], nil)
	if len(found) > 0 {
		t.Fatal(found.ToAggregate())
	}
	for _, each := range []struct {
		name   string
		groups []string
		want   bool
	}{
		{"oidc:alice", []string{"oidc:developers"}, true},
		{"oidc:alice", nil, true},
		{"", nil, false},
		{"oidc:", nil, false},
		{"alice", nil, false},
		{"system:admin", nil, false},
		{"redoubt:agent", nil, false},
		{"kubernetes-admin", nil, false},
		{"oidc:alice", []string{"oidc:a", "system:masters"}, false},
		{"oidc:alice", []string{"redoubt:platform-admins"}, false},
		{"oidc:alice", []string{"kubeadm:cluster-admins"}, false},
		{"oidc:alice", []string{"developers"}, false},
	} {
		if got := admits(t, mapper, each.name, each.groups); got != each.want {
			t.Errorf("%q in %q: %t", each.name, each.groups, got)
		}
	}
}

func admits(t *testing.T, mapper authenticationcel.CELMapper, name string, groups []string) bool {
	t.Helper()
	results, err := mapper.UserValidationRules.EvalUser(context.Background(), userValue(name, groups))
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		if result.EvalResult.Value() != true {
			return false
		}
	}
	return len(results) >= 7
}

// userValue is a user as the API server shows it to the rules.
func userValue(name string, groups []string) traits.Mapper {
	return types.DefaultTypeAdapter.NativeToValue(map[string]any{
		"username": name, "uid": "", "groups": append([]string{}, groups...), "extra": map[string][]string{},
	}).(traits.Mapper)
}

// FuzzClaimExpressions: what compiles here is accepted by the API server, and
// the protections are always among the rules.
func FuzzClaimExpressions(f *testing.F) {
	o := expressive()
	f.Add(o.UsernameExpression, o.GroupsExpression, "example.org/department", "claims.department", o.ClaimRules[0].Expression, o.UserRules[0].Expression, "oidc:")
	f.Add("'system:admin'", "['system:masters']", "a", "b", "true", "true", "x")
	f.Add("claims.(", "[", "kubernetes.io/a", "", "1", "user", "sys")
	f.Add(strings.Repeat("(", 300), "\x00", "example.org/\xff", "'\\", "claims.a.b.c == 1", "user.groups.all(g, g == '')", "\"quote")
	f.Fuzz(func(t *testing.T, username, groups, key, value, claimRule, userRule, prefix string) {
		c := isolated()
		issuer := OIDCIssuer{URL: "https://login.example.org", Audiences: []string{"a"}, UsernameExpression: username, GroupsExpression: groups,
			UsernamePrefix: prefix, Extra: map[string]string{key: value}, ClaimRules: []OIDCRule{{Expression: claimRule}}, UserRules: []OIDCRule{{Expression: userRule}}}
		c.OIDC = []OIDCIssuer{issuer}
		if err := c.Validate(now); err != nil {
			return
		}
		file, err := c.authenticationFile()
		if err != nil {
			t.Fatal(err)
		}
		rules := upstreamAuthentication(t, file.Contents).JWT[0].UserValidationRules
		for _, reserved := range reservedPrefixes {
			if !slices.ContainsFunc(rules, func(rule apiserver.UserValidationRule) bool {
				return rule.Expression == "!user.username.startsWith('"+reserved+"')"
			}) {
				t.Fatalf("%s is not reserved:\n%s", reserved, file.Contents)
			}
		}
	})
}
