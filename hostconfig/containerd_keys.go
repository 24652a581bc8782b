package hostconfig

// containerdKind is the form of a key's value: containerd refuses to start with
// another.
type containerdKind string

const (
	kindBool     containerdKind = "true or false"
	kindInt      containerdKind = "a whole number"
	kindString   containerdKind = "a string"
	kindStrings  containerdKind = "a list of strings"
	kindDuration containerdKind = "a duration such as 5m"
)

// containerdKey is one key of containerd's configuration.
type containerdKey struct {
	// name is the key as every form spells it, after the table's name where
	// several tables have a key of that name.
	name  string
	part  containerdPart
	kind  containerdKind
	since ContainerdVersion
	// why is what a reader of the file should know.
	why string
}

// containerdKeys are in the order in which they are written.
var containerdKeys = []containerdKey{
	{"root", partRoot, kindString, Containerd16, ""},
	{"state", partRoot, kindString, Containerd16, ""},
	{"oom_score", partRoot, kindInt, Containerd16, "The kernel ends containers before it ends what runs them."},
	{"disabled_plugins", partRoot, kindStrings, Containerd16, ""},
	{"grpc.address", partGRPC, kindString, Containerd16, "The socket is as good as root: containerd makes it with mode 0660 for these owners."},
	{"grpc.uid", partGRPC, kindInt, Containerd16, ""},
	{"grpc.gid", partGRPC, kindInt, Containerd16, ""},
	{"grpc.tcp_address", partGRPC, kindString, Containerd16, ""},
	{"debug.address", partDebug, kindString, Containerd16, ""},
	{"debug.level", partDebug, kindString, Containerd16, ""},
	{"metrics.address", partMetrics, kindString, Containerd16, ""},
	{"disable_tcp_service", partService, kindBool, Containerd16, ""},
	{"stream_server_address", partService, kindString, Containerd16, "The kubelet alone reads these streams, and passes them on."},
	{"stream_server_port", partService, kindString, Containerd16, ""},
	{"stream_idle_timeout", partService, kindDuration, Containerd16, ""},
	{"unset_seccomp_profile", partRuntime, kindString, Containerd16, "What names no profile gets the default one, not none."},
	{"enable_unprivileged_ports", partRuntime, kindBool, Containerd16, "A container gets no low port and no raw ICMP socket that its capabilities do not give it."},
	{"enable_unprivileged_icmp", partRuntime, kindBool, Containerd16, ""},
	{"device_ownership_from_security_context", partRuntime, kindBool, Containerd16, ""},
	{"disable_apparmor", partRuntime, kindBool, Containerd16, ""},
	{"enable_selinux", partRuntime, kindBool, Containerd16, ""},
	{"selinux_category_range", partRuntime, kindInt, Containerd16, ""},
	{"enable_cdi", partRuntime, kindBool, Containerd17, "No device reaches a container by the name that an annotation gives."},
	{"tolerate_missing_hugetlb_controller", partRuntime, kindBool, Containerd16, ""},
	{"disable_hugetlb_controller", partRuntime, kindBool, Containerd16, ""},
	{"restrict_oom_score_adj", partRuntime, kindBool, Containerd16, ""},
	{"ignore_image_defined_volumes", partRuntime, kindBool, Containerd16, ""},
	{"max_container_log_line_size", partRuntime, kindInt, Containerd16, ""},
	{"netns_mounts_under_state_dir", partRuntime, kindBool, Containerd16, ""},
	{"drain_exec_sync_io_timeout", partRuntime, kindDuration, Containerd17, ""},
	{"ignore_deprecation_warnings", partRuntime, kindStrings, Containerd17, ""},
	{"bin_dir", partCNI, kindString, Containerd16, ""},
	{"bin_dirs", partCNI, kindStrings, Containerd2, ""},
	{"conf_dir", partCNI, kindString, Containerd16, ""},
	{"max_conf_num", partCNI, kindInt, Containerd16, ""},
	{"ip_pref", partCNI, kindString, Containerd16, ""},
	{"default_runtime_name", partRuntimes, kindString, Containerd16, ""},
	{"privileged_without_host_devices", partHandler, kindBool, Containerd16, "Even a privileged container sees only the devices that it names."},
	{"privileged_without_host_devices_all_devices_allowed", partHandler, kindBool, Containerd17, ""},
	{"cgroup_writable", partHandler, kindBool, Containerd2, ""},
	{"snapshotter", partUnpacked, kindString, Containerd16, ""},
	{"discard_unpacked_layers", partUnpacked, kindBool, Containerd16, ""},
	{"max_concurrent_downloads", partImages, kindInt, Containerd16, ""},
	{"image_pull_progress_timeout", partImages, kindDuration, Containerd17, "A registry that stops sending does not keep a pull waiting."},
	{"image_pull_with_sync_fs", partImages, kindBool, Containerd17, ""},
	{"stats_collect_period", partImages, kindInt, Containerd16, ""},
	{"use_local_image_pull", partImages, kindBool, Containerd2, "Image verifiers see only what the transfer service pulls."},
	{"sandbox_image", partPinned, kindString, Containerd16, ""},
	{"config_path", partRegistry, kindString, Containerd16, ""},
}

// hardenedContainerd gives the values before the user's changes, by key. It
// needs the defaults filled in. What noNewPrivileges is to a container is the
// kubelet's to say, from allowPrivilegeEscalation: containerd has no key for it.
// Nor has it one that keeps 2.2 from reading conf.d beside this file as well:
// imports only adds to that. Who can write there can write this file.
func (w Worker) hardenedContainerd() map[string]any {
	values := map[string]any{
		"root": w.Paths.ContainerdRoot(), "state": w.Paths.ContainerdState(),
		"disabled_plugins": disabledContainerdPlugins,
		"grpc.address":     w.Paths.ContainerdSocket(), "grpc.uid": int64(0), "grpc.gid": int64(0), "grpc.tcp_address": "",
		"debug.address": "", "debug.level": "info", "metrics.address": "",

		"disable_tcp_service": true, "stream_server_address": "127.0.0.1", "stream_server_port": "0",
		"stream_idle_timeout": "5m0s",

		"unset_seccomp_profile":     "runtime/default",
		"enable_unprivileged_ports": false, "enable_unprivileged_icmp": false,
		"device_ownership_from_security_context": false,
		"disable_apparmor":                       false,
		"enable_selinux":                         w.SELinux,
		"enable_cdi":                             false,
		"tolerate_missing_hugetlb_controller":    true,
		"restrict_oom_score_adj":                 w.RestrictOOMScoreAdj,

		"conf_dir": w.Paths.CNIConfig(), "max_conf_num": int64(1),
		"default_runtime_name":                                handlerRunc,
		"privileged_without_host_devices":                     true,
		"privileged_without_host_devices_all_devices_allowed": false,
		"cgroup_writable":                                     false,

		"snapshotter":                 "overlayfs",
		"image_pull_progress_timeout": "5m0s",
		"use_local_image_pull":        false,
		"sandbox_image":               w.SandboxImage,
		"config_path":                 w.Paths.RegistryHosts(),
	}
	if !w.RestrictOOMScoreAdj {
		values["oom_score"] = int64(-999)
	}
	if w.ContainerdVersion.knows(Containerd2) {
		// 2.2 calls bin_dir deprecated, and 2.0 has it alone: its default is the
		// same directory, so that the new name serves both.
		values["bin_dirs"] = []string{w.Paths.CNIBin()}
	} else {
		values["bin_dir"] = w.Paths.CNIBin()
	}
	return values
}
