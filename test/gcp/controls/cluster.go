package controls

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

var cluster = []judge.Check{
	{IDs: []string{"CIS-GKE-5.6.4", "M09", "M11"}, About: "the internet does not reach the API server",
		Wrong: judge.Each(clusterType, judge.Is("privateClusterConfig.enablePrivateEndpoint", true), judge.Is("privateClusterConfig.masterGlobalAccessConfig.enabled", false))},
	{IDs: []string{"CIS-GKE-5.6.5", "M11"}, About: "nodes have no address on the internet",
		Wrong: judge.All(judge.Each(clusterType, judge.Is("privateClusterConfig.enablePrivateNodes", true)), judge.Each(poolType, judge.Is("networkConfig.enablePrivateNodes", true)))},
	{IDs: []string{"CIS-GKE-5.6.3", "M11"}, About: "only private, narrow ranges reach the API server", Wrong: judge.Each(clusterType,
		judge.Is("masterAuthorizedNetworksConfig.gcpPublicCidrsAccessEnabled", false), func(v simcloud.Values) string {
			blocks := v.List("masterAuthorizedNetworksConfig.cidrBlocks")
			for _, each := range blocks {
				prefix, err := netip.ParsePrefix(each.String("cidrBlock"))
				if err != nil || !prefix.Addr().IsPrivate() || prefix.Bits() < 16 {
					return each.String("cidrBlock") + " may come"
				}
			}
			if len(blocks) == 0 {
				return "there are no authorized networks"
			}
			return ""
		})},
	{IDs: []string{"CIS-GKE-5.6.2", "M11"}, About: "pods and services have ranges of their own",
		Wrong: judge.Each(clusterType, judge.Is("networkingMode", "VPC_NATIVE"), judge.Holds("ipAllocationPolicy.clusterSecondaryRangeName", "pods"), judge.Holds("ipAllocationPolicy.servicesSecondaryRangeName", "services"))},
	{IDs: []string{"CIS-GKE-4.3.1", "M24"}, About: "the data plane enforces policies of the network, those of the cluster too", Wrong: judge.Each(clusterType, judge.Is("datapathProvider", "ADVANCED_DATAPATH"),
		judge.Is("enableFqdnNetworkPolicy", true), judge.Is("enableCiliumClusterwideNetworkPolicy", true), judge.Is("serviceExternalIpsConfig.enabled", false))},
	{IDs: []string{"CIS-GKE-5.3.1", "M18"}, About: "secrets are encrypted with a key of the customer",
		Wrong: judge.Each(clusterType, judge.Is("databaseEncryption.state", "ENCRYPTED"), judge.Holds("databaseEncryption.keyName", "/cryptoKeys/"))},
	{IDs: []string{"CIS-GKE-5.7.1", "M17"}, About: "every component of the control plane is recorded, and measured",
		Wrong: judge.Each(clusterType, judge.Has("loggingConfig.enableComponents", "SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"),
			judge.Has("monitoringConfig.enableComponents", "SYSTEM_COMPONENTS", "APISERVER", "SCHEDULER", "CONTROLLER_MANAGER"))},
	{IDs: []string{"CIS-GKE-5.5.4", "M35"}, About: "a channel keeps the versions supported, in a window of maintenance", Wrong: judge.Each(clusterType, func(v simcloud.Values) string {
		if !slices.Contains([]string{"REGULAR", "STABLE", "EXTENDED"}, v.String("releaseChannel.channel")) {
			return "its channel is " + v.String("releaseChannel.channel")
		}
		return ""
	}, judge.Holds("minMasterVersion", "1.35"), judge.Holds("maintenancePolicy.recurringWindow.recurrence", "FREQ="))},
	{IDs: []string{"CIS-GKE-4.5.1", "CIS-GKE-5.1.4", "CIS-GKE-5.10.4", "M26"}, About: "no image runs that the policy does not name", Wrong: judge.All(
		judge.Each(clusterType, judge.Is("binaryAuthorization.evaluationMode", "PROJECT_SINGLETON_POLICY_ENFORCE")),
		judge.Each(imagesType, judge.Is("defaultAdmissionRule.enforcementMode", "ENFORCED_BLOCK_AND_AUDIT_LOG"), func(v simcloud.Values) string {
			if mode := v.String("defaultAdmissionRule.evaluationMode"); mode != "ALWAYS_DENY" && mode != "REQUIRE_ATTESTATION" {
				return "every other image is met with " + mode
			}
			for _, each := range v.List("admissionWhitelistPatterns") {
				if name := each.String("namePattern"); strings.HasPrefix(name, "*") || strings.Count(name, "/") < 2 {
					return "images of " + name + " run"
				}
			}
			return ""
		}, judge.Empty("clusterAdmissionRules")))},
	{IDs: []string{"CIS-GKE-5.10.5", "M27"}, About: "the posture and the vulnerabilities of workloads are watched",
		Wrong: judge.Each(clusterType, judge.Is("securityPostureConfig.mode", "BASIC"), judge.Holds("securityPostureConfig.vulnerabilityMode", "VULNERABILITY_"))},
	{IDs: []string{"CIS-GKE-5.10.1"}, About: "there is no web interface", Wrong: judge.Each(clusterType, judge.Empty("addonsConfig.kubernetesDashboard"))},
	{IDs: []string{"CIS-GKE-5.10.2"}, About: "no interface runs that may disappear", Wrong: judge.Each(clusterType, judge.Is("enableKubernetesAlpha", false), judge.Empty("enableK8sBetaApis"))},
	{IDs: []string{"CIS-GKE-5.9.1", "M19"}, About: "disks of claims can have a key of the customer", Wrong: judge.Each(clusterType, judge.Is("addonsConfig.gcePersistentDiskCsiDriverConfig.enabled", true))},
	{IDs: []string{"M11"}, About: "nobody deletes the cluster by mistake", Wrong: judge.Each(clusterType, judge.Is("deletionProtection", true))},
}
