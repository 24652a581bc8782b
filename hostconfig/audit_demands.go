package hostconfig

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/apis/audit/validation"
)

// AuditRequest is a request as an audit policy sees it.
type AuditRequest struct {
	User   string
	Groups []string
	Verb   string
	// Group, Resource, Subresource and Namespace are set for a resource, Path
	// for everything else.
	Group       string
	Resource    string
	Subresource string
	Namespace   string
	Path        string
}

// AuditDemand is a bound on the level at which a request is recorded.
type AuditDemand struct {
	Request AuditRequest
	// AtLeast and AtMost are inclusive.
	AtLeast auditv1.Level
	AtMost  auditv1.Level
	Reason  string
}

// AuditDemands gives what every audit policy must satisfy (CIS 3.2.1 and 3.2.2,
// M17): a policy of level None passes the benchmark and logs nothing, so the
// demands are checked by evaluating the policy.
func AuditDemands() []AuditDemand {
	people := []AuditRequest{
		{User: "alice", Groups: []string{"system:authenticated"}},
		{User: UserAdmin, Groups: []string{GroupPlatformAdmins, "system:authenticated"}},
		{User: "kubernetes-admin", Groups: []string{"system:masters", "system:authenticated"}},
		{User: "system:serviceaccount:tenant:default", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:tenant", "system:authenticated"}},
	}
	machines := []AuditRequest{
		{User: "system:node:worker-1", Groups: []string{"system:nodes", "system:authenticated"}},
		{User: "system:serviceaccount:kube-system:agent", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"}},
		{User: controllerManagerUser, Groups: []string{"system:authenticated"}},
	}
	everybody := append(slices.Clone(people), machines...)
	var demands []AuditDemand
	demand := func(users []AuditRequest, atLeast, atMost auditv1.Level, reason, group, resource string, verbs ...string) {
		resource, subresource, _ := strings.Cut(resource, "/")
		for _, user := range users {
			for _, verb := range verbs {
				user.Verb, user.Group, user.Resource, user.Subresource, user.Namespace = verb, group, resource, subresource, "tenant"
				demands = append(demands, AuditDemand{Request: user, AtLeast: atLeast, AtMost: atMost, Reason: reason})
			}
		}
	}
	full, request, metadata := auditv1.LevelRequestResponse, auditv1.LevelRequest, auditv1.LevelMetadata

	const bodies = "a body would put secrets into the log"
	demand(everybody, metadata, metadata, bodies, "", "secrets", "get", "list", "create", "update", "patch", "delete", "deletecollection")
	// Some of the system's own parts watch all the time; a watch has all secrets.
	demand(people, metadata, metadata, bodies, "", "secrets", "watch")
	demand(machines[:1], metadata, metadata, bodies, "", "secrets", "watch")
	demand(everybody, metadata, metadata, bodies, "", "serviceaccounts/token", "create")
	demand(everybody, metadata, metadata, bodies, "authentication.k8s.io", "tokenreviews", "create")
	demand(people, metadata, metadata, bodies, "", "configmaps", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")

	const entry = "a way into a container must leave a record"
	for _, subresource := range []string{"exec", "attach", "portforward"} {
		demand(everybody, metadata, full, entry, "", "pods/"+subresource, "create", "get")
	}
	demand(everybody, request, full, entry, "", "pods/ephemeralcontainers", "update", "patch")
	for _, proxied := range []string{"nodes/proxy", "pods/proxy", "services/proxy"} {
		demand(everybody, metadata, full, entry, "", proxied, "create", "get", "update", "patch", "delete")
	}

	changes := auditedChanges
	const rights = "a change of rights must be recorded with its content"
	for _, resource := range []string{"roles", "rolebindings", "clusterroles", "clusterrolebindings"} {
		demand(everybody, request, full, rights, "rbac.authorization.k8s.io", resource, changes...)
	}
	for _, resource := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies",
		"validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"} {
		demand(everybody, request, full, rights, "admissionregistration.k8s.io", resource, changes...)
	}
	demand(everybody, request, full, rights, "certificates.k8s.io", "certificatesigningrequests", "create")
	demand(everybody, request, full, rights, "certificates.k8s.io", "certificatesigningrequests/approval", "update", "patch")
	demand(everybody, request, full, rights, "apiregistration.k8s.io", "apiservices", changes...)

	const change = "a change must be recorded with its content"
	demand(people, request, full, change, "apps", "deployments", changes...)
	demand(people, request, full, change, "networking.k8s.io", "networkpolicies", changes...)
	for _, resource := range []string{"pods", "namespaces", "nodes", "serviceaccounts"} {
		demand(people, request, full, change, "", resource, changes...)
	}
	demand(people, metadata, full, "reads by people and workloads must leave a record", "", "pods", "get", "list", "watch")
	demand(people, metadata, full, "reads by people and workloads must leave a record", "example.org", "widgets", "get", "list")
	for _, user := range append(people, AuditRequest{User: "system:anonymous", Groups: []string{"system:unauthenticated"}}) {
		for _, path := range []string{"/api", "/apis", "/openapi/v2", "/metrics", "/debug/pprof/profile", "/logs/"} {
			user.Verb, user.Path = "get", path
			demands = append(demands, AuditDemand{Request: user, AtLeast: metadata, AtMost: full, Reason: "discovery by an intruder must leave a record"})
		}
	}
	return demands
}

// auditDemands are made once: every validation of a control plane reads them.
var auditDemands = sync.OnceValue(AuditDemands)

var auditLevels = []auditv1.Level{auditv1.LevelNone, auditv1.LevelMetadata, auditv1.LevelRequest, auditv1.LevelRequestResponse}

func (p *problems) audit(field string, a Audit) {
	atLeast := func(name string, got, want int, control string) {
		if got < want {
			p.add(field+"."+name, fmt.Sprintf("%d is below the %d of %s", got, want, control), fmt.Sprintf("write %d or more", want))
		}
	}
	atLeast("maxAgeDays", a.MaxAgeDays, minimumAuditDays, "CIS-1.2.17")
	atLeast("maxBackups", a.MaxBackups, minimumAuditBackups, "CIS-1.2.18")
	atLeast("maxSizeMegabytes", a.MaxSizeMegabytes, minimumAuditMegabytes, "CIS-1.2.19")
	switch {
	case a.Policy != "" && a.Profile != "":
		p.add(field+".profile", "stands beside a policy", "write one of the two")
	case a.Policy == "" && a.Profile != AuditStandard && a.Profile != AuditVerbose:
		p.add(field+".profile", quote(string(a.Profile))+" is not a profile", "write standard or verbose, or a whole policy")
		return
	}
	policy, err := a.policy()
	if err != nil {
		p.add(field+".policy", "is not an audit policy: "+err.Error(), "write a Policy of audit.k8s.io/v1")
		return
	}
	p.auditPolicy(field+".policy", policy)
}

func (p *problems) auditPolicy(field string, policy *auditv1.Policy) {
	if policy.APIVersion != "audit.k8s.io/v1" || policy.Kind != "Policy" || len(policy.Rules) == 0 {
		p.add(field, "is not a Policy of audit.k8s.io/v1 with rules", "begin with apiVersion: audit.k8s.io/v1 and kind: Policy")
		return
	}
	// The API server's own rules of form, or it would refuse to start.
	var internal auditinternal.Policy
	if err := auditv1.Convert_v1_Policy_To_audit_Policy(policy.DeepCopy(), &internal, nil); err != nil {
		p.add(field, "cannot be read: "+err.Error(), "write a Policy of audit.k8s.io/v1")
		return
	}
	if found := validation.ValidatePolicy(&internal); len(found) > 0 {
		for _, each := range found {
			p.add(field+"."+each.Field, each.ErrorBody(), "write what the API server accepts")
		}
		return
	}
	for _, stages := range auditStages(policy) {
		for _, stage := range []auditv1.Stage{auditv1.StageResponseComplete, auditv1.StageResponseStarted, auditv1.StagePanic} {
			if slices.Contains(stages, stage) {
				p.add(field+".omitStages", "omits "+string(stage)+", so that requests leave no complete record", "omit RequestReceived at most")
			}
		}
	}
	reported := map[string]bool{}
	for _, demand := range auditDemands() {
		level, broken := demand.brokenBy(policy)
		if !broken {
			continue
		}
		// One report for each kind of request is enough; a policy of level None
		// would otherwise fail in a hundred lines.
		key := demand.Reason + demand.Request.Group + demand.Request.Resource + demand.Request.Subresource + demand.Request.Path
		if !reported[key] {
			p.add(field, fmt.Sprintf("records %s at %s (CIS-3.2.2): %s", demand.Request, level, demand.Reason),
				fmt.Sprintf("record it at %s to %s", demand.AtLeast, demand.AtMost))
		}
		reported[key] = true
	}
}

// brokenBy gives a level at which the policy may record the request although
// the demand excludes it.
func (d AuditDemand) brokenBy(policy *auditv1.Policy) (auditv1.Level, bool) {
	for _, level := range auditLevelsOf(policy, d.Request) {
		rank := slices.Index(auditLevels, level)
		if rank < slices.Index(auditLevels, d.AtLeast) || rank > slices.Index(auditLevels, d.AtMost) {
			return level, true
		}
	}
	return "", false
}

func auditStages(policy *auditv1.Policy) [][]auditv1.Stage {
	stages := [][]auditv1.Stage{policy.OmitStages}
	for _, rule := range policy.Rules {
		if rule.Level != auditv1.LevelNone {
			stages = append(stages, rule.OmitStages)
		}
	}
	return stages
}

// String names the request as an operator would.
func (r AuditRequest) String() string {
	what := r.Path
	if r.Resource != "" {
		what = strings.TrimSuffix(r.Resource+"/"+r.Subresource, "/")
		if r.Group != "" {
			what += "." + r.Group
		}
	}
	return fmt.Sprintf("%s of %s by %s", r.Verb, what, r.User)
}
