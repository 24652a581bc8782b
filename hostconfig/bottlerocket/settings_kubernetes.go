package bottlerocket

// Kubernetes holds the kubelet's settings.
type Kubernetes struct {
	AllowedUnsafeSysctls               []string                      `toml:"allowed-unsafe-sysctls,omitempty"`
	APIServer                          *string                       `toml:"api-server,omitempty"`
	AuthenticationMode                 *string                       `toml:"authentication-mode,omitempty"`
	BootstrapToken                     *string                       `toml:"bootstrap-token,omitempty"`
	CloudProvider                      *string                       `toml:"cloud-provider,omitempty"`
	ClusterCertificate                 *string                       `toml:"cluster-certificate,omitempty"`
	ClusterDNSIP                       []string                      `toml:"cluster-dns-ip,omitempty"`
	ClusterDomain                      *string                       `toml:"cluster-domain,omitempty"`
	ClusterName                        *string                       `toml:"cluster-name,omitempty"`
	ContainerLogMaxFiles               *int64                        `toml:"container-log-max-files,omitempty"`
	ContainerLogMaxSize                *string                       `toml:"container-log-max-size,omitempty"`
	ContainerLogMaxWorkers             *int64                        `toml:"container-log-max-workers,omitempty"`
	ContainerLogMonitorInterval        *string                       `toml:"container-log-monitor-interval,omitempty"`
	ContainerRuntimeEndpoint           *string                       `toml:"container-runtime-endpoint,omitempty"`
	CPUCFSQuotaEnforced                *bool                         `toml:"cpu-cfs-quota-enforced,omitempty"`
	CPUManagerPolicy                   *string                       `toml:"cpu-manager-policy,omitempty"`
	CPUManagerPolicyOptions            []string                      `toml:"cpu-manager-policy-options,omitempty"`
	CPUManagerReconcilePeriod          *string                       `toml:"cpu-manager-reconcile-period,omitempty"`
	CredentialProviders                map[string]CredentialProvider `toml:"credential-providers,omitempty"`
	DeviceOwnershipFromSecurityContext *bool                         `toml:"device-ownership-from-security-context,omitempty"`
	EventBurst                         *int64                        `toml:"event-burst,omitempty"`
	EventQPS                           *int64                        `toml:"event-qps,omitempty"`
	EvictionHard                       map[string]string             `toml:"eviction-hard,omitempty"`
	EvictionMaxPodGracePeriod          *int64                        `toml:"eviction-max-pod-grace-period,omitempty"`
	EvictionSoft                       map[string]string             `toml:"eviction-soft,omitempty"`
	EvictionSoftGracePeriod            map[string]string             `toml:"eviction-soft-grace-period,omitempty"`
	HostnameOverride                   *string                       `toml:"hostname-override,omitempty"`
	HostnameOverrideSource             *string                       `toml:"hostname-override-source,omitempty"`
	IDsPerPod                          *int64                        `toml:"ids-per-pod,omitempty"`
	ImageGCHighThresholdPercent        *int64                        `toml:"image-gc-high-threshold-percent,omitempty"`
	ImageGCLowThresholdPercent         *int64                        `toml:"image-gc-low-threshold-percent,omitempty"`
	ImageMaximumGCAge                  *string                       `toml:"image-maximum-gc-age,omitempty"`
	ImageMinimumGCAge                  *string                       `toml:"image-minimum-gc-age,omitempty"`
	KubeAPIBurst                       *int64                        `toml:"kube-api-burst,omitempty"`
	KubeAPIQPS                         *int64                        `toml:"kube-api-qps,omitempty"`
	KubeReserved                       map[string]string             `toml:"kube-reserved,omitempty"`
	LogLevel                           *int64                        `toml:"log-level,omitempty"`
	MaxParallelImagePulls              *int64                        `toml:"max-parallel-image-pulls,omitempty"`
	MaxPods                            *int64                        `toml:"max-pods,omitempty"`
	MemoryManagerPolicy                *string                       `toml:"memory-manager-policy,omitempty"`
	MemoryManagerReservedMemory        map[string]MemoryReservation  `toml:"memory-manager-reserved-memory,omitempty"`
	MemorySwapBehavior                 *string                       `toml:"memory-swap-behavior,omitempty"`
	NodeIP                             *string                       `toml:"node-ip,omitempty"`
	NodeLabels                         map[string]string             `toml:"node-labels,omitempty"`
	NodeTaints                         map[string][]string           `toml:"node-taints,omitempty"`
	PodInfraContainerImage             *string                       `toml:"pod-infra-container-image,omitempty"`
	PodPidsLimit                       *int64                        `toml:"pod-pids-limit,omitempty"`
	ProviderID                         *string                       `toml:"provider-id,omitempty"`
	RegistryBurst                      *int64                        `toml:"registry-burst,omitempty"`
	RegistryQPS                        *int64                        `toml:"registry-qps,omitempty"`
	ReservedCPUs                       *string                       `toml:"reserved-cpus,omitempty"`
	SeccompDefault                     *bool                         `toml:"seccomp-default,omitempty"`
	ServerCertificate                  *string                       `toml:"server-certificate,omitempty"`
	ServerKey                          *string                       `toml:"server-key,omitempty"`
	ServerTLSBootstrap                 *bool                         `toml:"server-tls-bootstrap,omitempty"`
	ShutdownGracePeriod                *string                       `toml:"shutdown-grace-period,omitempty"`
	ShutdownGracePeriodForCriticalPods *string                       `toml:"shutdown-grace-period-for-critical-pods,omitempty"`
	SingleProcessOOMKill               *bool                         `toml:"single-process-oom-kill,omitempty"`
	StandaloneMode                     *bool                         `toml:"standalone-mode,omitempty"`
	StaticPods                         map[string]StaticPod          `toml:"static-pods,omitempty"`
	StaticPodsEnabled                  *bool                         `toml:"static-pods-enabled,omitempty"`
	SystemReserved                     map[string]string             `toml:"system-reserved,omitempty"`
	TopologyManagerPolicy              *string                       `toml:"topology-manager-policy,omitempty"`
	TopologyManagerPolicyOptions       *TopologyOptions              `toml:"topology-manager-policy-options,omitempty"`
	TopologyManagerScope               *string                       `toml:"topology-manager-scope,omitempty"`
}

// CredentialProvider gives the kubelet short-lived registry credentials. The
// operating system has one: ecr-credential-provider.
type CredentialProvider struct {
	CacheDuration *string           `toml:"cache-duration,omitempty" json:"cacheDuration,omitempty"`
	Enabled       *bool             `toml:"enabled,omitempty" json:"enabled,omitempty"`
	Environment   map[string]string `toml:"environment,omitempty" json:"environment,omitempty"`
	ImagePatterns []string          `toml:"image-patterns,omitempty" json:"imagePatterns,omitempty"`
}

// MemoryReservation is what one NUMA node keeps back, as quantities.
type MemoryReservation struct {
	Enabled      *bool   `toml:"enabled,omitempty"`
	Hugepages1Gi *string `toml:"hugepages-1Gi,omitempty"`
	Hugepages2Mi *string `toml:"hugepages-2Mi,omitempty"`
	Memory       *string `toml:"memory,omitempty"`
}

// StaticPod is a pod that no API server admitted; its manifest is base64.
type StaticPod struct {
	Enabled  *bool   `toml:"enabled,omitempty"`
	Manifest *string `toml:"manifest,omitempty"`
}

// TopologyOptions need OS 1.60; MaxAllowableNUMANodes also Kubernetes 1.35.
type TopologyOptions struct {
	MaxAllowableNUMANodes  *string `toml:"max-allowable-numa-nodes,omitempty"`
	PreferClosestNUMANodes *bool   `toml:"prefer-closest-numa-nodes,omitempty"`
}
