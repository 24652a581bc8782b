package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// podUsePolicies are about what pods use of the cluster.
func podUsePolicies() []Policy {
	var bounds []string
	for _, kind := range []string{"limits", "requests"} {
		for _, resource := range []string{"cpu", "memory"} {
			bounds = append(bounds, containersIn(containerLists[:2],
				`!c.?resources.?`+kind+`.?`+resource+`.hasValue() && !variables.spec.?resources.?`+kind+`.?`+resource+`.hasValue()`, "resources."+kind+"."+resource, ""))
		}
	}
	return []Policy{
		onPods(Policy{
			ID: "resources", Title: "every container says what it needs and what it may take", Controls: []string{"M23"},
			Findings: all(bounds...),
			Remedy:   "set requests and limits of cpu and memory, for each container or for the pod",
		}),
		onPods(Policy{
			ID: "default-account", Title: "the default service account gives no token to pods", Controls: []string{"M20", "CIS-5.1.5", "CIS-5.1.6"},
			Findings: either(`variables.spec.?serviceAccountName.orValue('') in ['', 'default']`, `'x'`) + `.map(x, variables.spec.?volumes.orValue([]).filter(v, v.?projected.?sources.orValue([]).exists(s, has(s.serviceAccountToken)))` +
				`.map(v, variables.path + 'volumes[' + v.name + '].projected.sources[].serviceAccountToken')` +
				` + (variables.spec.?automountServiceAccountToken.orValue(false) ? [variables.path + 'automountServiceAccountToken is "true"'] : [])).flatten()`,
			Remedy: "set automountServiceAccountToken: false, or name a service account of the program's own",
		}),
		onPods(Policy{
			ID: "secrets-in-env", Title: "secrets are mounted, not put into the environment, where every child and crash report has them", Controls: []string{"M30", "CIS-5.4.1"}, Relaxed: Warn,
			Findings: all(
				containers(`c.?env.orValue([]).exists(e, e.?valueFrom.?secretKeyRef.hasValue())`, "env[].valueFrom.secretKeyRef",
					`c.?env.orValue([]).filter(e, e.?valueFrom.?secretKeyRef.hasValue()).map(e, e.name).join(',')`),
				containers(`c.?envFrom.orValue([]).exists(e, e.?secretRef.hasValue())`, "envFrom[].secretRef",
					`c.?envFrom.orValue([]).filter(e, e.?secretRef.hasValue()).map(e, e.secretRef.?name.orValue('')).join(',')`)),
			Remedy: "mount the secret as a volume",
		}),
		onPods(Policy{
			ID: "scheduling", Title: "pods go where the scheduler puts them, not onto the control plane, and before nobody of the system", Controls: []string{"M24"},
			Variables: []admissionv1.Variable{
				// Only what comes new is judged: the scheduler binds by a subresource of its
				// own, and a pod that is there has its node.
				variable("fresh", `request.operation == 'CREATE'`),
			},
			Findings: all(
				either(`variables.fresh && variables.spec.?nodeName.orValue('') != ''`, `variables.path + 'nodeName is "' + variables.spec.nodeName + '"'`),
				either(`variables.spec.?priorityClassName.orValue('').startsWith('system-')`, `variables.path + 'priorityClassName is "' + variables.spec.priorityClassName + '"'`),
				`variables.spec.?tolerations.orValue([]).filter(t, t.?key.orValue('') in ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'] || t.?key.orValue('') == '').map(t, variables.path + 'tolerations[].key is "' + t.?key.orValue('') + '"')`),
			Remedy: "leave out nodeName, use nodeSelector or affinity; tolerate taints by their names; use a priority class of the cluster that is not the system's",
		}),
		onPods(Policy{
			ID: "isolation-pool", Title: "pods of a namespace with a pool of nodes run there, and no others do", Controls: []string{"M24"},
			Variables: []admissionv1.Variable{
				variable("pool", `namespaceObject == null ? '' : namespaceObject.metadata.?labels[?'`+LabelPool+`'].orValue('')`),
				variable("asked", `variables.spec.?nodeSelector[?'`+LabelPool+`'].orValue('')`),
			},
			Findings: all(
				either(`variables.asked != variables.pool`, `variables.path + 'nodeSelector[`+LabelPool+`] is "' + variables.asked + '"'`),
				`variables.spec.?tolerations.orValue([]).filter(t, t.?key.orValue('') == '`+LabelPool+`' && (variables.pool == '' || t.?value.orValue('') != variables.pool)).map(t, variables.path + 'tolerations[`+LabelPool+`].value is "' + t.?value.orValue('') + '"')`),
			Remedy: "in a namespace with a pool set nodeSelector redoubt.dev/pool to its name, and tolerate the taint of the same name with the pool as value; elsewhere leave out both",
		}),
		{
			ID: "default-namespace", Title: "nothing runs in the namespace default", Controls: []string{"M24", "CIS-5.7.4"}, Mode: Deny, Scope: Workloads, Rules: podRules, Templates: templateRules, Sentinel: Sentinel{Kind: "Pod"},
			Findings: either(`request.?namespace.orValue('') == 'default' && !(request.?dryRun.orValue(false) && request.?name.orValue('').startsWith('`+sentinelPrefix+`'))`, `'metadata.namespace is "default"'`),
			Remedy:   "use a namespace that the platform made for the program",
		},
	}
}
