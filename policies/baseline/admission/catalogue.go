package admission

import "slices"

// Catalogue gives all policies, in the order of the documentation.
func Catalogue() []Policy {
	return slices.Concat(imagePolicies(), podPolicies(), podHostPolicies(), podUsePolicies(), exposurePolicies(), storagePolicies(), accessPolicies(), connectPolicies(), platformPolicies())
}

// onPods completes a policy on the containers of pods and of their templates.
func onPods(p Policy) Policy {
	p.Scope, p.Rules, p.Templates = Workloads, podRules, templateRules
	p.Sentinel = Sentinel{Kind: "Pod"}
	if p.Mode == "" {
		p.Mode = Deny
	}
	return p
}
