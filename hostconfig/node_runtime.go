package hostconfig

import "slices"

// Runtime is what a node's container runtime has of its own. What it does not
// say is hardened the same on every node. Bottlerocket configures its own.
type Runtime struct {
	// ContainerdVersion is the line of containerd that a local machine runs;
	// Containerd16 by default. Flatcar's image decides it there.
	ContainerdVersion ContainerdVersion `json:"containerdVersion,omitempty"`
	// SELinux says that a local machine's kernel and policy label containers.
	// Flatcar has a policy, and its containers are always labelled.
	SELinux bool `json:"selinux,omitempty"`
	// GVisorPlatform is "systrap" (the default) or, with virtualization, "kvm".
	GVisorPlatform string `json:"gVisorPlatform,omitempty"`
	// KataConfig is the path of Kata's configuration in the machine's image;
	// DefaultKataConfig by default.
	KataConfig string `json:"kataConfig,omitempty"`
	// Extra changes keys of containerd's configuration. Each has a merge rule and
	// a name, see [ContainerdRules].
	Extra map[string]any `json:"extra,omitempty"`
}

// of gives the runtime as the operating system has it.
func (r Runtime) of(os OS) Runtime {
	if os == OSFlatcar {
		// portage-stable/app-containers/containerd of flatcar/scripts is 2.x.
		r.ContainerdVersion = Containerd2
		// As the configuration in Flatcar's image does; the policy is permissive.
		// https://www.flatcar.org/docs/latest/setup/security/selinux/
		r.SELinux = true
	}
	return r
}

// nodeRuntime refuses settings of sandboxed runtimes that the node does not have.
func (p *problems) nodeRuntime(n Node) {
	for _, each := range []struct{ field, value, class string }{
		{"runtime.gVisorPlatform", n.Runtime.GVisorPlatform, RuntimeClassGVisor},
		{"runtime.kataConfig", n.Runtime.KataConfig, RuntimeClassKata},
	} {
		if each.value != "" && !slices.Contains(n.RuntimeClasses, each.class) {
			p.add(each.field, "has no effect without the runtime class "+each.class, "list "+each.class+" in runtimeClasses, or leave it out")
		}
	}
}
