package bottlerocket

import (
	"encoding/base64"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

var (
	anything   = format{"text without control characters", func(string) bool { return true }}
	labelKey   = format{"a label's key", func(v string) bool { return len(validation.IsQualifiedName(v)) == 0 }}
	labelValue = format{"a label's value", func(v string) bool { return len(validation.IsValidLabelValue(v)) == 0 }}
	policy     = format{"base64 of a JSON object", func(v string) bool { return encoded.accepts(v) && document(v) }}
	percent    = integers(0, 100)
	numaNode   = pattern("the number of a NUMA node", `^[0-9]{1,3}$`)
	provider   = words("ecr-credential-provider")
	maxNUMA    = format{"a number of at least 8, as text", integers(8, 1024).accepts}
	cpuSet     = pattern("CPUs such as 0,3-5,8", `^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`)
	pages      = pattern("a number of pages, or a list such as 0:2,1:2 of NUMA nodes and numbers", `^([0-9]{1,9}|[0-9]{1,3}:[0-9]{1,9}(,[0-9]{1,3}:[0-9]{1,9})*)$`)
	gpuModel   = pattern("a GPU and its memory such as a100.40gb", `^[a-z][0-9]+\.[0-9]+gb$`)
	partition  = pattern("a partition such as 2g.10gb, or the number 1, 2, 3, 4 or 7 of them", `^([0-9]g\.[0-9]+gb|[12347])$`)
	hostPort   = format{"an IP address and port such as 127.0.0.1:9177", func(v string) bool { _, err := netip.ParseAddrPort(v); return err == nil }}
	awsConfig  = format{"base64 of a configuration without keys, which would be long-lived secrets", func(v string) bool {
		text, err := base64.StdEncoding.DecodeString(v)
		return err == nil && encoded.accepts(v) && !strings.Contains(strings.ToLower(string(text)), "aws_secret_access_key")
	}}
	verifier = format{"letters, digits and dashes, at most 76, and not enabled, notation or digestion", func(v string) bool {
		return identifier.accepts(v) && v != "enabled" && v != "notation" && v != "digestion"
	}}
	region = pattern("a region such as eu-west-1", `^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
)

// keyFormat gives the form of the keys of a map, by the map's pattern.
func keyFormat(path []string) format {
	switch strings.Join(path, ".") {
	case "kernel.sysctl":
		return sysctlName
	case "kernel.modules":
		return moduleName
	case "boot.init-parameters", "boot.kernel-parameters":
		return bootKey
	case "kubernetes.eviction-hard", "kubernetes.eviction-soft", "kubernetes.eviction-soft-grace-period":
		return evictionKey
	case "kubernetes.kube-reserved", "kubernetes.system-reserved":
		return reservedKey
	case "kubernetes.node-labels", "kubernetes.node-taints":
		return labelKey
	case "kubernetes.memory-manager-reserved-memory":
		return numaNode
	case "kubelet-device-plugins.nvidia.mig.profile":
		return gpuModel
	case "image-verifier-plugins.custom":
		return verifier
	case "kubernetes.credential-providers":
		return provider
	case "kubernetes.credential-providers.*.environment":
		return bootKey
	}
	return identifier
}

// formatOf gives the form of a value, or of a list's items.
func formatOf(name string) format {
	if found, ok := formats[name]; ok {
		return found
	}
	if strings.HasPrefix(name, "oci-defaults.resource-limits.") {
		return limit
	}
	return anything
}

var formats = map[string]format{
	"aws.config":                                           awsConfig,
	"aws.profile":                                          noSpace,
	"aws.region":                                           region,
	"bootstrap-commands.*.mode":                            bootMode,
	"bootstrap-containers.*.mode":                          bootMode,
	"bootstrap-containers.*.source":                        image,
	"bootstrap-containers.*.user-data":                     encoded,
	"cloudformation.logical-resource-id":                   noSpace,
	"cloudformation.stack-name":                            noSpace,
	"container-runtime.max-concurrent-downloads":           positive,
	"container-runtime.snapshotter":                        words("overlayfs", "soci"),
	"container-runtime.max-container-log-line-size":        unbounded,
	"container-runtime.concurrent-download-chunk-size":     bytesSize,
	"container-runtime-plugins.soci-snapshotter.pull-mode": words("parallel-pull-unpack"),
	"container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.concurrent-download-chunk-size":     bytesSize,
	"container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-downloads":           unbounded,
	"container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-downloads-per-image": positive,
	"container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-unpacks":             unbounded,
	"container-runtime-plugins.soci-snapshotter.parallel-pull-unpack.max-concurrent-unpacks-per-image":   positive,
	"dns.name-servers":                                           address,
	"dns.search-list":                                            dnsName,
	"host-containers.*.source":                                   image,
	"host-containers.*.user-data":                                encoded,
	"image-verifier-plugins.digestion.trustpolicy":               policy,
	"image-verifier-plugins.notation.trustpolicy":                policy,
	"image-verifier-plugins.custom.*.trustpolicy":                policy,
	"container-runtime.max-concurrent-unpacks":                   positive,
	"kernel.drivers.nvidia.branch":                               words("lts", "pb"),
	"kernel.hugepages.static.1Gi.count":                          pages,
	"kernel.hugepages.static.2Mi.count":                          pages,
	"kernel.hugepages.static.32Mi.count":                         pages,
	"kernel.hugepages.static.64Ki.count":                         pages,
	"kernel.hugepages.transparent.defrag":                        words("never", "madvise", "defer", "defer+madvise", "always"),
	"kernel.hugepages.transparent.enabled":                       words("never", "madvise", "always"),
	"kubelet-device-plugins.nvidia.device-id-strategy":           words("index", "uuid"),
	"kubelet-device-plugins.nvidia.device-list-strategy":         words("volume-mounts", "envvar", "cdi-cri"),
	"kubelet-device-plugins.nvidia.device-partitioning-strategy": words("none", "mig"),
	"kubelet-device-plugins.nvidia.device-sharing-strategy":      words("none", "time-slicing", "mps"),
	"kubelet-device-plugins.nvidia.mig.profile.*":                partition,
	"kubelet-device-plugins.nvidia.mps.replicas":                 integers(2, 48),
	"kubelet-device-plugins.nvidia.time-slicing.replicas":        integers(2, maxInt32),
	"kubelet-dra-drivers.net.bind-address":                       hostPort,
	"kernel.lockdown":                                            words("none", "integrity", "confidentiality"),
	"metrics.metrics-url":                                        secureURL,
	"metrics.service-checks":                                     noSpace,
	"network.hostname":                                           hostName,
	"network.https-proxy":                                        proxy,
	"network.no-proxy":                                           noSpace,
	"ntp.options":                                                noSpace,
	"ntp.time-servers":                                           timeServer,
	"pki.*.data":                                                 encoded,
	"updates.metadata-base-url":                                  secureURL,
	"updates.targets-base-url":                                   secureURL,
	"updates.seed":                                               integers(0, 1<<32-1),
	"updates.version-lock":                                       version,

	"kubernetes.allowed-unsafe-sysctls":                                   noSpace,
	"kubernetes.api-server":                                               secureURL,
	"kubernetes.authentication-mode":                                      words("aws", "tls"),
	"kubernetes.cloud-provider":                                           words("aws", "external", ""),
	"kubernetes.cluster-certificate":                                      encoded,
	"kubernetes.cluster-dns-ip":                                           address,
	"kubernetes.cluster-domain":                                           dnsName,
	"kubernetes.cluster-name":                                             clusterName,
	"kubernetes.container-log-max-files":                                  integers(2, maxInt32), // the kubelet demands more than one
	"kubernetes.container-log-max-size":                                   quantity,
	"kubernetes.container-log-max-workers":                                positive,
	"kubernetes.container-log-monitor-interval":                           duration,
	"kubernetes.cpu-manager-policy":                                       words("none", "static"),
	"kubernetes.cpu-manager-policy-options":                               words("full-pcpus-only"),
	"kubernetes.cpu-manager-reconcile-period":                             duration,
	"kubernetes.credential-providers.*.cache-duration":                    duration,
	"kubernetes.credential-providers.*.image-patterns":                    imagePattern,
	"kubernetes.event-burst":                                              notNegative,
	"kubernetes.event-qps":                                                notNegative,
	"kubernetes.eviction-hard.*":                                          threshold,
	"kubernetes.eviction-max-pod-grace-period":                            notNegative,
	"kubernetes.eviction-soft.*":                                          threshold,
	"kubernetes.eviction-soft-grace-period.*":                             duration,
	"kubernetes.hostname-override":                                        hostName,
	"kubernetes.hostname-override-source":                                 words("private-dns-name", "instance-id"),
	"kubernetes.ids-per-pod":                                              format{"a multiple of 65536", func(v string) bool { return positive.accepts(v) && multiple(v, 65536) }},
	"kubernetes.image-gc-high-threshold-percent":                          percent,
	"kubernetes.image-gc-low-threshold-percent":                           percent,
	"kubernetes.image-maximum-gc-age":                                     duration,
	"kubernetes.image-minimum-gc-age":                                     duration,
	"kubernetes.kube-api-burst":                                           notNegative,
	"kubernetes.kube-api-qps":                                             notNegative,
	"kubernetes.kube-reserved.*":                                          quantity,
	"kubernetes.log-level":                                                integers(0, 255),
	"kubernetes.max-parallel-image-pulls":                                 positive,
	"kubernetes.max-pods":                                                 positive,
	"kubernetes.memory-manager-policy":                                    words("None", "Static"),
	"kubernetes.memory-manager-reserved-memory.*.memory":                  quantity,
	"kubernetes.memory-manager-reserved-memory.*.hugepages-1Gi":           quantity,
	"kubernetes.memory-manager-reserved-memory.*.hugepages-2Mi":           quantity,
	"kubernetes.memory-swap-behavior":                                     words("NoSwap", "LimitedSwap"),
	"kubernetes.node-ip":                                                  address,
	"kubernetes.node-labels.*":                                            labelValue,
	"kubernetes.node-taints.*":                                            taintValue,
	"kubernetes.pod-infra-container-image":                                image,
	"kubernetes.pod-pids-limit":                                           integers(1, maxInt64),
	"kubernetes.provider-id":                                              noSpace,
	"kubernetes.registry-burst":                                           notNegative,
	"kubernetes.registry-qps":                                             notNegative,
	"kubernetes.reserved-cpus":                                            cpuSet,
	"kubernetes.server-certificate":                                       encoded,
	"kubernetes.shutdown-grace-period":                                    duration,
	"kubernetes.shutdown-grace-period-for-critical-pods":                  duration,
	"kubernetes.static-pods.*.manifest":                                   encoded,
	"kubernetes.system-reserved.*":                                        quantity,
	"kubernetes.topology-manager-policy":                                  words("none", "restricted", "best-effort", "single-numa-node"),
	"kubernetes.topology-manager-policy-options.max-allowable-numa-nodes": maxNUMA,
	"kubernetes.topology-manager-scope":                                   words("container", "pod"),
}
