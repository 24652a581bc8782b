package hostconfig

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ContainerdRules gives the rule of every key of containerd's configuration, by
// the name that [Worker.ExtraContainerd] takes.
func ContainerdRules() []Rule {
	sorted := make([]Rule, 0, len(containerdRules))
	for _, name := range slices.Sorted(maps.Keys(containerdRules)) {
		sorted = append(sorted, containerdRules[name])
	}
	return sorted
}

// The rules judge a value in its JSON form.
var containerdRules = ruleSet{}.
	locked("CIS-4.2.14", "unset_seccomp_profile").
	locked("M16/runtime-endpoints", "grpc.uid", "grpc.gid", "grpc.tcp_address", "debug.address", "metrics.address",
		"disable_tcp_service", "stream_server_address", "stream_server_port").
	locked("M16/runtime-privileges", "enable_unprivileged_ports", "enable_unprivileged_icmp",
		"device_ownership_from_security_context", "disable_apparmor", "cgroup_writable").
	locked("M16/runtime-devices", "privileged_without_host_devices", "privileged_without_host_devices_all_devices_allowed").
	locked("M26/image-verifiers", "use_local_image_pull").
	locked("M26/snapshotter", "snapshotter").
	bounded("CIS-4.2.5", "stream_idle_timeout", "1s to 4h", jsonString(durationBetween(time.Second, 4*time.Hour))).
	bounded("M17", "debug.level", "info, warn or error: debug logs what containers are given", jsonString(oneOf("info", "warn", "error"))).
	bounded("M26/stalled-pulls", "image_pull_progress_timeout", "10s to 1h", jsonString(durationBetween(10*time.Second, time.Hour))).
	bounded("M28", "default_runtime_name", "runc or one of runtimeClasses", jsonString(oneOf(handlerRunc, RuntimeClassGVisor, RuntimeClassKata))).
	additive("M16/runtime-plugins", "disabled_plugins", "plugins that the kubelet does not need", jsonDispensable).
	decidedBy("paths", "root", "state", "grpc.address", "bin_dir", "bin_dirs", "conf_dir", "config_path").
	decidedBy("sandboxImage", "sandbox_image").
	decidedBy("selinux", "enable_selinux").
	decidedBy("restrictOOMScoreAdj", "restrict_oom_score_adj", "oom_score").
	overwritable("enable_cdi", "selinux_category_range", "tolerate_missing_hugetlb_controller", "disable_hugetlb_controller",
		"ignore_image_defined_volumes", "max_container_log_line_size", "netns_mounts_under_state_dir",
		"drain_exec_sync_io_timeout", "ignore_deprecation_warnings", "max_conf_num", "ip_pref", "discard_unpacked_layers",
		"max_concurrent_downloads", "image_pull_with_sync_fs", "stats_collect_period")

// indispensablePlugins are those without which no image is pulled, no image is
// verified, or no pod starts.
var indispensablePlugins = []string{
	"cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
	"io.containerd.image-verifier.v1.bindir", "io.containerd.snapshotter.v1.overlayfs", "io.containerd.runtime.v2.task",
	"io.containerd.transfer.v1.local", "io.containerd.podsandbox.controller.v1.cri",
}

func jsonDispensable(value string) bool {
	var plugins []string
	return json.Unmarshal([]byte(value), &plugins) == nil &&
		!slices.ContainsFunc(plugins, func(name string) bool { return slices.Contains(indispensablePlugins, name) })
}

// mergeContainerd puts the user's keys over the hardened ones. What may not
// stand is left out and reported. It needs the defaults filled in.
func (w Worker) mergeContainerd() (map[string]any, []error) {
	merged := w.hardenedContainerd()
	hardened := maps.Clone(merged)
	var refused []error
	for _, name := range slices.Sorted(maps.Keys(w.ExtraContainerd)) {
		value, problem := w.mergeContainerdKey(hardened, name)
		if problem != nil {
			problem.Field = fmt.Sprintf("extraContainerd[%q]", name)
			refused = append(refused, problem)
			continue
		}
		merged[name] = value
	}
	return merged, refused
}

// mergeContainerdKey gives the value of one of the user's keys.
func (w Worker) mergeContainerdKey(hardened map[string]any, name string) (any, *FieldError) {
	at := slices.IndexFunc(containerdKeys, func(k containerdKey) bool { return k.name == name })
	rule, known := containerdRules[name]
	if at < 0 || !known {
		return nil, &FieldError{Problem: "containerd has no such key whose effect on the controls is known",
			Remedy: "use a key of the CRI plugins by its name, or one of grpc, debug and metrics after a dot"}
	}
	key := containerdKeys[at]
	if !w.ContainerdVersion.knows(key.since) {
		return nil, &FieldError{Problem: fmt.Sprintf("containerd %s does not know it and would ignore it", w.ContainerdVersion),
			Remedy: fmt.Sprintf("leave it out, or run containerd %s", key.since)}
	}
	value, err := key.kind.read(w.ExtraContainerd[name])
	if err != nil {
		return nil, &FieldError{Problem: err.Error(), Remedy: "write " + string(key.kind)}
	}
	document, err := json.Marshal(value)
	if err != nil {
		return nil, &FieldError{Problem: err.Error(), Remedy: "write " + string(key.kind)}
	}
	current, isSet := hardened[name]
	before, err := json.Marshal(current)
	if err != nil {
		return nil, &FieldError{Problem: err.Error(), Remedy: "report this as a defect"}
	}
	if problem := rule.judge(minor(w.KubernetesVersion), string(document), string(before), isSet, w.Exceptions); problem != nil {
		return nil, problem
	}
	if list, isList := value.([]string); isList && rule.Merge == Additive {
		joined := append(slices.Clone(current.([]string)), list...)
		slices.Sort(joined)
		value = slices.Compact(joined)
	}
	if name == "default_runtime_name" && value != handlerRunc && !slices.Contains(w.RuntimeClasses, value.(string)) {
		return nil, &FieldError{Problem: fmt.Sprintf("the node has no handler %q", value), Remedy: "list it in runtimeClasses as well"}
	}
	return value, nil
}

// read gives the value in the type that the kind is written from. Numbers that
// come through JSON are floats.
func (k containerdKind) read(value any) (any, error) {
	wrong := fmt.Errorf("is not %s", k)
	document, err := json.Marshal(value)
	if err != nil {
		return nil, wrong
	}
	into := func(target any) bool { return string(document) != "null" && json.Unmarshal(document, target) == nil }
	var (
		boolean bool
		number  int64
		text    string
		list    []string
	)
	switch {
	case k == kindBool && into(&boolean):
		return boolean, nil
	case k == kindInt && into(&number):
		return number, nil
	case k == kindStrings && into(&list):
		return list, nil
	case k == kindString && into(&text):
		return text, nil
	case k == kindDuration && into(&text):
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			return text, nil
		}
	}
	return nil, wrong
}
