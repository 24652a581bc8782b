package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	quotaPeriod = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(ns|us|µs|ms|s)$`)
	imageTypes  = []string{"COS_CONTAINERD", "UBUNTU_CONTAINERD", "WINDOWS_LTSC_CONTAINERD"}
	diskTypes   = []any{"pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced"}
)

// sysctls are those that GKE lets users set.
// https://cloud.google.com/kubernetes-engine/docs/how-to/node-system-config#sysctl-options
var sysctls = []string{"net.core.busy_poll", "net.core.busy_read", "net.core.netdev_max_backlog", "net.core.rmem_max", "net.core.rmem_default", "net.core.wmem_default",
	"net.core.wmem_max", "net.core.optmem_max", "net.core.somaxconn", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_tw_reuse", "net.ipv6.conf.all.disable_ipv6",
	"net.ipv6.conf.default.disable_ipv6", "vm.max_map_count", "net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_buckets", "kernel.shmmni", "kernel.shmmax", "kernel.shmall"}

// nodeConfigAt judges the configuration of nodes at plan time; at ends in a dot.
func nodeConfigAt(p *simcloud.Plan, at string) {
	v := p.Values
	if !v.Has(strings.TrimSuffix(at, ".")) {
		return
	}
	p.OneOf(at+"diskType", diskTypes...)
	p.Between(at+"diskSizeGb", 10, 65536)
	p.OneOf(at+"loggingVariant", "DEFAULT", "MAX_THROUGHPUT")
	p.OneOf(at+"workloadMetadataConfig.mode", "MODE_UNSPECIFIED", "GCE_METADATA", "GKE_METADATA")
	p.OneOf(at+"sandboxConfig.sandboxType", "gvisor")
	p.OneOf(at+"kubeletConfig.cpuManagerPolicy", "static", "none", "")
	p.OneOf(at+"linuxNodeConfig.cgroupMode", "CGROUP_MODE_UNSPECIFIED", "CGROUP_MODE_V1", "CGROUP_MODE_V2")
	for i := range v.List(at + "taints") {
		p.OneOf(fmt.Sprintf("%staints[%d].effect", at, i), "NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE")
	}
	for i := range v.Strings(at + "tags") {
		nameAt(p, fmt.Sprintf("%stags[%d]", at, i))
	}
	labelsAt(p, at+"resourceLabels")
	if text := v.String(at + "kubeletConfig.cpuCfsQuotaPeriod"); text != "" && !quotaPeriod.MatchString(text) {
		p.Add(at+"kubeletConfig.cpuCfsQuotaPeriod", fmt.Sprintf("must be a duration such as 100ms, got %q", text))
	}
}

// judgeNodeConfig judges the configuration of nodes of a cluster in a place; of holds the properties of the cluster.
func judgeNodeConfig(c *simcloud.Change, v, of simcloud.Values, project, location string) error {
	if email := v.String("serviceAccount"); email != "" && email != "default" && !accountExists(c.Cloud, c.Scope, email) {
		return badRequest("Service account \"%s\" does not exist.", email).Within(seconds(60))
	}
	if image := v.String("imageType"); image != "" && !slices.Contains(imageTypes, strings.ToUpper(image)) {
		return badRequest("Image type \"%s\" is not supported.", image)
	}
	machine := v.String("machineType")
	if machine != "" && !machineType.MatchString(machine) {
		return badRequest("Machine type with name '%s' does not exist in zone '%s'.", machine, location)
	}
	if (v.Bool("confidentialNodes.enabled") || of.Bool("confidentialNodes.enabled")) && !confidential(machine) {
		return badRequest("Confidential nodes are not supported by the machine type \"%s\".", machine)
	}
	if v.Bool("spot") && v.Bool("preemptible") {
		return badRequest("Node config cannot have both spot and preemptible set.")
	}
	if v.String("workloadMetadataConfig.mode") == "GKE_METADATA" && of.String("workloadIdentityConfig.workloadPool") == "" {
		return badRequest("Workload metadata mode GKE_METADATA requires workload identity to be enabled on the cluster.")
	}
	if v.Has("sandboxConfig") && v.Has("imageType") && strings.ToUpper(v.String("imageType")) != "COS_CONTAINERD" {
		return badRequest("Sandbox type \"gvisor\" requires the image type COS_CONTAINERD.")
	}
	for name := range v.Texts("linuxNodeConfig.sysctls") {
		if !slices.Contains(sysctls, name) {
			return badRequest("Invalid sysctl \"%s\": it is not one of those that can be set.", name)
		}
	}
	if n := v.Int("kubeletConfig.podPidsLimit"); n != 0 && (n < 1024 || n > 4194304) {
		return badRequest("Invalid value %d of pod_pids_limit: must be between 1024 and 4194304.", n)
	}
	if given := v.String("bootDiskKmsKey"); given != "" {
		return keyFor(c, given, computeAgent(c.Cloud, project), regionOf(location))
	}
	return nil
}
