package bottlerocket

const (
	controlHost   = "M03" // no process on the host that is not needed
	controlRoll   = "M05" // nodes are replaced, in-place updates follow a strategy
	controlTrust  = "M26" // images come from where they should
	controlSecret = "M34" // no long-lived credentials
)

const secretReason = "would put a long-lived secret into user data, which everything on the node can read"

// rules has one entry for every leaf of the model; a test walks the model.
var rules = ruleSet{}.
	free("", "autoscaling.should-wait", "motd").
	free("aws.", "config", "profile", "region").
	never(secretReason, "", "aws.credentials", "kubernetes.bootstrap-token", "kubernetes.server-key").
	// mitigations=off, lsm= and their like stand on the kernel's command line.
	locked("CIS-BR-1.5.2", "boot.", "init-parameters.*", "kernel-parameters.*").
	free("boot.", "reboot-to-reconcile").
	free("cloudformation.", "logical-resource-id", "should-signal", "stack-name").

	// What runs beside Kubernetes sees everything and is judged by nobody.
	locked(controlHost, "bootstrap-commands.*.", "commands", "essential", "mode").
	locked(controlHost, "bootstrap-containers.*.", "essential", "mode", "source", "user-data").
	locked(controlHost, "host-containers.*.", "enabled", "source", "superpowered", "user-data").
	locked(controlSecret, "container-registry.", "credentials").
	decidedBy("registryMirrors", "container-registry.", "mirrors").
	free("container-runtime.", "concurrent-download-chunk-size", "max-concurrent-downloads", "snapshotter",
		"enable-unprivileged-icmp", "enable-unprivileged-ports").
	bounded("M17", "container-runtime.max-container-log-line-size", "4096 to 1048576 bytes", integerBetween(4096, 1<<20)).
	free("container-runtime-plugins.soci-snapshotter.", "pull-mode").
	free("container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.", "concurrent-download-chunk-size",
		"discard-unpacked-layers", "max-concurrent-downloads", "max-concurrent-downloads-per-image",
		"max-concurrent-unpacks", "max-concurrent-unpacks-per-image").
	decidedBy("imageVerification", "image-verifier-plugins.", "digestion.trustpolicy", "enabled", "notation.trustpolicy").
	free("dns.", "name-servers", "search-list").
	bounded("CIS-BR-1.5.2", "kernel.lockdown", "integrity or confidentiality", oneOf("integrity", "confidentiality")).
	free("kernel.", "modules.*.allowed", "modules.*.autoload", "sysctl.*").
	locked(controlHost, "metrics.", "metrics-url", "send-metrics", "service-checks").
	free("network.", "hostname", "hosts").
	decidedBy("httpsProxy", "network.", "https-proxy").
	additive("network.", "no-proxy").
	decidedBy("timeServers", "ntp.", "time-servers").
	free("ntp.", "options").
	decidedBy("trustedCertificates", "pki.*.", "data", "trusted").
	decidedBy("updates", "updates.", "ignore-waves", "seed", "version-lock").
	locked("CIS-BR-1.2.1", "updates.", "metadata-base-url", "targets-base-url").

	// What a container may do that asks for nothing: less is free, more is not.
	bounded("M01", "oci-defaults.capabilities.audit-write", "false", oneOf("false")).
	bounded("M01", "oci-defaults.capabilities.mknod", "false", oneOf("false")).
	bounded("M01", "oci-defaults.capabilities.net-raw", "false", oneOf("false")).
	free("oci-defaults.capabilities.", "chown", "dac-override", "fowner", "fsetid", "kill", "net-bind-service",
		"setfcap", "setgid", "setpcap", "setuid", "sys-chroot").
	withheld("audit-control", "audit-read", "block-suspend", "bpf", "checkpoint-restore", "dac-read-search", "ipc-lock",
		"ipc-owner", "lease", "linux-immutable", "mac-admin", "mac-override", "net-admin", "net-broadcast", "perfmon",
		"sys-admin", "sys-boot", "sys-module", "sys-nice", "sys-pacct", "sys-ptrace", "sys-rawio", "sys-resource",
		"sys-time", "sys-tty-config", "syslog", "wake-alarm").
	limits("max-address-space", "max-core-file-size", "max-cpu-time", "max-data-size", "max-file-locks", "max-file-size",
		"max-locked-memory", "max-msgqueue-size", "max-nice-priority", "max-open-files", "max-pending-signals",
		"max-processes", "max-realtime-priority", "max-realtime-timeout", "max-resident-set", "max-stack-size").

	// The kubelet. CIS Kubernetes section 4.2; the ids name the recommendation.
	never("turns on anonymous access and the authorization mode AlwaysAllow (CIS 4.2.1 and 4.2.2)", "kubernetes.", "standalone-mode").
	locked("M16", "kubernetes.", "allowed-unsafe-sysctls", "authentication-mode", "cloud-provider", "provider-id",
		"node-ip", "pod-infra-container-image", "static-pods.*.enabled", "static-pods.*.manifest").
	locked("CIS-4.2.7", "kubernetes.", "hostname-override").
	free("kubernetes.", "hostname-override-source").
	locked("CIS-4.2.9", "kubernetes.", "server-certificate", "server-tls-bootstrap").
	locked("CIS-4.2.14", "kubernetes.", "seccomp-default").
	bounded("CIS-4.2.8", "kubernetes.event-qps", "1 to 100", integerBetween(1, 100)).
	bounded("CIS-4.2.13", "kubernetes.pod-pids-limit", "1 to 65536", integerBetween(1, 65536)).
	bounded("M18", "kubernetes.memory-swap-behavior", "NoSwap", oneOf("NoSwap")).
	// Bodies of requests reach the log from level 8.
	bounded("M17", "kubernetes.log-level", "0 to 7", integerBetween(0, 7)).
	// Below 65536 two pods with user namespaces share ids.
	bounded("CIS-BR-1.4.4", "kubernetes.ids-per-pod", "at least 65536", integerBetween(65536, 1<<31-1)).
	decidedBy("apiServer", "kubernetes.", "api-server").
	decidedBy("caCertificate", "kubernetes.", "cluster-certificate").
	decidedBy("clusterDNS", "kubernetes.", "cluster-dns-ip").
	decidedBy("clusterDomain", "kubernetes.", "cluster-domain").
	decidedBy("clusterName", "kubernetes.", "cluster-name").
	decidedBy("labels", "kubernetes.", "node-labels.*").
	decidedBy("taints", "kubernetes.", "node-taints.*").
	decidedBy("kubeReserved", "kubernetes.", "kube-reserved.*").
	decidedBy("systemReserved", "kubernetes.", "system-reserved.*").
	decidedBy("maxPods", "kubernetes.", "max-pods").
	decidedBy("credentialProviders", "kubernetes.credential-providers.*.", "cache-duration", "enabled", "environment.*", "image-patterns").
	free("kubernetes.", "container-log-max-files", "container-log-max-size", "container-log-max-workers",
		"container-log-monitor-interval", "cpu-cfs-quota-enforced", "cpu-manager-policy", "cpu-manager-policy-options",
		"cpu-manager-reconcile-period", "device-ownership-from-security-context", "event-burst", "eviction-hard.*",
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
		s.bounded("M01", "oci-defaults.capabilities."+name, "false", oneOf("false"))
	}
	return s
}

func (s ruleSet) limits(names ...string) ruleSet {
	for _, name := range names {
		s.free("oci-defaults.resource-limits."+name+".", "hard-limit", "soft-limit")
	}
	return s
}
