package aws

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// granted tells whether the policy of an endpoint lets a call through.
func granted(statements []parsedStatement, c call, want parsedStatement) bool {
	for _, action := range c.actions {
		if !slices.ContainsFunc(statements, func(s parsedStatement) bool {
			return s.Effect == "Allow" && slices.Contains(s.Action, action) && slices.Equal(s.Resource, want.Resource)
		}) {
			return false
		}
	}
	return true
}

// M06: whatever a program calls has an endpoint whose policy lets the call
// through; and nothing has an endpoint, or an action in its policy, that no
// program calls. The list of calls is the only one there is.
func TestEndpointsAreWhatIsCalled(t *testing.T) {
	for _, uses := range append([][]Use{nil, Uses()}, each(Uses())...) {
		var called []call
		for _, c := range calls {
			if c.use == "" || slices.Contains(uses, c.use) {
				called = append(called, c)
			}
		}
		found := Endpoints(uses, nil)
		for _, c := range called {
			i := slices.IndexFunc(found, func(e Endpoint) bool { return e.Service == c.service })
			if i < 0 {
				t.Errorf("%v: no endpoint of %s, but %s", uses, c.service, c.caller)
				continue
			}
			want := parse(t, policy(c.statement(testAccount, "prod")).String())[0]
			if !granted(parse(t, found[i].Policy(testAccount, "prod")), c, want) {
				t.Errorf("%v: the policy of %s stops a call: %s", uses, c.service, c.caller)
			}
			if !slices.Contains(found[i].Callers, c.caller) {
				t.Errorf("%s does not name its caller: %s", c.service, c.caller)
			}
		}
		for _, e := range found {
			for _, s := range parse(t, e.Policy(testAccount, "prod")) {
				for _, action := range s.Action {
					if !slices.ContainsFunc(called, func(c call) bool { return c.service == e.Service && slices.Contains(c.actions, action) }) {
						t.Errorf("%v: the policy of %s allows %s, which nobody calls", uses, e.Service, action)
					}
				}
			}
		}
	}
}

func each(uses []Use) [][]Use {
	var out [][]Use
	for _, use := range uses {
		out = append(out, []Use{use})
	}
	return out
}

// A use adds only what it calls.
func TestUsesAddEndpoints(t *testing.T) {
	services := func(uses []Use, extra ...string) string {
		var names []string
		for _, e := range Endpoints(uses, extra) {
			names = append(names, e.Service)
		}
		return strings.Join(names, " ")
	}
	base := services(nil)
	all := func(uses []Use) string {
		var policies []string
		for _, e := range Endpoints(uses, nil) {
			policies = append(policies, e.Service+e.Policy(testAccount, "prod"))
		}
		return strings.Join(policies, " ")
	}
	for _, use := range Uses() {
		if all([]Use{use}) == all(nil) {
			t.Errorf("%s adds nothing to %s", use, base)
		}
	}
	if got := services(nil, "sqs", "s3"); len(strings.Fields(got)) != len(strings.Fields(base))+1 {
		t.Errorf("endpoints %s", got)
	}
}

// Through no endpoint does anything go to or from another account, but images of
// AWS's own.
func TestEndpointPoliciesKeepToTheAccount(t *testing.T) {
	for _, e := range Endpoints(Uses(), []string{"sqs"}) {
		for _, s := range parse(t, e.Policy(testAccount, "prod")) {
			ours := slices.Equal(s.Condition["StringEquals"]["aws:PrincipalAccount"], []string{testAccount.ID})
			narrow := slices.Equal(s.Resource, []string{"arn:aws:iam::123456789012:role/*"}) && e.Service == "sts" ||
				slices.Equal(s.Resource, []string{"arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/*"}) && slices.Equal(s.Action, []string{"s3:GetObject"})
			if !ours && !narrow {
				t.Errorf("%s: anybody does %v on %v", e.Service, s.Action, s.Resource)
			}
			carries := slices.ContainsFunc(s.Action, func(a string) bool {
				return slices.Contains([]string{"s3:PutObject", "logs:PutLogEvents", "kms:Encrypt", "*"}, a)
			})
			if carries && !slices.Equal(s.Condition["StringEquals"]["aws:ResourceAccount"], []string{testAccount.ID}) {
				t.Errorf("%s: %v carries data to other accounts", e.Service, s.Action)
			}
			if slices.Contains(s.Action, "*") && e.Service != "sqs" {
				t.Errorf("%s: everything is allowed", e.Service)
			}
		}
		if n := len(e.Policy(testAccount, "prod")); n > 20480 {
			t.Errorf("%s: a policy of %d characters", e.Service, n)
		}
	}
}

// M06: the mocks.Resource endpoints are the list, privately named, in every subnet,
// and admit what the firewall lets in.
func TestNetworkHasItsEndpoints(t *testing.T) {
	args := testNetwork()
	args.Uses, args.ExtraEndpoints = []Use{UseSSM}, []string{"sqs"}
	c := newTestNetwork(t, args)
	want := Endpoints(args.Uses, args.ExtraEndpoints)
	if n := len(c.Of("VpcEndpoint")); n != len(want) {
		t.Fatalf("%d endpoints for %d", n, len(want))
	}
	for _, e := range want {
		r := c.One(t, "VpcEndpoint", "net-"+e.Service)
		if r.Text("serviceName") != "com.amazonaws.eu-central-1."+e.Service || r.Text("vpcEndpointType") != e.Kind || r.Text("policy") != e.Policy(testAccount, "prod") {
			t.Errorf("endpoint %v", r.Inputs)
		}
		if e.Kind == GatewayEndpoint {
			if len(r.List("routeTableIds")) != 3 {
				t.Errorf("%s is in %v", e.Service, r.List("routeTableIds"))
			}
			continue
		}
		if r.Inputs["privateDnsEnabled"] != true || len(r.List("subnetIds")) != 3 || len(r.List("securityGroupIds")) != 1 || r.List("securityGroupIds")[0] != "net-endpoints_id" {
			t.Errorf("%s: %v", e.Service, r.Inputs)
		}
	}
	group := c.One(t, "SecurityGroup", "net-endpoints")
	if group.Inputs["ingress"] != nil || group.Inputs["egress"] != nil || len(c.Of("SecurityGroupIngressRule")) != 0 {
		t.Errorf("the group of endpoints admits somebody by itself: %v", group.Inputs)
	}
}

// Every action is one service's, and none is a whole service.
func TestCallsAreNarrow(t *testing.T) {
	for _, c := range calls {
		if c.caller == "" || len(c.actions) == 0 {
			t.Errorf("%s: a call without caller or actions", c.service)
		}
		for _, action := range c.actions {
			if whole, _ := path.Match("*:\\*", action); whole || strings.Count(action, ":") != 1 {
				t.Errorf("%s: %s", c.caller, action)
			}
		}
	}
}
