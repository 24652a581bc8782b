package access

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// systemNamespace is where what nodes need runs, which no level of Pod Security lets in.
const systemNamespace = "kube-system"

// standards are the recommendations of section 5.2: what a pod does, and the least
// level of Pod Security that refuses it.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
var standards = []struct{ id, title, does, refusedBy string }{
	{"5.2.2", "no privileged containers", "privileged", "baseline"},
	{"5.2.3", "no processes of the node", "hostPID", "baseline"},
	{"5.2.4", "no IPC of the node", "hostIPC", "baseline"},
	{"5.2.5", "no network of the node", "hostNetwork", "baseline"},
	{"5.2.6", "no container gains privileges", "allowPrivilegeEscalation", "restricted"},
	{"5.2.7", "no container runs as root", "root", "restricted"},
	{"5.2.8", "no container has NET_RAW", "NET_RAW", "restricted"},
	{"5.2.9", "no container adds capabilities", "capabilities.add", "baseline"},
	{"5.2.10", "every container drops all capabilities", "capabilities", "restricted"},
	{"5.2.11", "no HostProcess containers", "hostProcess", "baseline"},
	{"5.2.12", "no volumes of the node's file system", "hostPath", "baseline"},
	{"5.2.13", "no ports of the node", "hostPorts", "baseline"},
}

// strictness orders the levels of Pod Security; one that is not known is none.
var strictness = map[string]int{"baseline": 1, "restricted": 2}

// podVerdicts judge a cluster by 5.1.5, 5.1.6 and section 5.2: what its namespaces let
// in, and what its pods do, in every list of containers. kube-bench reads the first
// list alone, passes on no pods, and asks nobody what would be let in. Of
// kube-system neither counts: nodes need what runs there.
func (c Cluster) podVerdicts() []Verdict {
	out := []Verdict{c.defaultAccounts(), c.tokens(), c.levels()}
	for _, s := range standards {
		v := Verdict{ID: s.id, Title: s.title, Who: []string{}}
		for _, namespace := range c.namespaces() {
			if level := c.PodSecurity[namespace]; namespace != systemNamespace && strictness[level] < strictness[s.refusedBy] {
				v.Who = append(v.Who, "namespace "+namespace+" lets it in: its level is \""+level+"\"")
			}
		}
		for _, p := range c.Pods {
			if p.Namespace != systemNamespace && slices.Contains(p.Does, s.does) {
				v.Who = append(v.Who, "pod "+p.Namespace+"/"+p.Name)
			}
		}
		out = append(out, v)
	}
	for i := range out {
		out[i].Holds = len(out[i].Who) == 0
	}
	return out
}

// defaultAccounts is 5.1.5: nobody is given anything by being nobody in particular.
func (c Cluster) defaultAccounts() Verdict {
	v := Verdict{ID: "5.1.5", Title: "default accounts give no token and have no rights", Who: []string{}}
	if c.Accounts == nil || c.Pods == nil {
		v.Who = append(v.Who, "it is not known: accounts or pods cannot be read")
	}
	for _, a := range c.Accounts {
		if a.Name == "default" && (a.Automounts == nil || *a.Automounts) {
			v.Who = append(v.Who, "account "+a.Namespace+"/default gives its token to every pod")
		}
	}
	for _, p := range c.Pods {
		if p.Account == "default" && p.Token {
			v.Who = append(v.Who, "pod "+p.Namespace+"/"+p.Name+" has the token of a default account")
		}
	}
	bound := func(binding string, s Subject) {
		if s.Kind == KindAccount && s.Name == "default" {
			v.Who = append(v.Who, s.String()+" has rights by "+binding)
		}
	}
	for _, b := range c.ClusterRoleBindings {
		for _, s := range b.Subjects {
			bound("ClusterRoleBinding "+b.Name, subjectOf(s, ""))
		}
	}
	for _, b := range c.RoleBindings {
		for _, s := range b.Subjects {
			bound("RoleBinding "+b.Namespace+"/"+b.Name, subjectOf(s, b.Namespace))
		}
	}
	return v
}

// tokens is 5.1.6: a token is where somebody asked for it, in the pod or its account.
func (c Cluster) tokens() Verdict {
	v := Verdict{ID: "5.1.6", Title: "no pod has a token that nobody asked for", Who: []string{}}
	if c.Pods == nil {
		v.Who = append(v.Who, "it is not known: pods cannot be read")
	}
	for _, p := range c.Pods {
		if p.Unasked {
			v.Who = append(v.Who, "pod "+p.Namespace+"/"+p.Name+" of account "+p.Account)
		}
	}
	return v
}

// levels is 5.2.1.
func (c Cluster) levels() Verdict {
	v := Verdict{ID: "5.2.1", Title: "every namespace enforces a level of Pod Security", Who: []string{}}
	if c.PodSecurity == nil {
		v.Who = append(v.Who, "it is not known: namespaces cannot be read")
	}
	for _, namespace := range c.namespaces() {
		if c.PodSecurity[namespace] == "" {
			v.Who = append(v.Who, "namespace "+namespace)
		}
	}
	return v
}

// Does tells what of section 5.2 a pod does, in any list of containers. What a
// container leaves open counts as done, unless the pod says it.
func Does(spec corev1.PodSpec) []string {
	var does []string
	add := func(what string, yes bool) {
		if yes && !slices.Contains(does, what) {
			does = append(does, what)
		}
	}
	add("hostPID", spec.HostPID)
	add("hostIPC", spec.HostIPC)
	add("hostNetwork", spec.HostNetwork)
	for _, volume := range spec.Volumes {
		add("hostPath", volume.HostPath != nil)
	}
	pod := spec.SecurityContext
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	add("hostProcess", pod.WindowsOptions != nil && pod.WindowsOptions.HostProcess != nil && *pod.WindowsOptions.HostProcess)
	judge := func(security *corev1.SecurityContext, ports []corev1.ContainerPort) {
		if security == nil {
			security = &corev1.SecurityContext{}
		}
		yes := func(b *bool) bool { return b != nil && *b }
		add("privileged", yes(security.Privileged))
		add("hostProcess", security.WindowsOptions != nil && yes(security.WindowsOptions.HostProcess))
		add("allowPrivilegeEscalation", security.AllowPrivilegeEscalation == nil || *security.AllowPrivilegeEscalation)
		nonRoot, user := security.RunAsNonRoot, security.RunAsUser
		if nonRoot == nil {
			nonRoot = pod.RunAsNonRoot
		}
		if user == nil {
			user = pod.RunAsUser
		}
		add("root", user != nil && *user == 0 || user == nil && !yes(nonRoot))
		var dropped, added []corev1.Capability
		if security.Capabilities != nil {
			dropped, added = security.Capabilities.Drop, security.Capabilities.Add
		}
		all := func(list []corev1.Capability, name corev1.Capability) bool {
			return slices.ContainsFunc(list, func(c corev1.Capability) bool { return strings.EqualFold(string(c), string(name)) || c == "ALL" })
		}
		add("NET_RAW", all(added, "NET_RAW") || !all(dropped, "NET_RAW"))
		add("capabilities", !slices.Contains(dropped, "ALL"))
		add("capabilities.add", slices.ContainsFunc(added, func(c corev1.Capability) bool { return c != "NET_BIND_SERVICE" }))
		for _, port := range ports {
			add("hostPorts", port.HostPort != 0)
		}
	}
	for _, container := range append(slices.Clone(spec.Containers), spec.InitContainers...) {
		judge(container.SecurityContext, container.Ports)
	}
	for _, container := range spec.EphemeralContainers {
		judge(container.SecurityContext, container.Ports)
	}
	return does
}
