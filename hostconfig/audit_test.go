package hostconfig

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit/policy"
	authuser "k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// upstream loads a policy with the API server's own code, strictly.
func upstream(t testing.TB, document string) *auditinternal.Policy {
	t.Helper()
	loaded, err := policy.LoadPolicyFromBytes([]byte(document))
	if err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
	return loaded
}

func (r AuditRequest) attributes() authorizer.Attributes {
	return authorizer.AttributesRecord{
		User: &authuser.DefaultInfo{Name: r.User, Groups: r.Groups}, Verb: r.Verb, APIGroup: r.Group, Resource: r.Resource,
		Subresource: r.Subresource, Namespace: r.Namespace, Path: r.Path, ResourceRequest: r.Resource != "",
	}
}

func defaultPolicy(t testing.TB) *auditinternal.Policy {
	t.Helper()
	file, err := isolated().auditPolicyFile()
	if err != nil {
		t.Fatal(err)
	}
	return upstream(t, file.Contents)
}

// TestDefaultAuditPolicy asks the API server's own evaluator.
func TestDefaultAuditPolicy(t *testing.T) {
	evaluate := policy.NewPolicyRuleEvaluator(defaultPolicy(t)).EvaluatePolicyRule
	person := AuditRequest{User: "alice", Groups: []string{"system:authenticated"}, Namespace: "tenant"}
	node := AuditRequest{User: "system:node:worker-1", Groups: []string{"system:nodes", "system:authenticated"}}
	controller := AuditRequest{User: "system:serviceaccount:kube-system:namespace-controller",
		Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}, Namespace: "tenant"}
	ask := func(who AuditRequest, verb, group, resource string) AuditRequest {
		who.Verb, who.Group = verb, group
		who.Resource, who.Subresource, _ = strings.Cut(resource, "/")
		return who
	}
	get := func(who AuditRequest, path string) AuditRequest {
		who.Verb, who.Path = "get", path
		return who
	}
	none, metadata, request, full := auditinternal.LevelNone, auditinternal.LevelMetadata, auditinternal.LevelRequest, auditinternal.LevelRequestResponse
	for _, each := range []struct {
		request AuditRequest
		want    auditinternal.Level
	}{
		{ask(person, "get", "", "secrets"), metadata},
		{ask(person, "create", "", "secrets"), metadata},
		{ask(controller, "watch", "", "secrets"), metadata},
		{ask(node, "get", "", "secrets"), metadata},
		{ask(person, "update", "", "configmaps"), metadata},
		{ask(person, "create", "", "serviceaccounts/token"), metadata},
		{ask(person, "create", "authentication.k8s.io", "tokenreviews"), metadata},
		{ask(person, "create", "", "pods/exec"), full},
		{ask(person, "get", "", "pods/exec"), full},
		{ask(person, "create", "", "pods/attach"), full},
		{ask(person, "create", "", "pods/portforward"), full},
		{ask(person, "patch", "", "pods/ephemeralcontainers"), full},
		{ask(person, "get", "", "nodes/proxy"), full},
		{ask(person, "create", "rbac.authorization.k8s.io", "clusterrolebindings"), full},
		{ask(controller, "update", "rbac.authorization.k8s.io", "clusterroles"), full},
		{ask(person, "update", "admissionregistration.k8s.io", "validatingadmissionpolicies"), full},
		{ask(node, "create", "certificates.k8s.io", "certificatesigningrequests"), full},
		{ask(person, "update", "certificates.k8s.io", "certificatesigningrequests/approval"), full},
		{ask(person, "get", "rbac.authorization.k8s.io", "roles"), metadata},
		{ask(person, "create", "", "pods"), request},
		{ask(person, "delete", "apps", "deployments"), request},
		{ask(person, "create", "example.org", "widgets"), request},
		{ask(person, "list", "", "pods"), metadata},
		{ask(person, "watch", "", "pods"), metadata},
		{ask(node, "get", "", "nodes"), none},
		{ask(node, "update", "coordination.k8s.io", "leases"), none},
		{ask(person, "update", "coordination.k8s.io", "leases"), request},
		{ask(node, "patch", "", "nodes/status"), metadata},
		{ask(node, "create", "", "events"), metadata},
		{ask(controller, "watch", "", "pods"), none},
		{ask(controller, "list", "", "pods"), metadata},
		{ask(controller, "delete", "", "pods"), request},
		{get(person, "/readyz"), none},
		{get(person, "/livez/etcd"), none},
		{get(person, "/metrics"), metadata},
		{get(AuditRequest{User: "system:anonymous", Groups: []string{"system:unauthenticated"}}, "/api"), metadata},
	} {
		if got := evaluate(each.request.attributes()); got.Level != each.want {
			t.Errorf("%s: %s, want %s", each.request, got.Level, each.want)
		}
	}
	loaded := defaultPolicy(t)
	if !slices.Equal(loaded.OmitStages, []auditinternal.Stage{auditinternal.StageRequestReceived}) || !loaded.OmitManagedFields {
		t.Errorf("stages %v, managed fields omitted: %t", loaded.OmitStages, loaded.OmitManagedFields)
	}
}

func TestProfilesMeetTheDemands(t *testing.T) {
	if len(AuditDemands()) < 100 {
		t.Errorf("only %d demands", len(AuditDemands()))
	}
	for name, policy := range map[AuditProfile]*auditv1.Policy{AuditStandard: standardAuditPolicy(), AuditVerbose: verboseAuditPolicy()} {
		for _, demand := range AuditDemands() {
			if level, broken := demand.brokenBy(policy); broken {
				t.Errorf("%s: %s is recorded at %s", name, demand.Request, level)
			}
		}
	}
}

// TestVerboseProfile: at no request does it record less than the standard one.
func TestVerboseProfile(t *testing.T) {
	c := isolated()
	c.Audit = Audit{Profile: AuditVerbose}
	accepted(t, c.Validate(now))
	file, err := c.auditPolicyFile()
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "controlplane/audit-policy-verbose.yaml", file.Contents)
	verbose := policy.NewPolicyRuleEvaluator(upstream(t, file.Contents))
	standard := policy.NewPolicyRuleEvaluator(defaultPolicy(t))
	more := 0
	for _, user := range []AuditRequest{
		{User: "alice", Groups: []string{"system:authenticated"}},
		{User: "system:node:worker-1", Groups: []string{"system:nodes", "system:authenticated"}},
		{User: controllerManagerUser, Groups: []string{"system:authenticated"}},
	} {
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
			for _, resource := range []string{"secrets.", "configmaps.", "pods.", "nodes.", "events.", "leases.coordination.k8s.io", "roles.rbac.authorization.k8s.io", "widgets.example.org"} {
				user.Verb = verb
				user.Resource, user.Group, _ = strings.Cut(resource, ".")
				s := slices.Index(auditLevels, auditv1.Level(standard.EvaluatePolicyRule(user.attributes()).Level))
				v := slices.Index(auditLevels, auditv1.Level(verbose.EvaluatePolicyRule(user.attributes()).Level))
				// A person's lease is metadata in verbose: nothing but a heartbeat.
				if v < s && user.Resource != "leases" {
					t.Errorf("%s: %s, standard %s", user, auditLevels[v], auditLevels[s])
				}
				if v > s {
					more++
				}
				if (user.Resource == "secrets" || user.Resource == "configmaps") && auditLevels[v] != auditv1.LevelMetadata {
					t.Errorf("%s: %s", user, auditLevels[v])
				}
			}
		}
	}
	if more < 30 {
		t.Errorf("verbose says more in %d cases only", more)
	}
	c.Audit = Audit{Profile: "quiet"}
	refused(t, c.Validate(now), "audit.profile", "not a profile")
	c.Audit = Audit{Profile: AuditVerbose, Policy: file.Contents}
	refused(t, c.Validate(now), "audit.profile", "beside a policy")
}

func TestCustomAuditPolicies(t *testing.T) {
	const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	secrets := "- level: Metadata\n  resources:\n  - group: ''\n    resources: [secrets, configmaps, serviceaccounts/token]\n  - group: authentication.k8s.io\n"
	good := head + "rules:\n" + secrets + "- level: Request\n"
	c := isolated()
	c.Audit = Audit{Policy: good}
	accepted(t, c.Validate(now))
	file, err := c.auditPolicyFile()
	if err != nil {
		t.Fatal(err)
	}
	upstream(t, file.Contents)

	for name, each := range map[string]struct{ policy, text string }{
		"nothing":                   {head + "rules:\n- level: None\n", "None"},
		"everything with bodies":    {head + "rules:\n- level: RequestResponse\n", "secrets"},
		"metadata only":             {head + "rules:\n- level: Metadata\n", "rbac.authorization.k8s.io"},
		"exec unrecorded":           {head + "rules:\n- level: None\n  resources: [{group: '', resources: [pods/exec]}]\n" + secrets + "- level: Request\n", "pods/exec"},
		"all subresources of pods":  {head + "rules:\n- level: None\n  resources: [{group: '', resources: ['pods/*']}]\n" + secrets + "- level: Request\n", "pods/"},
		"one namespace hidden":      {head + "rules:\n- level: None\n  namespaces: [production]\n" + secrets + "- level: Request\n", "None"},
		"one user hidden":           {head + "rules:\n- level: None\n  users: [mallory]\n" + secrets + "- level: Request\n", "None"},
		"one secret in full":        {head + "rules:\n- level: Request\n  resources: [{group: '', resources: [secrets], resourceNames: [db]}]\n" + secrets + "- level: Request\n", "secrets"},
		"reads of people hidden":    {head + "rules:\n- level: None\n  verbs: [get, list, watch]\n" + secrets + "- level: Request\n", "None"},
		"watched secrets hidden":    {head + "rules:\n- level: None\n  verbs: [watch]\n  resources: [{group: '', resources: [secrets]}]\n" + secrets + "- level: Request\n", "watch of secrets"},
		"one tenant's account":      {head + "rules:\n- level: None\n  users: ['system:serviceaccount:team-a:ci']\n" + secrets + "- level: Request\n", "None"},
		"one tenant's accounts":     {head + "rules:\n- level: None\n  userGroups: ['system:serviceaccounts:team-a']\n" + secrets + "- level: Request\n", "None"},
		"a name like the system's":  {head + "rules:\n- level: None\n  userGroups: ['system:serviceaccounts:kube-system-2']\n" + secrets + "- level: Request\n", "None"},
		"one node":                  {head + "rules:\n- level: None\n  users: ['system:node:worker-9']\n" + secrets + "- level: Request\n", "None"},
		"kubelets through the API":  {head + "rules:\n- level: None\n  resources: [{group: '', resources: [nodes/proxy]}]\n" + secrets + "- level: Request\n", "nodes/proxy"},
		"new config maps in full":   {head + "rules:\n- level: Request\n  verbs: [create]\n  resources: [{group: '', resources: [configmaps]}]\n" + secrets + "- level: Request\n", "create of configmaps"},
		"policies removed unseen":   {head + "rules:\n- level: None\n  verbs: [delete]\n  resources: [{group: admissionregistration.k8s.io, resources: [validatingadmissionpolicybindings]}]\n" + secrets + "- level: Request\n", "validatingadmissionpolicybindings"},
		"all secrets removed":       {head + "rules:\n- level: None\n  verbs: [deletecollection]\n" + secrets + "- level: Request\n", "deletecollection"},
		"the rest of the discovery": {head + "rules:\n- level: None\n  nonResourceURLs: ['/apis*', '/debug/*', '/logs/*']\n" + secrets + "- level: Request\n", "/apis"},
		"responses hidden":          {strings.Replace(good, "rules:", "omitStages: [ResponseComplete]\nrules:", 1), "ResponseComplete"},
		"panics hidden by a rule":   {good + "  omitStages: [Panic]\n", "Panic"},
		"unknown field":             {good + "  levle: None\n", "not an audit policy"},
		"unknown level":             {head + "rules:\n- level: Full\n", "Unsupported value"},
		"two kinds of resources":    {good + "  nonResourceURLs: [/x]\n  resources: [{group: ''}]\n", "cannot apply to both"},
		"no rules":                  {head, "with rules"},
		"other kind":                {"kind: ConfigMap\napiVersion: v1\nrules: [{level: Request}]\n", "audit.k8s.io/v1"},
	} {
		t.Run(name, func(t *testing.T) {
			c := isolated()
			c.Audit = Audit{Policy: each.policy}
			err := c.Validate(now)
			if err == nil || !strings.Contains(err.Error(), each.text) || !strings.Contains(err.Error(), "audit.policy") {
				t.Errorf("want a refusal with %q, got: %v", each.text, err)
			}
		})
	}
}

// TestAuditLevelsAgreeWithUpstream compares our reading of a policy with the API
// server's over random policies: its level must be one that we foresee.
func TestAuditLevelsAgreeWithUpstream(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func(values ...string) string {
		var chosen []string
		for _, value := range values {
			if random.IntN(3) == 0 {
				chosen = append(chosen, "'"+value+"'")
			}
		}
		return "[" + strings.Join(chosen, ", ") + "]"
	}
	for range 300 {
		var b strings.Builder
		b.WriteString("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n")
		for range 1 + random.IntN(5) {
			fmt.Fprintf(&b, "- level: %s\n", auditLevels[random.IntN(4)])
			fmt.Fprintf(&b, "  verbs: %s\n", some("get", "create", "update", "watch"))
			fmt.Fprintf(&b, "  users: %s\n", some("alice", "mallory", "system:kube-controller-manager"))
			fmt.Fprintf(&b, "  userGroups: %s\n", some("system:nodes", "system:authenticated", GroupPlatformAdmins))
			switch random.IntN(3) {
			case 0:
				fmt.Fprintf(&b, "  nonResourceURLs: ['/api', '/healthz*']\n")
			case 1:
				fmt.Fprintf(&b, "  namespaces: %s\n", some("tenant", "kube-system"))
				fmt.Fprintf(&b, "  resources: [{group: '', resources: %s}]\n", some("secrets", "pods/exec", "pods/*", "*/exec", "*"))
			}
		}
		document := b.String()
		evaluator := policy.NewPolicyRuleEvaluator(upstream(t, document))
		ours := &auditv1.Policy{}
		decode(t, document, ours)
		for _, demand := range AuditDemands() {
			got := auditv1.Level(evaluator.EvaluatePolicyRule(demand.Request.attributes()).Level)
			if foreseen := auditLevelsOf(ours, demand.Request); !slices.Contains(foreseen, got) {
				t.Fatalf("%s: upstream %s, foreseen %v:\n%s", demand.Request, got, foreseen, document)
			}
		}
	}
}

// FuzzAuditPolicy: what is accepted is accepted by the API server too.
func FuzzAuditPolicy(f *testing.F) {
	const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	f.Add(head + "rules:\n- level: None\n")
	f.Add(head + "rules:\n- level: Metadata\n  resources:\n  - group: ''\n    resources: [secrets, configmaps, serviceaccounts/token]\n  - group: authentication.k8s.io\n- level: Request\n")
	f.Add(head + "rules: [{level: Request, nonResourceURLs: ['/a*b']}]\n")
	f.Add("{}")
	f.Fuzz(func(t *testing.T, document string) {
		c := isolated()
		c.Audit = Audit{Policy: document}
		if err := c.Validate(now); err != nil || document == "" {
			return
		}
		file, err := c.auditPolicyFile()
		if err != nil {
			t.Fatal(err)
		}
		upstream(t, file.Contents)
	})
}
