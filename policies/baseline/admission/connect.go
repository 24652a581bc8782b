package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// connectPolicies are about sessions inside pods, which no other policy sees.
func connectPolicies() []Policy {
	forbidden := variable("forbidden", `request.?namespace.orValue('') in params.data.forbiddenConnect.split('\n') || (namespaceObject != null && namespaceObject.metadata.?labels[?'`+LabelConnect+`'].orValue('') == 'forbidden')`)
	return []Policy{
		{
			ID: "connect", Title: "nobody opens a session in a pod of the system or of a namespace that forbids it", Controls: []string{"M20", "M24"}, Mode: Deny,
			Rules:     []admissionv1.NamedRuleWithOperations{rule("", connect, "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy")},
			Variables: []admissionv1.Variable{forbidden}, Sentinel: Sentinel{Kind: "exec"},
			Findings: either(`variables.forbidden`, `request.?subResource.orValue('') + ' into namespace "' + request.?namespace.orValue('') + '"'`),
			Unless:   isPlatform,
			Remedy:   "read logs and metrics instead, or have the platform look",
		},
		{
			ID: "ephemeral-containers", Title: "nobody adds a container to a running pod where sessions are forbidden", Controls: []string{"M20", "M24"}, Mode: Deny,
			Rules:     []admissionv1.NamedRuleWithOperations{rule("", update, "pods/ephemeralcontainers"), rule("", create, "pods")},
			Variables: []admissionv1.Variable{forbidden}, Sentinel: Sentinel{Kind: "Pod"},
			Conditions: []admissionv1.MatchCondition{sentinelsOr(`request.?subResource.orValue('') == 'ephemeralcontainers'`)},
			Findings:   either(`variables.forbidden && request.?subResource.orValue('') == 'ephemeralcontainers'`, `'spec.ephemeralContainers in namespace "' + request.?namespace.orValue('') + '"'`),
			Unless:     isPlatform,
			Remedy:     "debug a copy of the pod in a namespace that allows it",
		},
		{
			ID: "node-proxy", Title: "nobody but the platform reaches the API of a kubelet through the API server", Controls: []string{"M16", "CIS-5.1.10"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{rule("", connect, "nodes/proxy"), rule("", create, "pods")}, Sentinel: Sentinel{Kind: "Pod"},
			Conditions: []admissionv1.MatchCondition{sentinelsOr(`request.?subResource.orValue('') == 'proxy'`)},
			Findings:   either(`request.?subResource.orValue('') == 'proxy'`, `'proxy of node "' + request.?name.orValue('') + '"'`),
			Unless:     isPlatform,
			Remedy:     "read nodes/metrics, nodes/stats and logs, each of which has a resource of its own",
		},
	}
}

// sentinelsOr holds for the requests that a policy is about, and for pods that are
// sentinels: not everybody who brings up the baseline may make the requests
// themselves, and be refused by the policy and not for want of rights.
func sentinelsOr(expression string) admissionv1.MatchCondition {
	return condition("what-it-is-about", expression+` || request.?name.orValue('').startsWith('`+sentinelPrefix+`')`)
}
