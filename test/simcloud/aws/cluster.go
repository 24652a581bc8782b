package aws

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/eks"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// noCluster are zones in which EKS places no control plane.
// https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
var noCluster = []string{"use1-az3", "usw1-az2", "cac1-az3"}

var (
	clusterName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$`)
	modes       = []string{"CONFIG_MAP", "API_AND_CONFIG_MAP", "API"} // a cluster moves to the right only
	privateNets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16")}
)

// toCluster is a reference by the name of a cluster.
func toCluster() simcloud.Reference {
	return holding(to("clusterName", "ResourceNotFoundException", "No cluster found for name: %s.", cluster))
}

// active finds a cluster that is up; everything inside one waits for that.
func active(c *simcloud.Change) (*simcloud.Object, error) {
	o := c.Cloud.Get(c.Scope, cluster, c.New.String("clusterName"))
	if !o.Ready {
		return nil, errorf("InvalidRequestException", "Cluster '%s' is not in ACTIVE status", o.ID)
	}
	return o, nil
}

// clusterTypes are clusters: https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
func clusterTypes() []*simcloud.ResourceType {
	t := kind(cluster, eks.ClusterArgs{}, eks.Cluster{})
	t.Inputs.Fields["vpcConfig"].Type.Fields["subnetIds"].Required = true
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 100}
	t.Defaults = simcloud.Values{"bootstrapSelfManagedAddons": true}
	t.Replace = []string{"name", "roleArn", "bootstrapSelfManagedAddons", "accessConfig.bootstrapClusterCreatorAdminPermissions", "encryptionConfig",
		"kubernetesNetworkConfig.ipFamily", "kubernetesNetworkConfig.serviceIpv4Cidr", "outpostConfig"}
	t.References = []simcloud.Reference{toRole("roleArn"), holding(toSubnet("vpcConfig.subnetIds[]")), holding(toGroup("vpcConfig.securityGroupIds[]")),
		by(to("encryptionConfig.provider.keyArn", "InvalidParameterException", "The keyArn in encryptionConfig provider is invalid: %s", key), "arn")}
	t.References[0].Patience = seconds(120)
	t.InUse = func(o, by *simcloud.Object) *simcloud.Error {
		if by.Type == nodeGroup {
			return errorf("ResourceInUseException", "Cluster has nodegroups attached")
		}
		return errorf("ResourceInUseException", "%s of cluster %s is still there", by.ID, o.ID)
	}
	t.Check = checkCluster
	t.Create = createCluster
	t.Update = updateCluster
	t.Delete = func(c *simcloud.Change) error { return nil }
	return []*simcloud.ResourceType{t}
}

func checkCluster(p *simcloud.Plan) {
	v := p.Values
	if name := v.String("name"); name != "" && !clusterName.MatchString(name) {
		p.Add("name", `invalid value for name (must be 1 to 100 characters and match ^[0-9A-Za-z][0-9A-Za-z_-]*$)`)
	}
	oneOf(p, "accessConfig.authenticationMode", "CONFIG_MAP", "API_AND_CONFIG_MAP", "API")
	oneOf(p, "upgradePolicy.supportType", "STANDARD", "EXTENDED")
	oneOf(p, "kubernetesNetworkConfig.ipFamily", "ipv4", "ipv6")
	for i, each := range v.Strings("enabledClusterLogTypes") {
		if !slices.Contains([]string{"api", "audit", "authenticator", "controllerManager", "scheduler"}, each) {
			p.Add(fmt.Sprintf("enabledClusterLogTypes[%d]", i), "expected a control plane log type to be one of api, audit, authenticator, controllerManager, scheduler, got "+each)
		}
	}
	if v.Has("encryptionConfig") && v.Known("encryptionConfig.resources") && !slices.Equal(v.Strings("encryptionConfig.resources"), []string{"secrets"}) {
		p.Add("encryptionConfig.resources", `expected encryptionConfig.resources to be ["secrets"]`)
	}
	if text := v.String("kubernetesNetworkConfig.serviceIpv4Cidr"); text != "" {
		cidrAt(p, "kubernetesNetworkConfig.serviceIpv4Cidr", 12, 24)
		if prefix, err := netip.ParsePrefix(text); err == nil && !slices.ContainsFunc(privateNets, func(n netip.Prefix) bool { return within(prefix, n) }) {
			p.Add("kubernetesNetworkConfig.serviceIpv4Cidr", "must be within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
		}
	}
	for _, text := range v.Strings("vpcConfig.publicAccessCidrs") {
		if _, err := network(text); err != nil {
			p.Add("vpcConfig.publicAccessCidrs", err.Error())
		}
	}
}

// judgeAccess judges what may change at any time.
func judgeAccess(v simcloud.Values) error {
	public := v.Get("vpcConfig.endpointPublicAccess") != false
	if !public && !v.Bool("vpcConfig.endpointPrivateAccess") {
		return errorf("InvalidParameterException", "Private and public endpoint access cannot be false")
	}
	return nil
}

func createCluster(c *simcloud.Change) error {
	v := c.New
	c.ID = v.String("name")
	if c.Cloud.Get(c.Scope, cluster, c.ID) != nil {
		return errorf("ResourceInUseException", "Cluster already exists with name: %s", c.ID)
	}
	if !trusts(c.Cloud, v.String("roleArn"), "eks.amazonaws.com", "sts:AssumeRole") {
		return errorf("InvalidParameterException", "Role with arn: %s, could not be assumed because it does not exist or the trusted entity is not correct", v.String("roleArn"))
	}
	if !hasPolicy(c.Cloud, v.String("roleArn"), "AmazonEKSClusterPolicy") {
		return errorf("InvalidParameterException", "The role %s does not have the AmazonEKSClusterPolicy attached", v.String("roleArn"))
	}
	version := v.String("version")
	if version == "" {
		version = defaultVersion
	}
	if err := judgeVersion(version, v.String("upgradePolicy.supportType")); err != nil {
		return err
	}
	if err := judgeAccess(v); err != nil {
		return err
	}
	vpcID, subnets, err := judgeClusterNetwork(c)
	if err != nil {
		return err
	}
	if given := v.String("encryptionConfig.provider.keyArn"); given != "" {
		if err := judgeSecretsKey(c, given); err != nil {
			return err
		}
	}
	c.Out = simcloud.Values{"arn": arn("eks", c.Scope, "cluster/"+c.ID), "version": version, "status": "ACTIVE", "platformVersion": "eks.1",
		"createdAt": c.Cloud.Clock.Now().Format("2006-01-02 15:04:05 +0000 UTC")}
	issuer := "https://oidc.eks." + c.Scope + ".amazonaws.com/id/" + strings.ToUpper(digits(c.Cloud, "issuer", 32))
	c.Out["identities"] = []any{simcloud.Values{"oidcs": []any{simcloud.Values{"issuer": issuer}}}}
	c.Out["endpoint"] = "https://" + strings.ToUpper(digits(c.Cloud, "endpoint", 32)) + ".gr7." + c.Scope + ".eks.amazonaws.com"
	authority, err := simcloud.Authority(c.ID)
	if err != nil {
		return err
	}
	c.Out["certificateAuthority"] = simcloud.Values{"data": authority}
	c.Out["certificateAuthorities"] = []any{simcloud.Values{"data": authority}}
	group := id(c, "sg")
	name := "eks-cluster-sg-" + c.ID + "-" + digits(c.Cloud, "cluster group", 10)
	c.Beside = []*simcloud.Object{{Scope: c.Scope, Type: securityGroup, ID: group, State: simcloud.Values{"name": name, "vpcId": vpcID, "ownerId": Account,
		"arn": arn("ec2", c.Scope, "security-group/"+group), "description": "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
		"ingress": []any{simcloud.Values{"protocol": "-1", "fromPort": 0, "toPort": 0, "self": true}},
		"egress":  []any{simcloud.Values{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": []string{"0.0.0.0/0"}}}}}}
	groups := append([]string{group}, v.Strings("vpcConfig.securityGroupIds")...)
	for _, in := range subnets[:2] {
		c.Beside = append(c.Beside, newInterface(c, in, "interface", "Amazon EKS "+c.ID, groups))
	}
	c.Beside = append(c.Beside, logGroupOf(c)...)
	finishCluster(c, vpcID, group)
	return nil
}

// finishCluster gives nested properties what AWS fills in.
func finishCluster(c *simcloud.Change, vpcID, group string) {
	nested := func(name string, defaults simcloud.Values) {
		out, _ := c.New.Get(name).(map[string]any)
		merged := simcloud.Values{}
		for key, value := range defaults {
			merged[key] = value
		}
		for key, value := range out {
			merged[key] = value
		}
		c.Out[name] = merged
	}
	services := "172.20.0.0/16"
	if o := c.Cloud.Get(c.Scope, vpc, vpcID); strings.HasPrefix(o.State.String("cidrBlock"), "172.") {
		services = "10.100.0.0/16"
	}
	nested("vpcConfig", simcloud.Values{"endpointPrivateAccess": false, "endpointPublicAccess": true, "vpcId": vpcID, "clusterSecurityGroupId": group,
		"publicAccessCidrs": []string{"0.0.0.0/0"}})
	nested("accessConfig", simcloud.Values{"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": true})
	nested("kubernetesNetworkConfig", simcloud.Values{"ipFamily": "ipv4", "serviceIpv4Cidr": services})
	nested("upgradePolicy", simcloud.Values{"supportType": "EXTENDED"})
}

// logGroupOf is the group that EKS makes itself when the program did not: without a key and without an end. It
// outlives the cluster, and a program that makes it later is told that it exists.
func logGroupOf(c *simcloud.Change) []*simcloud.Object {
	name := "/aws/eks/" + c.New.String("name") + "/cluster"
	if len(c.New.Strings("enabledClusterLogTypes")) == 0 || c.Cloud.Get(c.Scope, logGroup, name) != nil {
		return nil
	}
	return []*simcloud.Object{{Scope: c.Scope, Type: logGroup, ID: name, Owner: "eks", State: simcloud.Values{"name": name, "retentionInDays": 0,
		"arn": arn("logs", c.Scope, "log-group:"+name)}}}
}

// judgeClusterNetwork judges where the control plane places its interfaces, and gives the VPC and the subnets with one
// of each zone first.
func judgeClusterNetwork(c *simcloud.Change) (string, []*simcloud.Object, error) {
	var vpcID string
	seen := map[string]bool{}
	var first, rest []*simcloud.Object
	for _, each := range c.New.Strings("vpcConfig.subnetIds") {
		o := c.Cloud.Get(c.Scope, subnet, each)
		if vpcID != "" && o.State.String("vpcId") != vpcID {
			return "", nil, errorf("InvalidParameterException", "Subnets specified must be in the same VPC")
		}
		vpcID = o.State.String("vpcId")
		zone := o.State.String("availabilityZoneId")
		if slices.Contains(noCluster, zone) {
			return "", nil, errorf("UnsupportedAvailabilityZoneException", "Cannot create cluster '%s' because %s, the targeted availability zone, does not currently have sufficient capacity to support the cluster.", c.ID, o.State.String("availabilityZone"))
		}
		if free(c.Cloud, o) < 6 {
			return "", nil, errorf("InvalidParameterException", "Subnet %s has fewer than the 6 free addresses that EKS needs", each)
		}
		if seen[zone] {
			rest = append(rest, o)
		} else {
			first = append(first, o)
		}
		seen[zone] = true
	}
	if len(first) < 2 {
		return "", nil, errorf("InvalidParameterException", "Subnets specified must be in at least two different AZs")
	}
	for _, each := range c.New.Strings("vpcConfig.securityGroupIds") {
		if o := c.Cloud.Get(c.Scope, securityGroup, each); o.State.String("vpcId") != vpcID {
			return "", nil, errorf("InvalidParameterException", "Security group(s) %s are not in the same VPC as the subnets.", each)
		}
	}
	if services, err := netip.ParsePrefix(c.New.String("kubernetesNetworkConfig.serviceIpv4Cidr")); err == nil {
		for _, local := range vpcRanges(c.Cloud, c.Scope, vpcID) {
			if local.Overlaps(services) {
				return "", nil, errorf("InvalidParameterException", "The service CIDR %s overlaps with the CIDR %s of the VPC", services, local)
			}
		}
	}
	return vpcID, append(first, rest...), nil
}
