package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// storagePolicies are about volumes.
func storagePolicies() []Policy {
	return []Policy{
		{
			ID: "encrypted-storage", Title: "claims are on classes whose volumes are encrypted", Controls: []string{"M19"}, Mode: Deny, Scope: Workloads,
			Rules: []admissionv1.NamedRuleWithOperations{rule("", create, "persistentvolumeclaims")}, Sentinel: Sentinel{Kind: "PersistentVolumeClaim"},
			Templates: []admissionv1.NamedRuleWithOperations{rule("apps", create+" "+update, "statefulsets")},
			Variables: []admissionv1.Variable{
				variable("classes", `params.data.storageClasses.split('\n')`),
				variable("claims", `request.kind.kind == 'StatefulSet' ? dyn(object).spec.?volumeClaimTemplates.orValue([]).map(c, {'path': dyn('spec.volumeClaimTemplates[' + c.metadata.name + '].'), 'spec': c.spec}) : [{'path': dyn(''), 'spec': dyn(object).spec}]`),
			},
			// A template may leave its class to the default, which a claim has by the time
			// it is judged.
			found: each(`variables.claims`, `!(c.spec.?storageClassName.orValue('') in variables.classes) && !(request.kind.kind == 'StatefulSet' && !c.spec.?storageClassName.hasValue())`,
				`string(c.path) + 'spec.storageClassName is "' + c.spec.?storageClassName.orValue('') + '"'`),
			Remedy: "leave the class out, or name an encrypted one",
		},
		{
			ID: "persistent-volumes", Title: "no volume is a directory or disk of a node", Controls: []string{"M19", "M22"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{rule("", create+" "+update, "persistentvolumes")}, Sentinel: Sentinel{Kind: "PersistentVolume"},
			found:  each(quoted("hostPath", "local"), `c in dyn(object).spec`, `'spec.' + c`),
			Remedy: "use a volume of a CSI driver",
		},
		{
			ID: "token-secrets", Title: "no token of a service account lives for ever in a Secret", Controls: []string{"M34", "CIS-5.1.6"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{rule("", create, "secrets")}, Sentinel: Sentinel{Kind: "Secret"},
			found:  either(`dyn(object).?type.orValue('') == 'kubernetes.io/service-account-token'`, `'type is "kubernetes.io/service-account-token"'`),
			Remedy: "mount a projected token, or ask for one with kubectl create token",
		},
	}
}
