package admission

import admissionv1 "k8s.io/api/admissionregistration/v1"

// systemUser leaves out identities of the provider, see [Settings.SystemUsers].
const systemUser = `params.data.systemUsers.split('\n').exists(u, u != '' && (u.endsWith('*') ? request.userInfo.username.startsWith(u.substring(0, size(u) - 1)) : request.userInfo.username == u))`

// accessPolicies are about roles and who has them (RBAC). Existing roles and
// bindings are judged when somebody changes what they give.
func accessPolicies() []Policy {
	rbac := "rbac.authorization.k8s.io"
	// The controller that aggregates roles only copies what other roles have, which
	// was judged there.
	notAggregation := condition("not-aggregation", `request.userInfo.username != 'system:serviceaccount:kube-system:clusterrole-aggregation-controller'`)
	named := func(rule, resource string, verbs ...string) string {
		return rule + `.?resources.orValue([]).exists(x, x in ` + quoted(resource) + `) && ` + rule + `.verbs.exists(v, v in ` + quoted(append(verbs, "*")...) + `)`
	}
	risky := func(bad, say string) finding { return each(`variables.rules`, bad, say) }
	verbs := `c.verbs.join(',')`
	return []Policy{
		{
			ID: "role-rules", Title: "roles name what they give, and give no way to more", Controls: []string{"M20", "CIS-5.1.3", "CIS-5.1.8", "CIS-5.1.10", "CIS-5.1.11", "CIS-5.1.12", "CIS-5.1.13"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{rule(rbac, create+" "+update, "roles", "clusterroles")}, Sentinel: Sentinel{Kind: "ClusterRole"},
			Conditions: []admissionv1.MatchCondition{notTheServer, notAggregation},
			Variables: []admissionv1.Variable{
				variable("before", `oldObject == null ? [] : dyn(oldObject).?rules.orValue([])`),
				variable("rules", `dyn(object).?rules.orValue([]).filter(r, !(r in variables.before))`),
				variable("labels", `dyn(object).metadata.?labels.orValue({})`),
				variable("labelsBefore", `oldObject == null ? {} : dyn(oldObject).metadata.?labels.orValue({})`),
			},
			found: all(
				risky(`'*' in c.verbs`, `'rules[].verbs is "*"'`),
				risky(`'*' in c.?resources.orValue([])`, `'rules[].resources is "*"'`),
				risky(`'*' in c.?apiGroups.orValue([])`, `'rules[].apiGroups is "*"'`),
				risky(`c.?nonResourceURLs.orValue([]).exists(u, u in ['*', '/*'])`, `'rules[].nonResourceURLs is "*"'`),
				risky(`c.verbs.exists(v, v in ['escalate', 'bind', 'impersonate'] || v.startsWith('impersonate:'))`, `'rules[].verbs has "' + `+verbs+` + '"'`),
				// Reading it is exec in every pod of a node.
				risky(named("c", "nodes/proxy", "get", "create", "update", "patch", "delete"), `'rules[].resources has "nodes/proxy"'`),
				risky(named("c", "serviceaccounts/token", "create"), `'rules[].resources has "serviceaccounts/token" with "' + `+verbs+` + '"'`),
				risky(named("c", "certificatesigningrequests/approval", "update", "patch"), `'rules[].resources has "certificatesigningrequests/approval" with "' + `+verbs+` + '"'`),
				risky(named("c", "signers", "approve", "sign"), `'rules[].resources has "signers" with "' + `+verbs+` + '"'`),
				risky(`c.?resources.orValue([]).exists(x, x in ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations', 'validatingadmissionpolicies', 'validatingadmissionpolicybindings', 'mutatingadmissionpolicies', 'mutatingadmissionpolicybindings']) && c.verbs.exists(v, v in ['create', 'update', 'patch', 'delete', 'deletecollection'])`,
					`'rules[].resources has "' + c.resources.join(',') + '" with "' + `+verbs+` + '"'`),
				risky(`c.?resources.orValue([]).exists(x, x == 'persistentvolumes') && c.verbs.exists(v, v == 'create')`, `'rules[].resources has "persistentvolumes" with "create"'`),
				// The platform's group gives the right to change the policies themselves.
				risky(`'`+Group+`' in c.?apiGroups.orValue([])`, `'rules[].apiGroups has "`+Group+`"'`),
				each(`variables.labels`, `c.startsWith('rbac.authorization.k8s.io/aggregate-to-') && variables.labelsBefore[?c].orValue('') != variables.labels[c]`, `'metadata.labels has "' + c + '"'`),
				either(`dyn(object).?aggregationRule.hasValue() && (oldObject == null || dyn(oldObject).?aggregationRule != dyn(object).?aggregationRule)`, `'aggregationRule'`)),
			Unless: systemUser + ` || ` + isPlatform,
			Remedy: "name verbs, resources and groups one by one, and leave these rights to the platform",
		},
		{
			ID: "role-bindings", Title: "no role goes to everybody, and cluster-admin to nobody but in an emergency", Controls: []string{"M20", "CIS-5.1.1", "CIS-5.1.7"}, Mode: Deny,
			Rules: []admissionv1.NamedRuleWithOperations{rule(rbac, create+" "+update, "rolebindings", "clusterrolebindings")}, Sentinel: Sentinel{Kind: "ClusterRoleBinding"},
			Conditions: []admissionv1.MatchCondition{notTheServer},
			Variables: []admissionv1.Variable{
				variable("before", `oldObject == null ? [] : dyn(oldObject).?subjects.orValue([])`),
				variable("subjects", `dyn(object).?subjects.orValue([]).filter(s, !(s in variables.before))`),
				variable("annotations", `dyn(object).metadata.?annotations.orValue({})`),
				// An emergency says why and until when, at most a day.
				variable("emergency", `dyn(object).metadata.name.startsWith('redoubt:break-glass:') && size(variables.annotations[?'`+AnnotationReason+`'].orValue('')) >= 10 && `+
					`variables.annotations[?'`+AnnotationExpires+`'].orValue('').matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$') && `+
					`timestamp(variables.annotations['`+AnnotationExpires+`']) > variables.clock && timestamp(variables.annotations['`+AnnotationExpires+`']) <= variables.clock + duration('24h')`),
			},
			found: all(
				each(`variables.subjects`, `c.name in `+quoted(everybody...), `'subjects[].name is "' + c.name + '"'`),
				either(`size(variables.subjects) > 0 && dyn(object).roleRef.name == 'cluster-admin' && !variables.emergency`, `'roleRef.name is "cluster-admin"'`)),
			Unless: systemUser,
			Remedy: "bind a role that says what it gives to a group of the identity provider; in an emergency bind cluster-admin as redoubt:break-glass:NAME with the annotations " + AnnotationReason + " and " + AnnotationExpires + ", a time within 24 hours such as 2027-01-31T12:00:00Z",
		},
	}
}

// everybody are groups and users that are no one: whoever is not known, whoever is
// known, and the group that no authorizer is asked about.
var everybody = []string{"system:anonymous", "system:unauthenticated", "system:authenticated", "system:masters", "system:serviceaccounts"}
