package admission

const (
	defaultAccount = `variables.spec.?serviceAccountName.orValue('') in ['', 'default']`
	// pool is that of the namespace, and asked that of the pod.
	pool  = `(namespaceObject == null ? '' : namespaceObject.metadata.?labels[?'` + LabelPool + `'].orValue(''))`
	asked = `variables.spec.?nodeSelector[?'` + LabelPool + `'].orValue('')`
)

// podUsePolicies are about what pods use of the cluster.
func podUsePolicies() []Policy {
	var bounds []finding
	for _, kind := range []string{"limits", "requests"} {
		for _, resource := range []string{"cpu", "memory"} {
			bounds = append(bounds, lasting(
				`!c.?resources.?`+kind+`.?`+resource+`.hasValue() && !variables.spec.?resources.?`+kind+`.?`+resource+`.hasValue()`, "resources."+kind+"."+resource, ""))
		}
	}
	return []Policy{
		onPods(Policy{
			ID: "resources", Title: "every container says what it needs and what it may take", Controls: []string{"M23"},
			found:  all(bounds...),
			Remedy: "set requests and limits of cpu and memory, for each container or for the pod",
		}),
		onPods(Policy{
			ID: "default-account", Title: "the default service account gives no token to pods", Controls: []string{"M20", "CIS-5.1.5", "CIS-5.1.6"},
			found: all(
				each(volumes, defaultAccount+` && c.?projected.?sources.orValue([]).exists(s, has(s.serviceAccountToken))`,
					`variables.path + 'volumes[' + c.name + '].projected.sources[].serviceAccountToken'`),
				either(defaultAccount+` && variables.spec.?automountServiceAccountToken.orValue(false)`, `variables.path + 'automountServiceAccountToken is "true"'`)),
			Remedy: "set automountServiceAccountToken: false, or name a service account of the program's own",
		}),
		onPods(Policy{
			ID: "secrets-in-env", Title: "secrets are mounted, not put into the environment, where every child and crash report has them", Controls: []string{"M30", "CIS-5.4.1"}, Relaxed: Warn,
			found: all(
				containers(`has(c.env) && c.env.exists(e, e.?valueFrom.?secretKeyRef.hasValue())`, "env[].valueFrom.secretKeyRef",
					`c.?env.orValue([]).filter(e, e.?valueFrom.?secretKeyRef.hasValue()).map(e, e.name).join(',')`),
				containers(`has(c.envFrom) && c.envFrom.exists(e, e.?secretRef.hasValue())`, "envFrom[].secretRef",
					`c.?envFrom.orValue([]).filter(e, e.?secretRef.hasValue()).map(e, e.secretRef.?name.orValue('')).join(',')`)),
			Remedy: "mount the secret as a volume",
		}),
		onPods(Policy{
			ID: "scheduling", Title: "pods go where the scheduler puts them, not onto the control plane, and before nobody of the system", Controls: []string{"M24"},
			found: all(
				// Only what comes new is judged: the scheduler binds by a subresource of its
				// own, and a pod that is there has its node.
				either(`request.operation == 'CREATE' && variables.spec.?nodeName.orValue('') != ''`, `variables.path + 'nodeName is "' + variables.spec.nodeName + '"'`),
				either(`variables.spec.?priorityClassName.orValue('').startsWith('system-')`, `variables.path + 'priorityClassName is "' + variables.spec.priorityClassName + '"'`),
				each(tolerations, `c.?key.orValue('') in ['', 'node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master']`, `variables.path + 'tolerations[].key is "' + c.?key.orValue('') + '"'`)),
			Remedy: "leave out nodeName, use nodeSelector or affinity; tolerate taints by their names; use a priority class of the cluster that is not the system's",
		}),
		onPods(Policy{
			ID: "isolation-pool", Title: "pods of a namespace with a pool of nodes run there, and no others do", Controls: []string{"M24"},
			found: all(
				either(asked+` != `+pool, `variables.path + 'nodeSelector[`+LabelPool+`] is "' + `+asked+` + '"'`),
				each(tolerations, `c.?key.orValue('') == '`+LabelPool+`' && (`+pool+` == '' || c.?value.orValue('') != `+pool+`)`, `variables.path + 'tolerations[`+LabelPool+`].value is "' + c.?value.orValue('') + '"'`)),
			Remedy: "in a namespace with a pool set nodeSelector redoubt.dev/pool to its name, and tolerate the taint of the same name with the pool as value; elsewhere leave out both",
		}),
		onPods(Policy{
			ID: "default-namespace", Title: "nothing runs in the namespace default", Controls: []string{"M24", "CIS-5.7.4"},
			found:  either(`request.?namespace.orValue('') == 'default' && !(request.?dryRun.orValue(false) && request.?name.orValue('').startsWith('`+sentinelPrefix+`'))`, `'metadata.namespace is "default"'`),
			Remedy: "use a namespace that the platform made for the program",
		}),
	}
}
