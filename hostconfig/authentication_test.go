package hostconfig

import (
	"slices"
	"testing"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestAnonymousReadsHealthOnly(t *testing.T) {
	file, err := isolated().authenticationFile()
	if err != nil {
		t.Fatal(err)
	}
	var configuration apiserverv1.AuthenticationConfiguration
	decode(t, file.Contents, &configuration)
	var paths []string
	for _, condition := range configuration.Anonymous.Conditions {
		paths = append(paths, condition.Path)
	}
	if !configuration.Anonymous.Enabled || !slices.Equal(paths, []string{"/livez", "/readyz", "/healthz"}) {
		t.Errorf("anonymous requests: %+v", configuration.Anonymous)
	}
	if len(configuration.JWT) != 0 {
		t.Errorf("an issuer that nobody asked for: %+v", configuration.JWT)
	}
}

func TestIssuers(t *testing.T) {
	c := isolated()
	c.OIDC = []OIDCIssuer{
		{URL: "https://login.example.org", Audiences: []string{"kubernetes"}, RequiredClaims: map[string]string{"hd": "example.org", "amr": "mfa"}},
		{URL: "https://ci.example.org", DiscoveryURL: "https://ci.internal/.well-known/openid-configuration", Audiences: []string{"a", "b"},
			UsernameClaim: "email", UsernamePrefix: "ci:", GroupsClaim: "roles", GroupsPrefix: "ci:"},
	}
	accepted(t, c.Validate(now))
	file, err := c.authenticationFile()
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "controlplane/issuers/authentication.yaml", file.Contents)
	var configuration apiserverv1.AuthenticationConfiguration
	decode(t, file.Contents, &configuration)
	for _, issuer := range configuration.JWT {
		if *issuer.ClaimMappings.Username.Prefix == "" || *issuer.ClaimMappings.Groups.Prefix == "" || len(issuer.UserValidationRules) != 7 {
			t.Errorf("%s could name a built-in user or group, or nobody", issuer.Issuer.URL)
		}
	}
}

func TestIssuerRefusals(t *testing.T) {
	valid := OIDCIssuer{URL: "https://login.example.org", Audiences: []string{"kubernetes"}}
	for name, each := range map[string]struct {
		change      func(*OIDCIssuer)
		field, text string
	}{
		"plaintext":           {func(o *OIDCIssuer) { o.URL = "http://login.example.org" }, "oidc[0].url", "https"},
		"query":               {func(o *OIDCIssuer) { o.URL += "?a=b" }, "oidc[0].url", "https"},
		"no audience":         {func(o *OIDCIssuer) { o.Audiences = nil }, "oidc[0].audiences", "empty"},
		"repeated audience":   {func(o *OIDCIssuer) { o.Audiences = []string{"a", "a"} }, "oidc[0].audiences", "repeated"},
		"system users":        {func(o *OIDCIssuer) { o.UsernamePrefix = "system:" }, "oidc[0].usernamePrefix", "reserved"},
		"part of system":      {func(o *OIDCIssuer) { o.GroupsPrefix = "sys" }, "oidc[0].groupsPrefix", "reserved"},
		"platform groups":     {func(o *OIDCIssuer) { o.GroupsPrefix = "redoubt:" }, "oidc[0].groupsPrefix", "reserved"},
		"kubeadm's groups":    {func(o *OIDCIssuer) { o.GroupsPrefix = "kubeadm:" }, "oidc[0].groupsPrefix", "reserved"},
		"part of kubeadm":     {func(o *OIDCIssuer) { o.GroupsPrefix = "kube" }, "oidc[0].groupsPrefix", "reserved"},
		"no certificate":      {func(o *OIDCIssuer) { o.CertificateAuthority = "x" }, "oidc[0].certificateAuthority", "no certificate"},
		"discovery is itself": {func(o *OIDCIssuer) { o.DiscoveryURL = o.URL }, "oidc[0].discoveryURL", "own url"},
		"nameless claim":      {func(o *OIDCIssuer) { o.RequiredClaims = map[string]string{"": "x"} }, "oidc[0].requiredClaims", "no name"},
	} {
		t.Run(name, func(t *testing.T) {
			c := isolated()
			issuer := valid
			each.change(&issuer)
			c.OIDC = []OIDCIssuer{issuer}
			refused(t, c.Validate(now), each.field, each.text)
		})
	}
	c := isolated()
	c.OIDC = []OIDCIssuer{valid, valid}
	refused(t, c.Validate(now), "oidc[1].url", "twice")
}
