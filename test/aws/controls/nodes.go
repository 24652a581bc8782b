package controls

import (
	"fmt"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig/bottlerocket"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
)

var nodes = []Check{
	{IDs: []string{"CIS-EKS-3.1.1", "CIS-EKS-3.1.2", "CIS-EKS-3.1.3", "CIS-EKS-3.1.4", "M03"}, About: "the files of the kubelet lie in an image that nobody changes",
		Wrong: both(each(nodeGroupType, holds("amiType", "BOTTLEROCKET_")), each(templateType, empty("imageId")))},
	{IDs: []string{"CIS-EKS-3.2.1", "CIS-EKS-3.2.2", "CIS-EKS-3.2.3", "CIS-EKS-3.2.4", "M16"}, About: "the kubelet lets nobody in whom the control plane does not know",
		Wrong: settings(func(s bottlerocket.Settings) string {
			if s.Kubernetes == nil || s.Kubernetes.StandaloneMode == nil || *s.Kubernetes.StandaloneMode || s.Kubernetes.AuthenticationMode != nil && *s.Kubernetes.AuthenticationMode != "aws" {
				return "the kubelet stands alone, or authenticates otherwise"
			}
			return ""
		})},
	// Bottlerocket leaves both to the kubelet, whose defaults are four hours and true, and has no setting for either.
	{IDs: []string{"CIS-EKS-3.2.5", "CIS-EKS-3.2.6", "M16"}, About: "idle streams end and the kubelet keeps its chains, as nobody says otherwise",
		Wrong: both(each(nodeGroupType, holds("amiType", "BOTTLEROCKET_")), settings(func(bottlerocket.Settings) string { return "" }))},
	{IDs: []string{"CIS-EKS-3.2.7", "M16"}, About: "events of the kubelet are recorded", Wrong: settings(func(s bottlerocket.Settings) string {
		if s.Kubernetes.EventQPS == nil || *s.Kubernetes.EventQPS == 0 {
			return "event-qps is not set"
		}
		return ""
	})},
	{IDs: []string{"CIS-EKS-3.2.8", "CIS-EKS-3.2.9", "M16"}, About: "certificates of the kubelet are the cluster's and rotate", Wrong: settings(func(s bottlerocket.Settings) string {
		return on(s.Kubernetes.ServerTLSBootstrap, "server-tls-bootstrap")
	})},
	{IDs: []string{"M16"}, About: "seccomp and a limit of processes hold for every pod", Wrong: settings(func(s bottlerocket.Settings) string {
		if s.Kubernetes.PodPidsLimit == nil {
			return "pod-pids-limit is not set"
		}
		return on(s.Kubernetes.SeccompDefault, "seccomp-default")
	})},
	{IDs: []string{"M03"}, About: "no container of the host lets anybody log in", Wrong: settings(func(s bottlerocket.Settings) string {
		for name, c := range s.HostContainers {
			if c.Enabled == nil || *c.Enabled {
				return name + " is enabled"
			}
		}
		if len(s.HostContainers) < 2 {
			return "host containers are not spoken of"
		}
		return ""
	})},
	{IDs: []string{"M03"}, About: "the kernel is locked", Wrong: settings(func(s bottlerocket.Settings) string {
		if s.Kernel == nil || s.Kernel.Lockdown == nil || *s.Kernel.Lockdown == "none" {
			return "kernel.lockdown is off"
		}
		return ""
	})},
	{IDs: []string{"M09"}, About: "machines have no key of SSH", Wrong: both(each(templateType, empty("keyName")), each(nodeGroupType, empty("remoteAccess.ec2SshKey")))},
	{IDs: []string{"M16"}, About: "pods do not reach the credentials of their machine", Wrong: each(templateType, is("metadataOptions.httpTokens", "required"), is("metadataOptions.httpPutResponseHopLimit", 1))},
	{IDs: []string{"M05"}, About: "nodes are pinned, roll a part at a time and are repaired",
		Wrong: each(nodeGroupType, holds("releaseVersion", "-"), least("updateConfig.maxUnavailablePercentage", 1), is("nodeRepairConfig.enabled", true), func(v simcloud.Values) string {
			if v.Int("updateConfig.maxUnavailablePercentage") > 50 {
				return "more than half of the nodes go at once"
			}
			return ""
		})},
	{IDs: []string{"M05"}, About: "machines do not update themselves", Wrong: settings(func(s bottlerocket.Settings) string {
		if s.Updates == nil || s.Updates.VersionLock == nil || *s.Updates.VersionLock == "latest" {
			return "updates.version-lock is not set"
		}
		return ""
	})},
	{IDs: []string{"M19"}, About: "the disks of nodes are encrypted with a key of the customer", Wrong: each(templateType, func(v simcloud.Values) string {
		disks := v.List("blockDeviceMappings")
		for _, d := range disks {
			if d.String("ebs.encrypted") != "true" || !strings.Contains(d.String("ebs.kmsKeyId"), ":key/") {
				return d.String("deviceName") + " is not"
			}
		}
		if len(disks) < 2 {
			return "Bottlerocket has two disks"
		}
		return ""
	})},
	{IDs: []string{"M24"}, About: "a pool is kept for what must not share a kernel", Wrong: some(nodeGroupType, func(v simcloud.Values) bool { return v.Texts("labels")[isolation] != "" },
		is("taints[0].key", isolation), is("taints[0].effect", "NO_SCHEDULE"))},
}

const isolation = "redoubt.dev/isolation"

// settings judges what the templates tell Bottlerocket.
func settings(judge func(bottlerocket.Settings) string) func(Account) []string {
	return each(templateType, func(v simcloud.Values) string {
		data, err := simaws.UserData(v.String("userData"))
		if err == nil {
			data, err = simaws.Unpacked(data)
		}
		if err != nil {
			return err.Error()
		}
		s, err := bottlerocket.Decode(data)
		if err != nil {
			return err.Error()
		}
		if s.Kubernetes == nil {
			return "nothing is said of the kubelet"
		}
		return judge(s)
	})
}

func on(value *bool, name string) string {
	if value == nil || !*value {
		return fmt.Sprintf("%s is off", name)
	}
	return ""
}
