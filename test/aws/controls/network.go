package controls

import (
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var network = []Check{
	{IDs: []string{"CIS-EKS-5.4.3", "M06"}, About: "no subnet gives out public addresses", Wrong: each(subnetType, is("mapPublicIpOnLaunch", false))},
	{IDs: []string{"CIS-EKS-5.4.3", "M06"}, About: "nothing leads out of the network", Wrong: both(none("aws:ec2/internetGateway:InternetGateway", nil), none("aws:ec2/natGateway:NatGateway", nil),
		none("aws:ec2/route:Route", nil), each(tableType, empty("routes")))},
	{IDs: []string{"M06"}, About: "what AWS gives each network is empty", Wrong: defaultsAreEmpty},
	{IDs: []string{"M06"}, About: "endpoints answer for the services by their own names, and do what they are for", Wrong: some(endpointType, func(v simcloud.Values) bool { return v.String("vpcEndpointType") == "Interface" },
		is("privateDnsEnabled", true), func(v simcloud.Values) string {
			if policy := v.String("policy"); policy == "" || strings.Contains(policy, `"Action":["*"]`) || !strings.Contains(policy, "aws:PrincipalAccount") {
				return "its policy lets everybody do everything"
			}
			return ""
		})},
	{IDs: []string{"M08"}, About: "every rule says why it is there", Wrong: both(each(ingressType, holds("description", ": ")), each(egressType, holds("description", ": ")))},
	{IDs: []string{"M08"}, About: "no rule is for the whole world", Wrong: both(none(ingressType, world), none(egressType, world))},
	{IDs: []string{"M09"}, About: "nobody reaches a machine by SSH", Wrong: none(ingressType, func(v simcloud.Values) bool {
		return v.String("cidrIpv4") != "" && v.Int("fromPort") <= 22 && 22 <= v.Int("toPort")
	})},
	{IDs: []string{"M33"}, About: "every flow is recorded, each minute, where it is seen and where nobody alters it", Wrong: func(a Account) []string {
		out := each(flowLogType, is("trafficType", "ALL"), is("maxAggregationInterval", 60))(a)
		for _, kind := range []string{"cloud-watch-logs", "s3"} {
			out = append(out, some(flowLogType, func(v simcloud.Values) bool { return v.String("logDestinationType") == kind })(a)...)
		}
		return out
	}},
	{IDs: []string{"M33"}, About: "the DNS queries of every network are recorded", Wrong: func(a Account) []string {
		var out []string
		for _, v := range a.Of(vpcType) {
			if !slices.ContainsFunc(a.Of(queriesType), func(o simcloud.Object) bool { return o.State.String("resourceId") == v.ID }) {
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
	for _, v := range a.Of(vpcType) {
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
