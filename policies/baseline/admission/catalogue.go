package admission

import "slices"

// Catalogue gives all policies, in the order of the documentation.
func Catalogue() []Policy {
	all := slices.Concat(imagePolicies(), podPolicies(), podHostPolicies(), podUsePolicies(), exposurePolicies(), storagePolicies(), accessPolicies(), connectPolicies(), platformPolicies())
	for i, p := range all {
		all[i] = p.complete()
	}
	return all
}

// onPods completes a policy on the containers of pods and of their templates.
func onPods(p Policy) Policy {
	p.Family, p.Scope, p.Rules, p.Templates = "pods", Workloads, podRules, templateRules
	p.Sentinel = Sentinel{Kind: "Pod"}
	if p.Mode == "" {
		p.Mode = Deny
	}
	return p
}
