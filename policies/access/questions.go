package access

import "slices"

// Question is something that a review answers for every subject.
type Question struct {
	// ID is a word, Title the question in full.
	ID, Title string
	// hold asks the grants, in a namespace or in the whole cluster; nil where the
	// answer is what the subject can become.
	hold func(v view, namespace string) hold
	// becomes is that identity.
	becomes Subject
}

// Questions are what is asked, the heaviest first.
var Questions = []Question{
	{ID: "everything", Title: "has every right in the cluster, or can take it", becomes: everything},
	{ID: "node", Title: "becomes root on a node", becomes: Subject{Kind: KindNode}},
	{ID: "roles", Title: "writes roles or bindings", hold: on(rbacGroup, mutates, "roles", "rolebindings", "clusterroles", "clusterrolebindings")},
	{ID: "admission", Title: "changes or removes admission policies and webhooks", hold: on(admissionGroup, mutates+" delete deletecollection",
		"validatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingwebhookconfigurations", "mutatingwebhookconfigurations",
		"mutatingadmissionpolicies", "mutatingadmissionpolicybindings")},
	{ID: "impersonate", Title: "acts under another name", hold: on("", "impersonate", "users", "groups", "serviceaccounts")},
	{ID: "secrets", Title: "reads Secrets", hold: on("", reads, "secrets")},
	{ID: "tokens", Title: "issues tokens of service accounts", hold: on("", "create", "serviceaccounts/token")},
	{ID: "exec", Title: "runs programs in pods", hold: func(v view, namespace string) hold { return v.enters(namespace) }},
	{ID: "workloads", Title: "runs workloads", hold: func(v view, namespace string) hold { return v.runs(namespace) }},
	{ID: "namespaces", Title: "makes, labels or deletes namespaces", hold: on("", mutates+" delete", "namespaces")},
	{ID: "network", Title: "writes network policies", hold: on("networking.k8s.io", mutates+" delete deletecollection", "networkpolicies")},
	{ID: "bounds", Title: "writes quotas and limits", hold: on("", mutates+" delete deletecollection", "resourcequotas", "limitranges")},
	{ID: "nodes", Title: "changes or deletes nodes", hold: on("", "update patch delete deletecollection", "nodes")},
	{ID: "volumes", Title: "makes persistent volumes", hold: on("", mutates, "persistentvolumes")},
	{ID: "quarantine", Title: "puts under quarantine, or releases", hold: on("redoubt.dev", "impose release", "quarantines")},
	{ID: "logs", Title: "reads the logs of pods", hold: on("", "get", "pods/log")},
	{ID: "configuration", Title: "reads ConfigMaps", hold: on("", reads, "configmaps")},
	{ID: "pods", Title: "sees pods", hold: on("", reads, "pods")},
}

// on asks for any of the verbs on any of the resources of an API group.
func on(group, verbs string, resources ...string) func(view, string) hold {
	return func(v view, namespace string) hold {
		best := hold{}
		for _, resource := range resources {
			best = some(best, either(v.grants, verbs, group, resource, namespace))
		}
		return best
	}
}

// ask answers the question for somebody.
func (q Question) ask(c closure, v view) Finding {
	if q.hold == nil {
		how, ok := c.is[q.becomes]
		if !ok {
			return Finding{}
		}
		return Finding{Answer: how.answer, Namespaces: []string{"*"}, Through: c.path(q.becomes), Source: how.reason}
	}
	all := q.hold(v, everywhere)
	if all.answer == Yes && len(all.names) == 0 {
		return c.finding(all, "*")
	}
	out := Finding{}
	if all.answer > No {
		out = c.finding(all, "*")
	}
	for _, namespace := range v.own {
		h := q.hold(v, namespace)
		switch {
		case h.answer == No || h.answer == all.answer && len(h.names) == len(all.names):
		case out.Answer == No:
			out = c.finding(h, namespace)
		case out.Answer < h.answer: // what is certain comes first
			before := out
			out = c.finding(h, namespace)
			out.Unknown = before.Namespaces
		case out.Answer > h.answer:
			out.Unknown = append(out.Unknown, namespace)
		default:
			out.Namespaces = append(out.Namespaces, namespace)
		}
	}
	return out
}

func (c closure) finding(h hold, namespace string) Finding {
	return Finding{Answer: h.answer, Namespaces: []string{namespace}, Names: slices.Compact(slices.Sorted(slices.Values(h.names))),
		Through: c.path(h.holder), Source: h.source}
}
