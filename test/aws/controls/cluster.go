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
	{[]string{"CIS-EKS-2.1.1", "M17"}, "the control plane writes every log", each(clusterType, has("enabledClusterLogTypes", "api", "audit", "authenticator", "controllerManager", "scheduler"))},
	{[]string{"CIS-EKS-2.1.2", "M17"}, "the logs of the control plane are encrypted and kept",
		some(logGroupType, func(v simcloud.Values) bool { return strings.HasPrefix(v.String("name"), "/aws/eks/") }, least("retentionInDays", year), holds("kmsKeyId", ":key/"))},
	{[]string{"CIS-EKS-5.3.1", "M18"}, "secrets are encrypted with a key of the customer", each(clusterType, has("encryptionConfig.resources", "secrets"), holds("encryptionConfig.provider.keyArn", ":key/"))},
	{[]string{"CIS-EKS-5.4.1"}, "the internet does not reach the API server", each(clusterType, func(v simcloud.Values) string {
		if ranges := v.Strings("vpcConfig.publicAccessCidrs"); v.Bool("vpcConfig.endpointPublicAccess") && (len(ranges) == 0 || slices.Contains(ranges, "0.0.0.0/0")) {
			return "everybody reaches it"
		}
		return ""
	})},
	{[]string{"CIS-EKS-5.4.2", "M10"}, "the endpoint is private", each(clusterType, is("vpcConfig.endpointPrivateAccess", true), is("vpcConfig.endpointPublicAccess", false))},
	{[]string{"CIS-EKS-4.3.1", "CIS-EKS-5.4.4"}, "the network plugin enforces NetworkPolicy, strictly", networkPolicy},
	{[]string{"M10"}, "the cluster moves away from a zone that fails, and its support is standard", each(clusterType, is("zonalShiftConfig.enabled", true), is("upgradePolicy.supportType", "STANDARD"))},
	{[]string{"M35"}, "versions are pinned and supported", both(each(clusterType, supported), each(nodeGroupType, supported), each(addonType, holds("addonVersion", "-eksbuild.")))},
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
