package controls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

const (
	everybody  = "0.0.0.0/0"
	restricted = "199.36.153.4/30"
)

var network = []judge.Check{
	{IDs: []string{"M07"}, About: "the network has only the parts that were planned", Wrong: judge.Each(networkType, judge.Is("autoCreateSubnetworks", false), judge.Is("deleteDefaultRoutesOnCreate", true))},
	{IDs: []string{"M07"}, About: "nothing leads out of the network", Wrong: judge.All(judge.Each(routeType, judge.Is("destRange", restricted)), judge.None(natType, nil), judge.None(addressType, func(v simcloud.Values) bool {
		return v.String("addressType") != "INTERNAL"
	}))},
	{IDs: []string{"M07"}, About: "Google's interfaces are reached by their restricted addresses", Wrong: judge.All(judge.Each(subnetworkType, judge.Is("privateIpGoogleAccess", true)), googleNames)},
	{IDs: []string{"CIS-GKE-5.6.1", "M33"}, About: "every flow is recorded, with who its ends are", Wrong: judge.All(
		judge.Each(subnetworkType, judge.Is("logConfig.flowSampling", 1), judge.Is("logConfig.metadata", "INCLUDE_ALL_METADATA"), judge.Is("logConfig.aggregationInterval", "INTERVAL_5_SEC"), judge.Empty("logConfig.filterExpr")),
		judge.Each(clusterType, judge.Is("enableIntranodeVisibility", true)))},
	{IDs: []string{"M33"}, About: "queries of names are recorded", Wrong: judge.Each(queriesType, judge.Is("enableLogging", true), judge.Is("enableInboundForwarding", false))},
	{IDs: []string{"CIS-GKE-5.6.6", "M08"}, About: "what no rule allows neither comes in nor goes out, and is recorded", Wrong: judge.All(last("INGRESS", "sourceRanges"), last("EGRESS", "destinationRanges"))},
	{IDs: []string{"CIS-GKE-5.6.6", "M08"}, About: "no rule is for the whole world", Wrong: judge.None(firewallType, func(v simcloud.Values) bool {
		ranges := append(v.Strings("sourceRanges"), v.Strings("destinationRanges")...)
		return len(v.List("allows")) > 0 && (slices.Contains(ranges, everybody) || slices.Contains(ranges, "::/0") || len(ranges) == 0)
	})},
	{IDs: []string{"M08"}, About: "every rule is for machines of an account, and says why it is there", Wrong: judge.Some(firewallType, func(v simcloud.Values) bool {
		return len(v.List("allows")) > 0 && !strings.HasPrefix(v.String("name"), "gke-")
	}, func(v simcloud.Values) string {
		if len(v.Strings("targetServiceAccounts")) != 1 || len(v.String("description")) < 10 {
			return "is for " + fmt.Sprint(v.Strings("targetServiceAccounts")) + ": " + v.String("description")
		}
		return ""
	})},
}

// last wants the rule that denies what no other allows.
func last(direction, ranges string) func(judge.World) []string {
	return judge.Some(firewallType, func(v simcloud.Values) bool {
		return v.String("direction") == direction && v.Int("priority") == 65000
	}, judge.Is("denies[0].protocol", "all"), judge.Has(ranges, everybody), judge.Is("disabled", false), judge.Holds("logConfig.metadata", "INCLUDE_ALL_METADATA"))
}

// googleNames wants a private zone for each of Google's domains, with records that lead to the restricted addresses.
func googleNames(w judge.World) []string {
	var out []string
	for _, domain := range []string{"googleapis.com.", "pkg.dev.", "gcr.io."} {
		zone, address, all := "", false, false
		for _, o := range w.Of(zoneType) {
			if o.State.String("dnsName") == domain && o.State.String("visibility") == "private" {
				zone = o.State.String("name")
			}
		}
		for _, o := range w.Of(recordType) {
			if zone == "" || o.State.String("managedZone") != zone {
				continue
			}
			address = address || o.State.String("type") == "A" && slices.Equal(o.State.Strings("rrdatas"), []string{"199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7"})
			all = all || o.State.String("type") == "CNAME" && o.State.String("name") == "*."+domain
		}
		if !address || !all {
			out = append(out, domain+" does not lead to the restricted addresses")
		}
	}
	return out
}
