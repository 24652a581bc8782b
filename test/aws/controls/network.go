package controls

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var network = []Check{
	{[]string{"CIS-EKS-5.4.3", "M06"}, "no subnet gives out public addresses", each(subnetType, is("mapPublicIpOnLaunch", false))},
	{[]string{"CIS-EKS-5.4.3", "M06"}, "nothing leads out of the network", both(none("aws:ec2/internetGateway:InternetGateway", nil), none("aws:ec2/natGateway:NatGateway", nil),
		none("aws:ec2/route:Route", nil), each(tableType, empty("routes")))},
	{[]string{"M06"}, "what AWS gives each network is empty", defaultsAreEmpty},
	{[]string{"M06"}, "endpoints answer for the services by their own names, and do what they are for", some(endpointType, func(v simcloud.Values) bool { return v.String("vpcEndpointType") == "Interface" },
		is("privateDnsEnabled", true), func(v simcloud.Values) string {
			if policy := v.String("policy"); policy == "" || strings.Contains(policy, `"Action":["*"]`) || !strings.Contains(policy, "aws:PrincipalAccount") {
				return "its policy lets everybody do everything"
			}
			return ""
		})},
	{[]string{"M08"}, "every rule says why it is there", both(each(ingressType, holds("description", ": ")), each(egressType, holds("description", ": ")))},
	{[]string{"M08"}, "no rule is for the whole world", both(none(ingressType, world), none(egressType, world))},
	{[]string{"M09"}, "nobody reaches a machine by SSH", none(ingressType, func(v simcloud.Values) bool {
		return v.String("cidrIpv4") != "" && v.Int("fromPort") <= 22 && 22 <= v.Int("toPort")
	})},
	{[]string{"M33"}, "every flow is recorded, each minute, where it is seen and where nobody alters it", func(a Account) []string {
		out := each(flowLogType, is("trafficType", "ALL"), is("maxAggregationInterval", 60))(a)
		for _, kind := range []string{"cloud-watch-logs", "s3"} {
			out = append(out, some(flowLogType, func(v simcloud.Values) bool { return v.String("logDestinationType") == kind })(a)...)
		}
		return out
	}},
	{[]string{"M33"}, "the DNS queries of every network are recorded", func(a Account) []string {
		var out []string
		for _, v := range a.of(vpcType) {
			if !slices.ContainsFunc(a.of(queriesType), func(o simcloud.Object) bool { return o.State.String("resourceId") == v.ID }) {
				out = append(out, v.ID+": queries are not recorded")
			}
		}
		return out
	}},
}

func world(v simcloud.Values) bool {
	return strings.HasSuffix(v.String("cidrIpv4"), "/0") || strings.HasSuffix(v.String("cidrIpv6"), "/0")
}

func defaultsAreEmpty(a Account) []string {
	var out []string
	for _, v := range a.of(vpcType) {
		for _, o := range a {
			if !slices.Contains([]string{v.State.String("defaultSecurityGroupId"), v.State.String("defaultNetworkAclId"), v.State.String("defaultRouteTableId")}, o.ID) {
				continue
			}
			if !slices.Contains([]string{groupType, aclType, tableType}, o.Type) {
				continue
			}
			for _, rules := range []string{"ingress", "egress", "routes"} {
				if wrong := empty(rules)(o.State); wrong != "" {
					out = append(out, o.ID+": "+wrong)
				}
			}
		}
	}
	return out
}
