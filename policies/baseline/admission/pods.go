package admission

// pod is what the pod says for containers that say nothing themselves.
const pod = `variables.spec.?securityContext`

// podPolicies are what the containers of a pod must say about themselves: the
// level "restricted" of the Pod Security Standards and a read-only root, also in a
// namespace whose labels are wrong.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
func podPolicies() []Policy {
	own := `c.?securityContext`
	return []Policy{
		onPods(Policy{
			ID: "run-as-non-root", Title: "no container runs as root", Controls: []string{"M22", "CIS-5.2.6"},
			found: all(
				containers(own+`.?runAsNonRoot.orValue(`+pod+`.?runAsNonRoot.orValue(false)) != true`, "securityContext.runAsNonRoot", own+`.?runAsNonRoot.orValue(false)`),
				containers(own+`.?runAsUser.orValue(1) == 0`, "securityContext.runAsUser", own+`.?runAsUser.orValue(0)`),
				either(pod+`.?runAsUser.orValue(1) == 0`, `variables.path + 'securityContext.runAsUser is "0"'`)),
			Remedy: "set runAsNonRoot: true, and a runAsUser other than 0 where the image names none",
		}),
		onPods(Policy{
			ID: "read-only-root", Title: "no container can write to its root file system", Controls: []string{"M22"}, Relaxed: Warn,
			found:  containers(own+`.?readOnlyRootFilesystem.orValue(false) != true`, "securityContext.readOnlyRootFilesystem", own+`.?readOnlyRootFilesystem.orValue(false)`),
			Remedy: "set readOnlyRootFilesystem: true, and mount an emptyDir where the program writes",
		}),
		onPods(Policy{
			ID: "capabilities", Title: "containers drop all capabilities and add none but NET_BIND_SERVICE", Controls: []string{"M22", "CIS-5.2.8", "CIS-5.2.9"},
			found: all(
				containers(`!('ALL' in `+own+`.?capabilities.?drop.orValue([]))`, "securityContext.capabilities.drop", own+`.?capabilities.?drop.orValue([]).join(',')`),
				containers(own+`.?capabilities.?add.orValue([]).exists(a, a != 'NET_BIND_SERVICE')`, "securityContext.capabilities.add", own+`.?capabilities.?add.orValue([]).join(',')`)),
			Remedy: "set capabilities.drop: [ALL], and add at most NET_BIND_SERVICE",
		}),
		onPods(Policy{
			ID: "seccomp", Title: "the system calls of every container are filtered", Controls: []string{"M22", "CIS-5.7.2"},
			found: all(
				containers(`!(`+own+`.?seccompProfile.?type.orValue(`+pod+`.?seccompProfile.?type.orValue('')) in ['RuntimeDefault', 'Localhost'])`, "securityContext.seccompProfile.type", own+`.?seccompProfile.?type.orValue('')`),
				either(pod+`.?seccompProfile.?type.orValue('') == 'Unconfined'`, `variables.path + 'securityContext.seccompProfile.type is "Unconfined"'`)),
			Remedy: "set seccompProfile.type: RuntimeDefault, for the pod or for each container",
		}),
		onPods(Policy{
			ID: "privileges", Title: "no container is privileged, can raise its privileges or sees all of /proc", Controls: []string{"M22", "CIS-5.2.2", "CIS-5.2.6"},
			found: all(
				containers(own+`.?privileged.orValue(false)`, "securityContext.privileged", "true"),
				containers(own+`.?allowPrivilegeEscalation.orValue(true)`, "securityContext.allowPrivilegeEscalation", own+`.?allowPrivilegeEscalation.orValue(true)`),
				containers(own+`.?procMount.orValue('Default') != 'Default'`, "securityContext.procMount", own+`.?procMount.orValue('')`)),
			Remedy: "set allowPrivilegeEscalation: false and leave out privileged and procMount",
		}),
		onPods(Policy{
			ID: "kernel-settings", Title: "pods keep the kernel's protections: AppArmor, SELinux, sysctls", Controls: []string{"M22", "CIS-5.7.3"},
			found: all(
				containers(own+`.?appArmorProfile.?type.orValue('RuntimeDefault') == 'Unconfined'`, "securityContext.appArmorProfile.type", "'Unconfined'"),
				either(pod+`.?appArmorProfile.?type.orValue('RuntimeDefault') == 'Unconfined'`, `variables.path + 'securityContext.appArmorProfile.type is "Unconfined"'`),
				each(podAnnotations, `c.startsWith('container.apparmor.security.beta.kubernetes.io/') && !(`+podAnnotations+`[c] == 'runtime/default' || `+podAnnotations+`[c].startsWith('localhost/'))`,
					`'metadata.annotations[' + c + '] is "' + `+podAnnotations+`[c] + '"'`),
				containers(selinux(own), "securityContext.seLinuxOptions", ""),
				either(selinux(pod), `variables.path + 'securityContext.seLinuxOptions'`),
				each(pod+`.?sysctls.orValue([])`, `!(c.name in `+quoted(safeSysctls...)+`)`, `variables.path + 'securityContext.sysctls[' + c.name + ']'`)),
			Remedy: "leave these fields out: the defaults are the protections",
		}),
	}
}

// selinux tells whether options choose a user, a role or a type that is not one of
// containers.
func selinux(context string) string {
	options := context + `.?seLinuxOptions`
	return `(` + options + `.hasValue() && (` + options + `.?user.orValue('') != '' || ` + options + `.?role.orValue('') != '' || !(` + options +
		`.?type.orValue('') in ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'])))`
}

// safeSysctls are those that are confined to a pod, by the Pod Security Standards.
var safeSysctls = []string{
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
	"net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}
