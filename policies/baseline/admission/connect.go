package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// sessions is the family of what opens sessions. Making a pod concerns none of them,
// so that it costs none.
const sessions = "sessions"

// connectPolicies are about sessions inside pods, which no other policy sees.
func connectPolicies() []Policy {
	forbidden := variable("forbidden", `request.?namespace.orValue('') in params.data.forbiddenConnect.split('\n') || (namespaceObject != null && namespaceObject.metadata.?labels[?'`+LabelConnect+`'].orValue('') == 'forbidden')`)
	return []Policy{
		{
			ID: "connect", Family: sessions, Title: "nobody opens a session in a pod of the system or of a namespace that forbids it", Controls: []string{"M20", "M24"}, Mode: Deny,
			Rules:     []admissionv1.NamedRuleWithOperations{rule("", connect, "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy")},
			Variables: []admissionv1.Variable{forbidden}, Sentinel: Sentinel{Kind: "exec"},
			found:  either(`request.operation == 'CONNECT' && request.resource.resource != 'nodes' && variables.forbidden`, `request.?subResource.orValue('') + ' into namespace "' + request.?namespace.orValue('') + '"'`),
			Unless: isPlatform,
			Remedy: "read logs and metrics instead, or have the platform look",
		},
		{
			ID: "ephemeral-containers", Family: sessions, Title: "nobody adds a container to a running pod where sessions are forbidden", Controls: []string{"M20", "M24"}, Mode: Deny,
			Rules:     []admissionv1.NamedRuleWithOperations{rule("", update, "pods/ephemeralcontainers")},
			Variables: []admissionv1.Variable{forbidden}, Sentinel: Sentinel{Kind: "exec"},
			found:  either(`request.?subResource.orValue('') == 'ephemeralcontainers' && variables.forbidden`, `'spec.ephemeralContainers in namespace "' + request.?namespace.orValue('') + '"'`),
			Unless: isPlatform,
			Remedy: "debug a copy of the pod in a namespace that allows it",
		},
		{
			ID: "node-proxy", Family: sessions, Title: "nobody but the platform reaches the API of a kubelet through the API server", Controls: []string{"M16", "CIS-5.1.10"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{rule("", connect, "nodes/proxy")}, Sentinel: Sentinel{Kind: "exec"},
			found:  either(`request.resource.resource == 'nodes'`, `'proxy of node "' + request.?name.orValue('') + '"'`),
			Unless: isPlatform,
			Remedy: "read nodes/metrics, nodes/stats and logs, each of which has a resource of its own",
		},
	}
}
