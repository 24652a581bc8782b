package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// networkPolicies are about how programs are reached.
func exposurePolicies() []Policy {
	foreign := func(list, host, say string) finding {
		return each(list, `size(variables.hosts) > 0 && !variables.hosts.exists(h, `+host+` == h || (h.startsWith('*.') && `+host+`.endsWith(h.substring(1)) && !`+host+`.contains('*')))`, say)
	}
	narrowed := variable("hosts", `namespaceObject.metadata.?annotations[?'`+AnnotationIngressHosts+`'].orValue('').split(',').map(h, h.trim()).filter(h, h != '')`)
	annotation := func(key string) string { return `variables.annotations[?'` + key + `'].orValue('')` }
	return []Policy{
		{
			ID: "service-exposure", Title: "services are reached from inside the cluster and its private network", Controls: []string{"M21"}, Mode: Deny, Scope: Workloads,
			Rules: []admissionv1.NamedRuleWithOperations{rule("", create+" "+update, "services")}, Sentinel: Sentinel{Kind: "Service"},
			Variables: []admissionv1.Variable{
				variable("annotations", `dyn(object).metadata.?annotations.orValue({})`),
				variable("type", `dyn(object).spec.?type.orValue('ClusterIP')`),
				// What makes the balancers of AWS and Google private.
				// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/#lb-scheme
				// https://cloud.google.com/kubernetes-engine/docs/how-to/internal-load-balancing
				variable("internal", annotation("service.beta.kubernetes.io/aws-load-balancer-scheme")+` == 'internal' || `+
					`('service.beta.kubernetes.io/aws-load-balancer-internal' in variables.annotations && `+annotation("service.beta.kubernetes.io/aws-load-balancer-internal")+` == 'true' && `+annotation("service.beta.kubernetes.io/aws-load-balancer-scheme")+` == '') || `+
					annotation("networking.gke.io/load-balancer-type")+` == 'Internal'`),
			},
			found: all(
				either(`variables.type == 'NodePort' || (variables.type == 'LoadBalancer' && !variables.internal)`, `'spec.type is "' + variables.type + '"'`),
				either(`size(dyn(object).spec.?externalIPs.orValue([])) > 0`, `'spec.externalIPs is "' + dyn(object).spec.externalIPs.join(',') + '"'`)),
			Remedy: "use type ClusterIP behind an Ingress, or LoadBalancer with the annotation that makes it internal (service.beta.kubernetes.io/aws-load-balancer-scheme: internal, networking.gke.io/load-balancer-type: Internal)",
		},
		{
			ID: "ingress-tls", Title: "what is reached over HTTP from outside has TLS and a name", Controls: []string{"M31"}, Mode: Deny, Scope: Workloads,
			Rules: []admissionv1.NamedRuleWithOperations{rule("networking.k8s.io", create+" "+update, "ingresses")}, Sentinel: Sentinel{Kind: "Ingress"},
			Variables: []admissionv1.Variable{
				variable("rules", `dyn(object).spec.?rules.orValue([])`),
				variable("covered", `dyn(object).spec.?tls.orValue([]).map(t, t.?hosts.orValue([])).flatten()`),
				narrowed,
			},
			found: all(
				either(`size(dyn(object).spec.?tls.orValue([])) == 0`, `'spec.tls'`),
				either(`dyn(object).spec.?defaultBackend.hasValue()`, `'spec.defaultBackend'`),
				each(`variables.rules`, `c.?host.orValue('') == '' || c.host.startsWith('*')`, `'spec.rules[].host is "' + c.?host.orValue('') + '"'`),
				each(`variables.rules`, `c.?host.orValue('') != '' && !(c.host in variables.covered)`, `'spec.tls[].hosts lacks "' + c.host + '"'`),
				foreign(`variables.rules`, `c.?host.orValue('')`, `'spec.rules[].host is "' + c.?host.orValue('') + '", not one of this namespace'`)),
			Remedy: "name every host in spec.rules and in spec.tls[].hosts with a secretName; use a host that the platform gave to the namespace",
		},
		{
			ID: "gateway-tls", Title: "gateways listen with TLS and for names", Controls: []string{"M31"}, Mode: Deny, Scope: Workloads,
			Rules: []admissionv1.NamedRuleWithOperations{rule("gateway.networking.k8s.io", create+" "+update, "gateways")},
			Variables: []admissionv1.Variable{
				variable("listeners", `dyn(object).spec.?listeners.orValue([])`), narrowed,
			},
			found: all(
				each(`variables.listeners`, `!(c.protocol in ['HTTPS', 'TLS'])`, `'spec.listeners[' + c.name + '].protocol is "' + c.protocol + '"'`),
				each(`variables.listeners`, `c.?hostname.orValue('') == '' || c.hostname.startsWith('*')`, `'spec.listeners[' + c.name + '].hostname is "' + c.?hostname.orValue('') + '"'`),
				foreign(`variables.listeners`, `c.?hostname.orValue('')`, `'spec.listeners[' + c.name + '].hostname is not one of this namespace'`)),
			Remedy: "use protocol HTTPS or TLS, and a hostname that the platform gave to the namespace",
		},
	}
}
