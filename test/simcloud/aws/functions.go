package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	pulumiaws "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// functions are what programs may look up.
func functions() map[string]simcloud.Function {
	out := map[string]simcloud.Function{}
	add := func(token string, args, result any, call func(*simcloud.Query) (simcloud.Values, error)) {
		out[token] = simcloud.Function{Args: simcloud.Inputs(args), Result: simcloud.Inputs(result), Call: call}
	}
	add("aws:index/getCallerIdentity:getCallerIdentity", pulumiaws.GetCallerIdentityArgs{}, pulumiaws.GetCallerIdentityResult{}, func(*simcloud.Query) (simcloud.Values, error) {
		return simcloud.Values{"id": Account, "accountId": Account, "arn": "arn:aws:sts::" + Account + ":assumed-role/deployer/session", "userId": "AROAEXAMPLEDEPLOYER:session"}, nil
	})
	add("aws:index/getRegion:getRegion", pulumiaws.GetRegionArgs{}, pulumiaws.GetRegionResult{}, func(q *simcloud.Query) (simcloud.Values, error) {
		name := q.Scope
		if asked := q.Args.String("name"); asked != "" {
			name = asked
		}
		if _, ok := regions[name]; !ok {
			return nil, errorf("InvalidParameterValue", "Invalid region: %s", name)
		}
		return simcloud.Values{"id": name, "name": name, "endpoint": "ec2." + name + ".amazonaws.com", "description": name}, nil
	})
	add("aws:index/getPartition:getPartition", pulumiaws.GetPartitionArgs{}, pulumiaws.GetPartitionResult{}, func(*simcloud.Query) (simcloud.Values, error) {
		return simcloud.Values{"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}, nil
	})
	add("aws:index/getAvailabilityZones:getAvailabilityZones", pulumiaws.GetAvailabilityZonesArgs{}, pulumiaws.GetAvailabilityZonesResult{}, availabilityZones)
	add("aws:index/getServicePrincipal:getServicePrincipal", pulumiaws.GetServicePrincipalArgs{}, pulumiaws.GetServicePrincipalResult{}, func(q *simcloud.Query) (simcloud.Values, error) {
		service := q.Args.String("serviceName")
		name := service + ".amazonaws.com"
		return simcloud.Values{"id": service + "." + q.Scope + ".amazonaws.com", "name": name, "region": q.Scope, "serviceName": service, "suffix": "amazonaws.com"}, nil
	})
	add("aws:ssm/getParameter:getParameter", ssm.LookupParameterArgs{}, ssm.LookupParameterResult{}, lookupParameter)
	add("aws:ec2/getPrefixList:getPrefixList", ec2.GetPrefixListArgs{}, ec2.GetPrefixListResult{}, func(q *simcloud.Query) (simcloud.Values, error) {
		for _, service := range gatewayServices {
			name, found := "com.amazonaws."+q.Scope+"."+service, prefixList(q.Scope, service)
			if q.Args.String("name") == name || q.Args.String("prefixListId") == found {
				return simcloud.Values{"id": found, "prefixListId": found, "name": name, "cidrBlocks": []string{"198.51.100.0/24"}}, nil
			}
		}
		return nil, errorf("InvalidPrefixListId.NotFound", "no matching EC2 Prefix List found")
	})
	add("aws:eks/getAddonVersion:getAddonVersion", eks.GetAddonVersionArgs{}, eks.GetAddonVersionResult{}, func(q *simcloud.Query) (simcloud.Values, error) {
		name, version := q.Args.String("addonName"), q.Args.String("kubernetesVersion")
		_, known := addons[name]
		if _, offered := versions[version]; !known || !offered {
			return nil, errorf("InvalidParameterException", "Addon %s is not offered for Kubernetes %s", name, version)
		}
		found := "v1.0.0-eksbuild.1"
		if name == "kube-proxy" {
			found = "v" + version + ".0-eksbuild.2"
		}
		return simcloud.Values{"id": name, "addonName": name, "kubernetesVersion": version, "version": found, "mostRecent": q.Args.Bool("mostRecent")}, nil
	})
	add("aws:ec2/getVpc:getVpc", ec2.LookupVpcArgs{}, ec2.LookupVpcResult{}, lookupVPC)
	return out
}

func availabilityZones(q *simcloud.Query) (simcloud.Values, error) {
	var names, ids []string
	for _, zone := range zones(q.Scope) {
		if !slices.Contains(q.Args.Strings("excludeNames"), zone) && !slices.Contains(q.Args.Strings("excludeZoneIds"), zoneID(zone)) {
			names, ids = append(names, zone), append(ids, zoneID(zone))
		}
	}
	for _, f := range q.Args.List("filters") {
		if name := f.String("name"); name != "opt-in-status" && name != "zone-type" && name != "region-name" {
			return nil, errorf("InvalidParameterValue", "The filter '%s' is not simulated", name)
		}
	}
	if state := q.Args.String("state"); state != "" && state != "available" {
		names, ids = nil, nil
	}
	return simcloud.Values{"id": q.Scope, "names": names, "zoneIds": ids, "groupNames": []string{q.Scope}}, nil
}

func lookupVPC(q *simcloud.Query) (simcloud.Values, error) {
	found := q.Cloud.Find(q.Scope, vpc, func(o *simcloud.Object) bool {
		for name, value := range q.Args.Texts("tags") {
			if o.State.Texts("tags")[name] != value {
				return false
			}
		}
		return (!q.Args.Has("id") || o.ID == q.Args.String("id")) && (!q.Args.Has("cidrBlock") || o.State.String("cidrBlock") == q.Args.String("cidrBlock"))
	})
	if len(found) != 1 {
		words := "no matching EC2 VPC found"
		if len(found) > 1 {
			words = fmt.Sprintf("multiple EC2 VPCs matched (%d); use additional constraints to reduce matches to a single EC2 VPC", len(found))
		}
		return nil, errorf("InvalidVpcID.NotFound", "%s", words)
	}
	v := found[0].State
	out := simcloud.Values{"id": found[0].ID, "state": "available", "default": false, "ipv6AssociationId": v.String("ipv6AssociationId"), "ipv6CidrBlock": v.String("ipv6CidrBlock"),
		"enableNetworkAddressUsageMetrics": false, "tags": v.Texts("tags"), "cidrBlockAssociations": []any{}}
	for _, name := range strings.Fields("arn cidrBlock dhcpOptionsId enableDnsHostnames enableDnsSupport instanceTenancy mainRouteTableId ownerId") {
		out[name] = v[name]
	}
	return out, nil
}
