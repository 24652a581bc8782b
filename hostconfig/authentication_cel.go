package hostconfig

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apiserver/pkg/apis/apiserver"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	apiservervalidation "k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
)

func (o OIDCIssuer) claimMappings() apiserverv1.ClaimMappings {
	mapped := func(claim string, prefix *string, expression string) apiserverv1.PrefixedClaimOrExpression {
		if expression != "" {
			return apiserverv1.PrefixedClaimOrExpression{Expression: expression}
		}
		return apiserverv1.PrefixedClaimOrExpression{Claim: claim, Prefix: prefix}
	}
	mappings := apiserverv1.ClaimMappings{
		Username: mapped(o.UsernameClaim, &o.UsernamePrefix, o.UsernameExpression),
		Groups:   mapped(o.GroupsClaim, &o.GroupsPrefix, o.GroupsExpression),
		UID:      apiserverv1.ClaimOrExpression{Claim: o.UIDClaim, Expression: o.UIDExpression},
	}
	for _, key := range slices.Sorted(maps.Keys(o.Extra)) {
		mappings.Extra = append(mappings.Extra, apiserverv1.ExtraMapping{Key: key, ValueExpression: o.Extra[key]})
	}
	return mappings
}

// expressions refuses what the rendering could not express.
func (p *problems) expressions(at string, o OIDCIssuer, c ControlPlane) {
	both := func(claim, claimField, expression, expressionField string) {
		if claim != "" && expression != "" {
			p.add(at+"."+expressionField, "stands beside "+claimField, "write one of the two")
		}
	}
	both(o.UsernameClaim, "usernameClaim", o.UsernameExpression, "usernameExpression")
	both(o.GroupsClaim, "groupsClaim", o.GroupsExpression, "groupsExpression")
	both(o.UIDClaim, "uidClaim", o.UIDExpression, "uidExpression")
	switch o.EgressSelector {
	case "":
	case string(apiserverv1.EgressSelectorControlPlane), string(apiserverv1.EgressSelectorCluster):
		if c.ExtraArgs[ComponentAPIServer]["egress-selector-config-file"] == "" {
			p.add(at+".egressSelector", "selects nothing without a configuration of egress",
				"set egress-selector-config-file in extraArgs, or leave this empty")
		}
	default:
		p.add(at+".egressSelector", quote(o.EgressSelector)+" is not a way out", "write controlplane or cluster, or leave it empty")
	}
	for _, list := range []struct {
		name  string
		rules []OIDCRule
	}{{"claimRules", o.ClaimRules}, {"userRules", o.UserRules}} {
		for i, rule := range list.rules {
			if rule.Expression == "" {
				p.add(fmt.Sprintf("%s.%s[%d].expression", at, list.name, i), "is empty", "write a CEL expression that is true for those who may come in")
			}
		}
	}
}

// authenticationCompiler is upstream's own; building it takes some milliseconds.
var authenticationCompiler = sync.OnceValue(authenticationcel.NewDefaultCompiler)

// compiles judges an issuer with the API server's own validation, which compiles
// every expression, and reports by our field paths.
func (p *problems) compiles(at string, o OIDCIssuer, clusterIssuer string) {
	external := apiserverv1.AuthenticationConfiguration{JWT: []apiserverv1.JWTAuthenticator{o.authenticator()}}
	var internal apiserver.AuthenticationConfiguration
	if err := apiserverv1.Convert_v1_AuthenticationConfiguration_To_apiserver_AuthenticationConfiguration(&external, &internal, nil); err != nil {
		p.add(at, "cannot be read: "+err.Error(), "write what the API server accepts")
		return
	}
	for _, found := range apiservervalidation.ValidateAuthenticationConfiguration(authenticationCompiler(), &internal, []string{clusterIssuer}) {
		p.add(at+"."+o.fieldOf(strings.TrimPrefix(found.Field, "jwt[0].")), strings.Join(strings.Fields(found.ErrorBody()), " "),
			"write a CEL expression that the API server compiles, see "+
				"https://kubernetes.io/docs/reference/access-authn-authz/authentication/")
	}
}

var upstreamIndex = regexp.MustCompile(`^(claimMappings\.extra|claimValidationRules|userValidationRules)\[([0-9]+)\](.*)$`)

// fieldOf translates upstream's path within an authenticator.
func (o OIDCIssuer) fieldOf(upstream string) string {
	if found := upstreamIndex.FindStringSubmatch(upstream); found != nil {
		index, _ := strconv.Atoi(found[2])
		switch found[1] {
		case "claimMappings.extra":
			if keys := slices.Sorted(maps.Keys(o.Extra)); index < len(keys) {
				return "extra[" + keys[index] + "]"
			}
		case "claimValidationRules":
			if own := len(o.RequiredClaims); index >= own {
				return fmt.Sprintf("claimRules[%d]%s", index-own, found[3])
			}
		case "userValidationRules":
			if own := len(o.protections()); index >= own {
				return fmt.Sprintf("userRules[%d]%s", index-own, found[3])
			}
		}
		return upstream
	}
	switch {
	case strings.HasPrefix(upstream, "claimMappings.username"):
		return "usernameExpression"
	case strings.HasPrefix(upstream, "claimMappings.groups"):
		return "groupsExpression"
	case strings.HasPrefix(upstream, "claimMappings.uid"):
		return "uidExpression"
	}
	return strings.TrimPrefix(upstream, "issuer.")
}
