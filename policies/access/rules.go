package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// rule is one way to take on the rights of somebody else.
type rule struct {
	id, title string
	find      func(v view) []step
}

const (
	rbacGroup      = "rbac.authorization.k8s.io"
	csrGroup       = "certificates.k8s.io"
	admissionGroup = "admissionregistration.k8s.io"
	reads          = "get list watch"
)

var everything = Subject{Kind: KindEverything}

// rules are all of them.
// https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
var rules = []rule{
	{"masters", "the group system:masters passes every authorizer", nil}, // see [definition]
	{"impersonate", "acts under another name", impersonates},
	{"issue-token", "issues a token of a service account (serviceaccounts/token)", func(v view) []step {
		var out []step
		v.each(v.either("create", "", "serviceaccounts/token"), func(namespace string, h hold) {
			for _, c := range v.accountsIn(namespace) {
				if len(h.names) == 0 || slices.Contains(h.names, c.account.Name) {
					out = append(out, h.to(c.account, c.answer))
				}
			}
		})
		return out
	}},
	{"token-secret", "makes a Secret that is filled with a token, and reads it", func(v view) []step {
		var out []step
		v.each(func(namespace string) hold {
			return both(either(v.grants, mutates, "", "secrets", namespace), either(v.grants, reads, "", "secrets", namespace))
		}, func(namespace string, h hold) {
			for _, c := range v.accountsIn(namespace) {
				out = append(out, h.to(c.account, c.answer))
			}
		})
		return out
	}},
	{"read-secret", "reads Secrets, some of which may hold tokens", func(v view) []step {
		var out []step
		v.each(v.either(reads, "", "secrets"), func(namespace string, h hold) {
			for _, c := range v.accountsIn(namespace) {
				out = append(out, h.to(c.account, Unknown))
			}
		})
		return out
	}},
	{"run-as", "runs a pod under any service account of the namespace", func(v view) []step {
		var out []step
		v.each(v.runs, func(namespace string, h hold) {
			for _, c := range v.accountsIn(namespace) {
				out = append(out, h.to(c.account, c.answer))
			}
		})
		return out
	}},
	{"run-privileged", "runs a pod that Pod Security lets onto the node", func(v view) []step {
		var out []step
		relabels := either(v.grants, "update patch", "", "namespaces", everywhere)
		v.each(v.runs, func(namespace string, h hold) {
			switch v.cluster.PodSecurity[namespace] {
			case "privileged":
				out = append(out, h.to(Subject{Kind: KindNode}, Yes))
			case "":
				out = append(out, h.to(Subject{Kind: KindNode}, Unknown))
			default: // whoever labels namespaces chooses the level, unless a policy guards it
				if relabels.answer > No {
					out = append(out, both(h, relabels).to(Subject{Kind: KindNode}, Unknown))
				}
			}
		})
		return out
	}},
	{"exec", "runs a program in a pod, which may hold a token", func(v view) []step {
		var out []step
		v.each(v.enters, func(namespace string, h hold) {
			for _, c := range v.tokensIn(namespace) {
				out = append(out, h.to(c.account, c.answer))
			}
		})
		return out
	}},
	{"image", "changes the image of a pod, which may hold a token", func(v view) []step {
		var out []step
		v.each(v.either("update patch", "", "pods"), func(namespace string, h hold) {
			for _, c := range v.tokensIn(namespace) {
				out = append(out, h.to(c.account, c.answer))
			}
		})
		return out
	}},
	{"nodes-proxy", "reaches the kubelet through nodes/proxy, which runs programs in every pod", func(v view) []step {
		var out []step
		if h := either(v.grants, "get create", "", "nodes/proxy", everywhere); h.answer > No {
			for _, namespace := range v.namespaces {
				for _, c := range v.tokensIn(namespace) {
					out = append(out, h.to(c.account, c.answer))
				}
			}
		}
		return out
	}},
	{"escalate", "writes more into a role than he has", escalates},
	{"bind", "binds a role that he does not have", binds},
	{"certificate", "has a client certificate signed for any name", certificates},
	{"bootstrap-token", "makes a bootstrap token, which joins a node", func(v view) []step {
		var out []step
		if h := either(v.grants, mutates, "", "secrets", "kube-system"); h.answer > No {
			for _, name := range v.of(KindGroup) {
				if strings.HasPrefix(name, "system:bootstrappers") {
					out = append(out, h.to(Subject{Kind: KindGroup, Name: name}, Unknown))
				}
			}
		}
		return out
	}},
	{"mutate", "changes what others write, by an admission webhook or policy", func(v view) []step {
		h := some(either(v.grants, mutates, admissionGroup, "mutatingwebhookconfigurations", everywhere),
			both(either(v.grants, mutates, admissionGroup, "mutatingadmissionpolicies", everywhere),
				either(v.grants, mutates, admissionGroup, "mutatingadmissionpolicybindings", everywhere)))
		return h.reach(everything, Yes)
	}},
	{"observe", "sees what others write, Secrets included, by a validating webhook", func(v view) []step {
		return either(v.grants, mutates, admissionGroup, "validatingwebhookconfigurations", everywhere).reach(everything, Unknown)
	}},
	{"api-service", "answers for an API in place of the API server", func(v view) []step {
		return either(v.grants, mutates, "apiregistration.k8s.io", "apiservices", everywhere).reach(everything, Unknown)
	}},
	{"host-volume", "makes a volume of a node's directory, and mounts it", func(v view) []step {
		volumes := either(v.grants, mutates, "", "persistentvolumes", everywhere)
		if volumes.answer == No {
			return nil
		}
		out := volumes.reach(Subject{Kind: KindNode}, Unknown)
		v.each(func(namespace string) hold {
			return both(either(v.grants, "create", "", "persistentvolumeclaims", namespace), v.runs(namespace))
		}, func(_ string, h hold) { out = append(out, both(volumes, h).to(Subject{Kind: KindNode}, Yes)) })
		return out
	}},
	{"eks-identities", "writes the map of IAM identities, where Amazon EKS reads it", func(v view) []step {
		h := some(has(v.grants, right{"update", "", "configmaps", "aws-auth"}, "kube-system"),
			has(v.grants, right{"patch", "", "configmaps", "aws-auth"}, "kube-system"))
		return h.reach(everything, Unknown)
	}},
}

// to is the step that a hold allows.
func (h hold) to(target Subject, answer Answer) step {
	return step{to: target, answer: weaker(h.answer, answer), because: h.source, from: h.holder}
}

// reach is [hold.to], where there is a hold.
func (h hold) reach(target Subject, answer Answer) []step {
	if h.answer == No {
		return nil
	}
	return []step{h.to(target, answer)}
}

func impersonates(v view) []step {
	var out []step
	for _, kind := range []struct{ resource, kind string }{{"users", KindUser}, {"groups", KindGroup}} {
		h := either(v.grants, "impersonate", "", kind.resource, everywhere)
		if h.answer == No {
			continue
		}
		if kind.kind == KindGroup && (len(h.names) == 0 || slices.Contains(h.names, groupMasters)) {
			out = append(out, h.to(everything, Yes))
		}
		for _, name := range named(h, v.of(kind.kind)) {
			out = append(out, h.to(subjectOf(rbacv1.Subject{Kind: kind.kind, Name: name}, ""), Yes))
		}
	}
	v.each(v.either("impersonate", "", "serviceaccounts"), func(namespace string, h hold) {
		for _, c := range v.accountsIn(namespace) {
			if len(h.names) == 0 || slices.Contains(h.names, c.account.Name) {
				out = append(out, h.to(c.account, Yes))
			}
		}
	})
	return out
}

func escalates(v view) []step {
	// A cluster role that he is bound to is enough: he has one, or he would not have this right.
	cluster := both(either(v.grants, "escalate", rbacGroup, "clusterroles", everywhere), either(v.grants, "update patch", rbacGroup, "clusterroles", everywhere))
	out := cluster.reach(everything, Yes)
	v.each(func(namespace string) hold {
		return both(either(v.grants, "escalate", rbacGroup, "roles", namespace), either(v.grants, mutates, rbacGroup, "roles", namespace))
	}, func(namespace string, h hold) {
		// He needs to be bound to the role that he writes.
		bound := some(either(v.grants, "update patch", rbacGroup, "roles", namespace), either(v.grants, mutates, rbacGroup, "rolebindings", namespace))
		if bound.answer > No {
			out = append(out, both(h, bound).to(Subject{Kind: KindEverything, Namespace: namespace}, Yes))
		}
	})
	return out
}

func binds(v view) []step {
	var out []step
	allowed := func(resource, namespace string) hold { return either(v.grants, "bind", rbacGroup, resource, namespace) }
	if h := both(allowed("clusterroles", everywhere), either(v.grants, mutates, rbacGroup, "clusterrolebindings", everywhere)); h.answer > No {
		if len(h.names) == 0 {
			out = append(out, h.to(everything, Yes)) // cluster-admin is one of them
		}
		for _, name := range h.names {
			out = append(out, h.to(Subject{Kind: KindRole, Name: name}, Yes))
		}
	}
	v.each(func(namespace string) hold {
		return both(allowed("clusterroles", namespace), either(v.grants, mutates, rbacGroup, "rolebindings", namespace))
	}, func(namespace string, h hold) {
		if len(h.names) == 0 {
			out = append(out, h.to(Subject{Kind: KindEverything, Namespace: namespace}, Yes))
		}
		for _, name := range h.names {
			out = append(out, h.to(Subject{Kind: KindRole, Namespace: namespace, Name: name}, Yes))
		}
	})
	return out
}

// certificates: the signer for API clients signs any name and any group but
// system:masters, that for kubelets signs the name of any node.
func certificates(v view) []step {
	approves := both(either(v.grants, "create", csrGroup, "certificatesigningrequests", everywhere),
		either(v.grants, "update patch", csrGroup, "certificatesigningrequests/approval", everywhere))
	if approves.answer == No {
		return nil
	}
	signer := func(name string) hold {
		domain, _, _ := strings.Cut(name, "/")
		return both(approves, some(has(v.grants, right{"approve", csrGroup, "signers", name}, everywhere),
			has(v.grants, right{"approve", csrGroup, "signers", domain + "/*"}, everywhere)))
	}
	var out []step
	if h := signer("kubernetes.io/kube-apiserver-client"); h.answer > No {
		for _, kind := range []string{KindUser, KindGroup} {
			for _, name := range v.of(kind) {
				if name != groupMasters {
					out = append(out, h.to(Subject{Kind: kind, Name: name}, Yes))
				}
			}
		}
	}
	return append(out, signer("kubernetes.io/kube-apiserver-client-kubelet").reach(Subject{Kind: KindNode}, Yes)...)
}
