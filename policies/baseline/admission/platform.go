package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// Annotations of an emergency binding.
const (
	AnnotationReason  = Group + "/reason"
	AnnotationExpires = Group + "/expires"
)

// cleaners delete what is in a namespace that goes, what has lost its owner, and
// write the status and finalizers of what is going.
var cleaners = []string{
	"system:serviceaccount:kube-system:namespace-controller", "system:serviceaccount:kube-system:generic-garbage-collector",
	"system:serviceaccount:kube-system:pvc-protection-controller", "system:kube-controller-manager",
}

// platformPolicies keep the platform's own objects.
func platformPolicies() []Policy {
	notCleaners := condition("not-the-cleaners", `!(request.userInfo.username in `+quoted(cleaners...)+`)`)
	managed := func(object string) string {
		return `(` + object + ` != null && ` + object + `.metadata.?labels[?'` + LabelManagedBy + `'].orValue('') == '` + ManagedBy + `')`
	}
	level := func(labels string) string {
		return labels + `[?'pod-security.kubernetes.io/enforce'].orValue('')`
	}
	return []Policy{
		{
			ID: "platform-objects", Title: "only the platform changes what Redoubt made", Controls: []string{"M24", "M25"}, Mode: Deny,
			// It judges the parameters themselves: needing them, it would refuse to have
			// them back.
			NoParameters: true,
			Rules: []admissionv1.NamedRuleWithOperations{
				rule("", create+" "+update+" "+remove, "configmaps", "secrets", "serviceaccounts", "resourcequotas", "limitranges", "namespaces", "namespaces/status", "namespaces/finalize"),
				rule("networking.k8s.io", create+" "+update+" "+remove, "networkpolicies"),
				rule("rbac.authorization.k8s.io", create+" "+update+" "+remove, "roles", "rolebindings", "clusterroles", "clusterrolebindings"),
				rule("storage.k8s.io", create+" "+update+" "+remove, "storageclasses"),
				rule("scheduling.k8s.io", create+" "+update+" "+remove, "priorityclasses"),
				rule("node.k8s.io", create+" "+update+" "+remove, "runtimeclasses"),
			},
			Sentinel: Sentinel{Kind: "ConfigMap"},
			Conditions: []admissionv1.MatchCondition{notTheServer, notCleaners, NotRewritten,
				condition("of-the-platform", managed(`object`)+` || `+managed(`oldObject`)+` || request.?name.orValue('').startsWith('`+sentinelPrefix+`')`)},
			found:  either(managed(`object`)+` || `+managed(`oldObject`), `'metadata.labels[`+LabelManagedBy+`] is "`+ManagedBy+`"'`),
			Unless: isPlatform + ` || ` + quarantineAlone,
			Remedy: "ask the platform to change it in the settings of its stack",
		},
		{
			ID: "namespaces", Title: "a namespace has a level of Pod Security, which nobody but the platform lowers, as the platform's labels are its own", Controls: []string{"M22", "M24", "CIS-5.2.1"}, Mode: Deny,
			Rules: onNamespaces, Sentinel: Sentinel{Kind: "Namespace"},
			Conditions: []admissionv1.MatchCondition{notTheServer, notCleaners},
			Variables: []admissionv1.Variable{
				variable("labels", `dyn(object).metadata.?labels.orValue({})`), variable("notes", `dyn(object).metadata.?annotations.orValue({})`),
				variable("labelsBefore", `oldObject == null ? {} : dyn(oldObject).metadata.?labels.orValue({})`), variable("notesBefore", `oldObject == null ? {} : dyn(oldObject).metadata.?annotations.orValue({})`),
				variable("rank", `{'privileged': 0, 'baseline': 1, 'restricted': 2}`),
			},
			found: all(
				either(`oldObject == null && !(`+level(`variables.labels`)+` in ['baseline', 'restricted'])`, `'metadata.labels[pod-security.kubernetes.io/enforce] is "' + `+level(`variables.labels`)+` + '"'`),
				either(`oldObject != null && variables.rank[?`+level(`variables.labels`)+`].orValue(3) != variables.rank[?`+level(`variables.labelsBefore`)+`].orValue(3)`+
					` && variables.rank[?`+level(`variables.labels`)+`].orValue(-1) < variables.rank[?`+level(`variables.labelsBefore`)+`].orValue(3)`,
					`'metadata.labels[pod-security.kubernetes.io/enforce] becomes "' + `+level(`variables.labels`)+` + '"'`),
				either(`oldObject != null && variables.labels[?'pod-security.kubernetes.io/enforce-version'] != variables.labelsBefore[?'pod-security.kubernetes.io/enforce-version']`, `'metadata.labels[pod-security.kubernetes.io/enforce-version] changes'`),
				changed(`labels`), changed(`notes`)),
			Unless: systemUser + ` || ` + isPlatform,
			Remedy: "label a new namespace pod-security.kubernetes.io/enforce: restricted, and leave " + Group + "/ to the platform",
		},
		{
			// Whoever it is, the platform too: it would believe that it had narrowed something.
			ID: "pod-rules", Title: "no namespace is said to narrow nothing for pods and narrows something", Controls: []string{"M24", "M26"}, Mode: Deny,
			NoParameters: true,
			Rules:        onNamespaces, Sentinel: Sentinel{Kind: "Namespace"},
			// What was so already may be changed otherwise, and go.
			found:  either(contradictory(`object`)+` && !`+contradictory(`oldObject`), `'metadata.labels[`+LabelPodRules+`] is "`+PodRulesOfCluster+`"'`),
			Remedy: "take this label away where you set the annotation " + AnnotationRegistries + " or one of the labels " + LabelPool + " and " + LabelUserNamespaces,
		},
		{
			ID: "api-extensions", Title: "only the platform adds APIs to the cluster", Controls: []string{"M25"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{
				rule("apiregistration.k8s.io", create+" "+update+" "+remove, "apiservices"),
				rule("apiextensions.k8s.io", create+" "+update+" "+remove, "customresourcedefinitions"),
			},
			Sentinel:   Sentinel{Kind: "CustomResourceDefinition"},
			Conditions: []admissionv1.MatchCondition{notTheServer, notCleaners},
			found:      either(`true`, `request.kind.kind + ' "' + request.?name.orValue('') + '"'`),
			Unless:     systemUser + ` || ` + isPlatform,
			Remedy:     "have the platform install it",
		},
	}
}

// onNamespaces are all ways to a namespace's labels: its subresources take them as well.
var onNamespaces = []admissionv1.NamedRuleWithOperations{rule("", create+" "+update, "namespaces", "namespaces/status", "namespaces/finalize")}

// contradictory tells in CEL whether a namespace, which may be null, is said to narrow nothing for its pods, and does.
func contradictory(object string) string {
	label := func(key string) string { return `dyn(` + object + `).metadata.?labels[?'` + key + `'].orValue('')` }
	return `(` + object + ` != null && ` + label(LabelPodRules) + ` == '` + PodRulesOfCluster + `' && (` + label(LabelPool) + ` != '' || ` + label(LabelUserNamespaces) + ` != '' || ` +
		`dyn(` + object + `).metadata.?annotations[?'` + AnnotationRegistries + `'].orValue('') != ''))`
}

// QuarantineLabel is the label of quarantine and begins its annotations, which
// policies of its own look after: see policies/baseline/quarantine.
const QuarantineLabel = Group + "/quarantine"

// quarantineAlone tells in CEL whether a namespace changes in nothing else, by
// somebody who may impose or release it.
var quarantineAlone = `(request.kind.kind == 'Namespace' && request.operation == 'UPDATE' && ` + OnlyQuarantineChanges("labels") + ` && ` + OnlyQuarantineChanges("annotations") +
	` && ['impose', 'release'].exists(v, authorizer.group('` + Group + `').resource('` + ResourceQuarantines + `').check(v).allowed()))`

// OnlyQuarantineChanges tells in CEL whether labels or annotations differ in nothing but what is
// quarantine's.
func OnlyQuarantineChanges(what string) string {
	now, before := `dyn(object).metadata.?`+what+`.orValue({})`, `dyn(oldObject).metadata.?`+what+`.orValue({})`
	same := func(a, b string) string {
		return a + `.all(k, k.startsWith('` + QuarantineLabel + `') || ` + b + `[?k] == ` + a + `[?k])`
	}
	return same(now, before) + ` && ` + same(before, now)
}

// changed gives the labels or annotations of the platform's group that an object
// has otherwise than before.
func changed(what string) finding {
	kind := map[string]string{"labels": "labels", "notes": "annotations"}[what]
	return each(`(variables.`+what+`.map(k, k) + variables.`+what+`Before.map(k, k))`, `c.startsWith('`+Group+`/') && !c.startsWith('`+QuarantineLabel+`') && variables.`+what+`[?c] != variables.`+what+`Before[?c]`,
		`'metadata.`+kind+`[' + c + '] changes'`)
}
