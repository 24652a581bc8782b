package controls

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// year is how long logs are kept: PCI DSS 10.5.1 asks for twelve months.
const year = 365

var cluster = []Check{
	{IDs: []string{"CIS-EKS-2.1.1", "M17"}, About: "the control plane writes every log", Wrong: each(clusterType, has("enabledClusterLogTypes", "api", "audit", "authenticator", "controllerManager", "scheduler"))},
	{IDs: []string{"CIS-EKS-2.1.2", "M17"}, About: "the logs of the control plane are encrypted and kept",
		Wrong: some(logGroupType, func(v simcloud.Values) bool { return strings.HasPrefix(v.String("name"), "/aws/eks/") }, least("retentionInDays", year), holds("kmsKeyId", ":key/"))},
	{IDs: []string{"CIS-EKS-5.3.1", "M18"}, About: "secrets are encrypted with a key of the customer", Wrong: each(clusterType, has("encryptionConfig.resources", "secrets"), holds("encryptionConfig.provider.keyArn", ":key/"))},
	{IDs: []string{"CIS-EKS-5.4.1"}, About: "the internet does not reach the API server", Wrong: each(clusterType, func(v simcloud.Values) string {
		if ranges := v.Strings("vpcConfig.publicAccessCidrs"); v.Bool("vpcConfig.endpointPublicAccess") && (len(ranges) == 0 || slices.Contains(ranges, "0.0.0.0/0")) {
			return "everybody reaches it"
		}
		return ""
	})},
	{IDs: []string{"CIS-EKS-5.4.2", "M10"}, About: "the endpoint is private", Wrong: each(clusterType, is("vpcConfig.endpointPrivateAccess", true), is("vpcConfig.endpointPublicAccess", false))},
	{IDs: []string{"CIS-EKS-4.3.1", "CIS-EKS-5.4.4"}, About: "the network plugin enforces NetworkPolicy, strictly", Wrong: networkPolicy},
	{IDs: []string{"M10"}, About: "the cluster moves away from a zone that fails, and its support is standard", Wrong: each(clusterType, is("zonalShiftConfig.enabled", true), is("upgradePolicy.supportType", "STANDARD"))},
	{IDs: []string{"M35"}, About: "versions are pinned and supported", Wrong: both(each(clusterType, supported), each(nodeGroupType, supported), each(addonType, holds("addonVersion", "-eksbuild.")))},
}

func networkPolicy(a Account) []string {
	return some(addonType, func(v simcloud.Values) bool { return v.String("addonName") == "vpc-cni" }, func(v simcloud.Values) string {
		var set struct {
			EnableNetworkPolicy string            `json:"enableNetworkPolicy"`
			Env                 map[string]string `json:"env"`
		}
		if err := json.Unmarshal([]byte(v.String("configurationValues")), &set); err != nil {
			return err.Error()
		}
		if set.EnableNetworkPolicy != "true" || set.Env["NETWORK_POLICY_ENFORCING_MODE"] != "strict" {
			return fmt.Sprintf("%+v", set)
		}
		return ""
	})(a)
}

func supported(v simcloud.Values) string {
	for _, m := range hostconfig.SupportedMinors() {
		if m.Name == "v"+v.String("version") {
			return ""
		}
	}
	return fmt.Sprintf("version %q is not supported", v.String("version"))
}
