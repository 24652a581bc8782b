package hostconfig

import (
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletv1beta1 "k8s.io/kubelet/config/v1beta1"
)

// KubeletArgs gives the kubelet's arguments, without the program, sorted:
// everything that has a place in the configuration file is there. The node's
// name is never overridden (CIS 4.2.7).
func (w Worker) KubeletArgs() []string {
	w = w.WithDefaults()
	arguments := map[string]string{
		"config":               w.Paths.KubeletConfig(),
		"kubeconfig":           w.Paths.KubeletKubeconfig(),
		"bootstrap-kubeconfig": w.Paths.KubeletBootstrapKubeconfig(),
		"cert-dir":             w.Paths.KubeletPKI(),
		"root-dir":             w.Paths.KubeletDir(),
		"node-ip":              w.NodeIP,
	}
	if len(w.Registries.CredentialProviders) > 0 {
		arguments["image-credential-provider-config"] = w.Paths.CredentialProviders()
		arguments["image-credential-provider-bin-dir"] = w.Paths.CredentialProviderBin()
	}
	if len(w.Labels) > 0 {
		var labels []string
		for _, key := range slices.Sorted(maps.Keys(w.Labels)) {
			labels = append(labels, key+"="+w.Labels[key])
		}
		arguments["node-labels"] = strings.Join(labels, ",")
	}
	return renderArguments(arguments)
}

// KubeletConfiguration gives the kubelet's configuration with what the user
// changed. It fails where a change is refused. Fields that are newer than v1.35
// are in the file alone: the type has no place for them.
func (w Worker) KubeletConfiguration() (*kubeletv1beta1.KubeletConfiguration, error) {
	w = w.WithDefaults()
	configuration, refused := w.mergeKubelet()
	return &configuration.KubeletConfiguration, problems(refused).join()
}

func pointer[T any](value T) *T { return &value }

func durationOf(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

// hardenedKubelet gives the configuration before the user's changes. CIS
// Kubernetes section 4.2 is named per field. It needs the defaults filled in.
func (w Worker) hardenedKubelet() kubeletv1beta1.KubeletConfiguration {
	configuration := kubeletv1beta1.KubeletConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: "kubelet.config.k8s.io/v1beta1", Kind: "KubeletConfiguration"},

		Authentication: kubeletv1beta1.KubeletAuthentication{
			Anonymous: kubeletv1beta1.KubeletAnonymousAuthentication{Enabled: pointer(false)},      // 4.2.1
			Webhook:   kubeletv1beta1.KubeletWebhookAuthentication{Enabled: pointer(true)},         // service accounts may ask for metrics
			X509:      kubeletv1beta1.KubeletX509Authentication{ClientCAFile: w.Paths.ClusterCA()}, // 4.2.3
		},
		Authorization: kubeletv1beta1.KubeletAuthorization{Mode: kubeletv1beta1.KubeletAuthorizationModeWebhook}, // 4.2.2

		Address:            w.NodeIP, // not on the bridge of the pods
		Port:               int32(w.Ports.Kubelet),
		ReadOnlyPort:       0, // 4.2.4
		HealthzBindAddress: "127.0.0.1",
		HealthzPort:        pointer(int32(w.Ports.KubeletHealth)),
		TLSMinVersion:      tlsMinimum,
		TLSCipherSuites:    CipherSuites(),                                              // 4.2.12
		ServerTLSBootstrap: true,                                                        // 4.2.9
		RotateCertificates: true,                                                        // 4.2.10
		FeatureGates:       hardenedGates(componentKubelet, minor(w.KubernetesVersion)), // 4.2.11

		// Logs and exec stay, behind authorization; what shows the process itself does not.
		EnableDebuggingHandlers:        pointer(true),
		EnableProfilingHandler:         pointer(false),
		EnableDebugFlagsHandler:        pointer(false),
		EnableSystemLogHandler:         pointer(false),
		EnableSystemLogQuery:           pointer(false),
		StreamingConnectionIdleTimeout: durationOf(5 * time.Minute), // 4.2.5

		ProtectKernelDefaults:  true,
		MakeIPTablesUtilChains: pointer(true), // 4.2.6
		SeccompDefault:         pointer(true), // 4.2.14
		FailSwapOn:             pointer(!w.Swap),
		MemorySwap:             kubeletv1beta1.MemorySwapConfiguration{SwapBehavior: "NoSwap"},
		EventRecordQPS:         pointer(int32(50)), // 4.2.8: as the API server's limit of a user
		EventBurst:             100,

		ContainerRuntimeEndpoint: "unix://" + w.Paths.ContainerdSocket(),
		CgroupDriver:             w.CgroupDriver,
		CgroupRoot:               w.CgroupRoot,
		CgroupsPerQOS:            pointer(true),
		EnforceNodeAllocatable:   []string{"pods"},
		VolumePluginDir:          w.Paths.VolumePlugins(),
		PodLogsDir:               w.Paths.PodLogs(),
		ResolverConfig:           pointer(w.ResolvConf), // empty means none; unset would mean /etc/resolv.conf
		ClusterDNS:               slices.Clone(w.ClusterDNS),
		ClusterDomain:            w.ClusterDomain,

		// What one pod or image may take from the others.
		MaxPods:              110,
		PodPidsLimit:         pointer(int64(4096)), // 4.2.13: room for a large JVM, not for a fork bomb
		ContainerLogMaxSize:  "10Mi",
		ContainerLogMaxFiles: pointer(int32(5)),
		SystemReserved:       map[string]string{"cpu": "100m", "memory": "128Mi", "pid": "1000"},
		KubeReserved:         map[string]string{"cpu": "100m", "memory": "128Mi", "pid": "1000"},
		EvictionHard: map[string]string{
			"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%",
			"imagefs.available": "15%", "imagefs.inodesFree": "5%", "pid.available": "10%",
		},
		ImageGCHighThresholdPercent: pointer(int32(85)),
		ImageGCLowThresholdPercent:  pointer(int32(80)),
		ImageMinimumGCAge:           durationOf(2 * time.Minute),
		ImageMaximumGCAge:           durationOf(14 * 24 * time.Hour), // old images gather known vulnerabilities
	}
	if w.CgroupV1 {
		configuration.FailCgroupV1 = pointer(false)
	}
	if w.SharedDisk {
		// A share of a disk that others fill says nothing about pods: what is left does.
		for _, signal := range []string{"nodefs.available", "imagefs.available"} {
			configuration.EvictionHard[signal] = "512Mi"
		}
		configuration.ImageGCHighThresholdPercent, configuration.ImageGCLowThresholdPercent = pointer(int32(100)), pointer(int32(99))
	}
	configuration.RegisterWithTaints = w.taints()
	return configuration
}

// taints gives those that can be read; Validate reports the others.
func (w Worker) taints() []corev1.Taint {
	var taints []corev1.Taint
	for _, text := range w.Taints {
		if taint, err := parseTaint(text); err == nil {
			taints = append(taints, taint)
		}
	}
	return taints
}
