package hostconfig

import (
	"fmt"
	"slices"
)

// memoryReservationPolicies are the values that the kubelet knows.
var memoryReservationPolicies = []string{"", "None", "TieredReservation"}

// kubeletNeed is what a value of a newer field needs beside it. The kubelet ends
// without it, which no exception changes.
type kubeletNeed struct {
	field, gate string
	// onSince is the first minor in which the gate is on by default.
	onSince string
	isSet   func(kubeletConfiguration) bool
	unset   func(*kubeletConfiguration)
}

// https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/
var kubeletNeeds = []kubeletNeed{
	{"defaultPodSysctls", "DefaultPodSysctls", "",
		func(c kubeletConfiguration) bool { return len(c.DefaultPodSysctls) > 0 },
		func(c *kubeletConfiguration) { c.DefaultPodSysctls = nil }},
	{"memoryReservationPolicy", "MemoryQoS", "v1.37",
		func(c kubeletConfiguration) bool { return c.MemoryReservationPolicy == "TieredReservation" },
		func(c *kubeletConfiguration) { c.MemoryReservationPolicy = "" }},
}

// kubeletNeedsOf takes out of a configuration what the kubelet of the minor would
// not start with, and reports it.
func kubeletNeedsOf(minor string, configuration *kubeletConfiguration) []error {
	var p problems
	field := func(name string) string { return fmt.Sprintf("extraKubelet[%q]", name) }
	if policy := configuration.MemoryReservationPolicy; !slices.Contains(memoryReservationPolicies, policy) {
		p.add(field("memoryReservationPolicy"), quote(policy)+" is no policy of the kubelet", "write None or TieredReservation")
		configuration.MemoryReservationPolicy = ""
	}
	for _, need := range kubeletNeeds {
		on, told := configuration.FeatureGates[need.gate]
		if !told {
			on = gate{onSince: need.onSince}.onByDefault(minor)
		}
		if need.isSet(*configuration) && !on {
			p.add(field(need.field), fmt.Sprintf("the kubelet of %s does not start with it unless the feature gate %s is on", minor, need.gate),
				"leave it out, or add "+need.gate+": true in featureGates")
			need.unset(configuration)
		}
	}
	return p
}
