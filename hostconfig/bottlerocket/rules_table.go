package bottlerocket

// Controls, and the parts of them that one exception each opens.
const (
	adminContainer      = "M03/admin-container"      // the SSH server
	controlContainer    = "M03/control-container"    // another image or more rights for the agent of Systems Manager
	hostContainers      = "M03/host-containers"      // other containers with access to the host's API
	bootstrapContainers = "M03/bootstrap-containers" // containers with the host's privileges at boot
	bootstrapCommands   = "M03/bootstrap-commands"   // calls of the host's API at boot
	kernelArguments     = "M03/kernel-arguments"     // mitigations=off, lsm= and their like
	initArguments       = "M03/init-arguments"
	metrics             = "M03/metrics"     // reports to the makers of the operating system
	staticPods          = "M16/static-pods" // pods that no API server admitted
	registryCredentials = "M34/registry-credentials"
	userNamespaces      = "CIS-BR-1.4.4"
	lockdown            = "CIS-BR-1.5.2"
)

const (
	secretReason  = "would put a long-lived secret into user data, which everything on the node can read"
	hotpatch      = "has no effect since OS 1.15, and newer images will refuse it"
	runtimeReason = "would take the kubelet away from the containerd that the other settings configure"
)

// rules has one entry for every leaf of the model; a test walks the model.
var rules = ruleSet{}.
	free("", "autoscaling.should-wait", "motd").
	free("aws.", "config", "profile", "region").
	never(secretReason, "", "aws.credentials", "kubernetes.bootstrap-token", "kubernetes.server-key").
	locked(initArguments, "boot.", "init-parameters.*").
	locked(kernelArguments, "boot.", "kernel-parameters.*").
	free("boot.", "reboot-to-reconcile").
	free("cloudformation.", "logical-resource-id", "should-signal", "stack-name").

	// What runs beside Kubernetes sees everything and is judged by nobody.
	lockedIn("bootstrapCommands", bootstrapCommands, "bootstrap-commands.*.", "commands", "essential", "mode").
	lockedIn("bootstrapContainers", bootstrapContainers, "bootstrap-containers.*.", "command", "essential", "mode", "source", "user-data").
	lockedIn("hostContainers", hostContainers, "host-containers.*.", "command", "enabled", "source", "superpowered", "user-data").
	decidedBy("adminContainer", "host-containers.admin.", "enabled").
	lockedIn("hostContainers", adminContainer, "host-containers.admin.", "command", "source", "superpowered", "user-data").
	decidedBy("controlContainer", "host-containers.control.", "enabled").
	lockedIn("hostContainers", controlContainer, "host-containers.control.", "command", "source", "superpowered", "user-data").
	locked(registryCredentials, "container-registry.", "credentials").
	decidedBy("node.registries.allowed", "container-registry.", "mirrors").
	free("container-runtime.", "concurrent-download-chunk-size", "max-concurrent-downloads", "max-concurrent-unpacks", "snapshotter",
		"enable-unprivileged-icmp", "enable-unprivileged-ports").
	bounded("M17/log-line-size", "container-runtime.max-container-log-line-size", "4096 to 1048576 bytes", integerBetween(4096, 1<<20)).
	free("container-runtime-plugins.soci-snapshotter.", "pull-mode").
	free("container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.", "concurrent-download-chunk-size",
		"discard-unpacked-layers", "max-concurrent-downloads", "max-concurrent-downloads-per-image",
		"max-concurrent-unpacks", "max-concurrent-unpacks-per-image").
	decidedBy("node.imageVerification", "image-verifier-plugins.", "digestion.trustpolicy", "enabled", "notation.trustpolicy").
	decidedBy("imageVerifiers", "image-verifier-plugins.", "custom.*.trustpolicy").
	free("dns.", "name-servers", "search-list").
	bounded(lockdown, "kernel.lockdown", "integrity or confidentiality", oneOf("integrity", "confidentiality")).
	free("kernel.", "drivers.nvidia.branch", "hugepages.static.1Gi.count", "hugepages.static.2Mi.count",
		"hugepages.static.32Mi.count", "hugepages.static.64Ki.count", "hugepages.static.essential",
		"hugepages.transparent.defrag", "hugepages.transparent.enabled").
	free("kernel.", "modules.*.allowed", "modules.*.autoload").
	additiveIn(sysctlField, "kernel.", "sysctl.*").
	free("kubelet-device-plugins.nvidia.", "device-id-strategy", "device-list-strategy", "device-partitioning-strategy",
		"device-sharing-strategy", "enabled", "mig.profile.*", "mps.rename-by-default", "mps.replicas", "pass-device-specs",
		"time-slicing.fail-requests-greater-than-one", "time-slicing.rename-by-default", "time-slicing.replicas").
	free("kubelet-dra-drivers.", "net.bind-address", "net.device-filter", "net.enabled", "nvidia.enabled").
	free("nvidia-container-runtime.", "visible-devices-as-volume-mounts").
	// A container that sets the variable would get GPUs that nobody granted it.
	bounded("M16/gpu-environment", "nvidia-container-runtime.visible-devices-envvar-when-unprivileged", "false", oneOf("false")).
	never(hotpatch, "oci-hooks.", "log4j-hotpatch-enabled").
	locked(metrics, "metrics.", "metrics-url", "send-metrics", "service-checks").
	free("network.", "hostname", "hosts").
	decidedBy("node.proxy.https", "network.", "https-proxy").
	additiveIn("node.proxy.noProxy", "network.", "no-proxy").
	decidedBy("node.timeServers", "ntp.", "time-servers").
	free("ntp.", "options").
	decidedBy("node.registries.trustedCertificates", "pki.*.", "data", "trusted").
	decidedBy("node.updates", "updates.", "ignore-waves", "seed", "version-lock").
	locked("CIS-BR-1.2.1", "updates.", "metadata-base-url", "targets-base-url").

	// What a container may do that asks for nothing: less is free, more is not.
	free("oci-defaults.capabilities.", "chown", "dac-override", "fowner", "fsetid", "kill", "net-bind-service",
		"setfcap", "setgid", "setpcap", "setuid", "sys-chroot").
	withheld("audit-control", "audit-read", "audit-write", "block-suspend", "bpf", "checkpoint-restore", "dac-read-search", "ipc-lock",
		"ipc-owner", "lease", "linux-immutable", "mac-admin", "mac-override", "mknod", "net-admin", "net-broadcast",
		"net-raw", "perfmon",
		"sys-admin", "sys-boot", "sys-module", "sys-nice", "sys-pacct", "sys-ptrace", "sys-rawio", "sys-resource",
		"sys-time", "sys-tty-config", "syslog", "wake-alarm").
	limits("max-address-space", "max-core-file-size", "max-cpu-time", "max-data-size", "max-file-locks", "max-file-size",
		"max-locked-memory", "max-msgqueue-size", "max-nice-priority", "max-open-files", "max-pending-signals",
		"max-processes", "max-realtime-priority", "max-realtime-timeout", "max-resident-set", "max-stack-size").

	// The kubelet. CIS Kubernetes section 4.2; the ids name the recommendation.
	never("turns on anonymous access and the authorization mode AlwaysAllow (CIS 4.2.1 and 4.2.2)", "kubernetes.", "standalone-mode").
	never(runtimeReason, "kubernetes.", "container-runtime-endpoint").
	locked("M16/unsafe-sysctls", "kubernetes.", "allowed-unsafe-sysctls").
	locked("M16/authentication-mode", "kubernetes.", "authentication-mode").
	locked("M16/cloud-provider", "kubernetes.", "cloud-provider").
	locked("M16/node-identity", "kubernetes.", "node-ip", "provider-id").
	locked("M26/pause-image", "kubernetes.", "pod-infra-container-image").
	locked(staticPods, "kubernetes.", "static-pods-enabled", "static-pods.*.enabled", "static-pods.*.manifest").
	locked("CIS-4.2.7", "kubernetes.", "hostname-override").
	free("kubernetes.", "hostname-override-source").
	locked("CIS-4.2.9", "kubernetes.", "server-certificate", "server-tls-bootstrap").
	locked("CIS-4.2.14", "kubernetes.", "seccomp-default").
	bounded("CIS-4.2.8", "kubernetes.event-qps", "1 to 100", integerBetween(1, 100)).
	bounded("CIS-4.2.13", "kubernetes.pod-pids-limit", "1 to 65536", integerBetween(1, 65536)).
	bounded("M18/swap", "kubernetes.memory-swap-behavior", "NoSwap", oneOf("NoSwap")).
	// Bodies of requests reach the log from level 8.
	bounded("M17/log-level", "kubernetes.log-level", "0 to 7", integerBetween(0, 7)).
	decidedBy("node.cluster.endpoint", "kubernetes.", "api-server").
	decidedBy("node.cluster.caCertificate", "kubernetes.", "cluster-certificate").
	decidedBy("node.cluster.dns", "kubernetes.", "cluster-dns-ip").
	decidedBy("node.cluster.domain", "kubernetes.", "cluster-domain").
	decidedBy("node.cluster.name", "kubernetes.", "cluster-name").
	decidedBy("node.labels", "kubernetes.", "node-labels.*").
	decidedBy("node.taints", "kubernetes.", "node-taints.*").
	decidedBy("node.kubelet.evictionHard", "kubernetes.", "eviction-hard.*").
	decidedBy("node.kubelet.kubeReserved", "kubernetes.", "kube-reserved.*").
	decidedBy("node.kubelet.systemReserved", "kubernetes.", "system-reserved.*").
	decidedBy("node.kubelet.maxPods", "kubernetes.", "max-pods").
	decidedBy("node.registries.credentialProviders", "kubernetes.credential-providers.*.", "cache-duration", "enabled", "environment.*", "image-patterns").
	free("kubernetes.", "container-log-max-files", "container-log-max-size", "container-log-max-workers",
		"container-log-monitor-interval", "cpu-cfs-quota-enforced", "cpu-manager-policy", "cpu-manager-policy-options",
		"cpu-manager-reconcile-period", "device-ownership-from-security-context", "event-burst", "ids-per-pod",
		"eviction-max-pod-grace-period", "eviction-soft.*", "eviction-soft-grace-period.*", "image-gc-high-threshold-percent",
		"image-gc-low-threshold-percent", "image-maximum-gc-age", "image-minimum-gc-age", "kube-api-burst", "kube-api-qps",
		"max-parallel-image-pulls", "memory-manager-policy", "memory-manager-reserved-memory.*.enabled",
		"memory-manager-reserved-memory.*.hugepages-1Gi", "memory-manager-reserved-memory.*.hugepages-2Mi",
		"memory-manager-reserved-memory.*.memory", "registry-burst", "registry-qps", "reserved-cpus", "shutdown-grace-period",
		"shutdown-grace-period-for-critical-pods", "single-process-oom-kill", "topology-manager-policy",
		"topology-manager-policy-options.max-allowable-numa-nodes", "topology-manager-policy-options.prefer-closest-numa-nodes",
		"topology-manager-scope")

func (s ruleSet) withheld(names ...string) ruleSet {
	for _, name := range names {
		s.bounded("M01/"+name, "oci-defaults.capabilities."+name, "false", oneOf("false"))
	}
	return s
}

func (s ruleSet) limits(names ...string) ruleSet {
	for _, name := range names {
		s.free("oci-defaults.resource-limits."+name+".", "hard-limit", "soft-limit")
	}
	return s
}
