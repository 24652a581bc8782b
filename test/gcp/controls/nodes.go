package controls

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

var nodes = []judge.Check{
	{IDs: []string{"CIS-GKE-3.1.1", "CIS-GKE-3.1.2", "CIS-GKE-3.1.3", "CIS-GKE-3.1.4", "CIS-GKE-5.5.1", "M03", "M16"}, About: "nodes are Container-Optimized OS, in which the files of the kubelet lie as Google ships them",
		Wrong: judge.Each(poolType, judge.Is("nodeConfig.imageType", "COS_CONTAINERD"))},
	{IDs: []string{"CIS-GKE-5.5.2", "M05"}, About: "nodes that fail are replaced", Wrong: judge.Each(poolType, judge.Is("management.autoRepair", true))},
	{IDs: []string{"CIS-GKE-5.5.3", "M05", "M35"}, About: "nodes follow their control plane", Wrong: judge.Each(poolType, judge.Is("management.autoUpgrade", true))},
	{IDs: []string{"M05"}, About: "new nodes come before old ones go", Wrong: judge.Each(poolType, func(v simcloud.Values) string {
		surge := v.String("upgradeSettings.strategy") == "SURGE" && v.Int("upgradeSettings.maxSurge") >= 1 && v.Int("upgradeSettings.maxUnavailable") == 0
		if !surge && v.String("upgradeSettings.strategy") != "BLUE_GREEN" {
			return "fewer nodes while they roll"
		}
		return ""
	})},
	{IDs: []string{"CIS-GKE-5.5.5", "M03"}, About: "nodes prove which cluster they belong to", Wrong: judge.Each(clusterType, judge.Is("enableShieldedNodes", true))},
	{IDs: []string{"CIS-GKE-5.5.6", "M03"}, About: "what nodes booted is measured", Wrong: judge.Each(poolType, judge.Is("nodeConfig.shieldedInstanceConfig.enableIntegrityMonitoring", true))},
	{IDs: []string{"CIS-GKE-5.5.7", "M03"}, About: "nodes boot nothing that is not signed", Wrong: judge.Each(poolType, judge.Is("nodeConfig.shieldedInstanceConfig.enableSecureBoot", true))},
	{IDs: []string{"CIS-GKE-5.9.2", "M19"}, About: "the disks of nodes are encrypted with a key of the customer", Wrong: judge.All(
		judge.Each(poolType, judge.Holds("nodeConfig.bootDiskKmsKey", "/cryptoKeys/")), judge.Each(clusterType, judge.Holds("nodeConfig.bootDiskKmsKey", "/cryptoKeys/")))},
	{IDs: []string{"M16"}, About: "a pod has a limit of processes", Wrong: judge.Each(poolType, judge.Between("nodeConfig.kubeletConfig.podPidsLimit", 1024, 65536), judge.Is("nodeConfig.kubeletConfig.cpuCfsQuota", true))},
	{IDs: []string{"M16"}, About: "nobody reaches the kubelet's port without authentication", Wrong: judge.Some(firewallType, func(v simcloud.Values) bool {
		ours := !strings.HasPrefix(v.String("name"), "gke-")
		return ours && len(v.List("denies")) > 0 && slices.Contains(v.Strings("denies[0].ports"), "10255")
	}, judge.Between("priority", 0, 998), judge.Is("direction", "INGRESS"), judge.Has("sourceRanges", "0.0.0.0/0"), judge.Holds("targetServiceAccounts[0]", "-nodes@"))},
	{IDs: []string{"CIS-GKE-5.10.3", "M24", "M28"}, About: "a pool has kernels of their own for pods, and is kept for those that ask", Wrong: judge.Some(poolType, func(v simcloud.Values) bool {
		return v.String("nodeConfig.sandboxConfig.sandboxType") == "gvisor"
	}, judge.Is("nodeConfig.taints[0].key", isolation), judge.Is("nodeConfig.taints[0].effect", "NO_SCHEDULE"), func(v simcloud.Values) string {
		if v.Texts("nodeConfig.labels")[isolation] == "" {
			return "has no label " + isolation
		}
		return ""
	})},
}
