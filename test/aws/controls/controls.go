// Package controls judges an account of AWS by what exists in it: each check stands for controls, and says what is wrong
// with them. It knows nothing of how the account was made.
package controls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Check is what must be true for some controls to be upheld.
type Check struct {
	// IDs are the controls: of the CIS benchmark of EKS 1.8 as CIS-EKS-5.4.2, of the mission as M10.
	IDs []string
	// About says what is looked at.
	About string
	// Wrong gives what is wrong, nothing when the controls are upheld. What does not exist is wrong.
	Wrong func(Account) []string
}

// Account is everything that exists.
type Account []simcloud.Object

// Checks are all of them.
func Checks() []Check { return slices.Concat(cluster, access, nodes, network, data) }

// Types that are looked at.
const (
	clusterType    = "aws:eks/cluster:Cluster"
	addonType      = "aws:eks/addon:Addon"
	nodeGroupType  = "aws:eks/nodeGroup:NodeGroup"
	templateType   = "aws:ec2/launchTemplate:LaunchTemplate"
	entryType      = "aws:eks/accessEntry:AccessEntry"
	policyType     = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
	attachmentType = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
	inlineType     = "aws:iam/rolePolicy:RolePolicy"
	roleType       = "aws:iam/role:Role"
	vpcType        = "aws:ec2/vpc:Vpc"
	subnetType     = "aws:ec2/subnet:Subnet"
	tableType      = "aws:ec2/routeTable:RouteTable"
	groupType      = "aws:ec2/securityGroup:SecurityGroup"
	aclType        = "aws:ec2/networkAcl:NetworkAcl"
	ingressType    = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
	egressType     = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
	endpointType   = "aws:ec2/vpcEndpoint:VpcEndpoint"
	flowLogType    = "aws:ec2/flowLog:FlowLog"
	queriesType    = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
	keyType        = "aws:kms/key:Key"
	logGroupType   = "aws:cloudwatch/logGroup:LogGroup"
	bucketType     = "aws:s3/bucketV2:BucketV2"
	lockType       = "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"
	blockType      = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
	versionsType   = "aws:s3/bucketVersioningV2:BucketVersioningV2"
	bucketKeyType  = "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2"
	bucketRuleType = "aws:s3/bucketPolicy:BucketPolicy"
	trailType      = "aws:cloudtrail/trail:Trail"
	scanningType   = "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration"
	defaultEBSType = "aws:ebs/encryptionByDefault:EncryptionByDefault"
)

// of are the objects of a type.
func (a Account) of(token string) []simcloud.Object {
	return slices.DeleteFunc(slices.Clone(a), func(o simcloud.Object) bool { return o.Type != token })
}

// judge says what is wrong with one object, "" when nothing is.
type judge func(simcloud.Values) string

// each judges all objects of a type, of which there must be one.
func each(token string, judges ...judge) func(Account) []string {
	return some(token, func(simcloud.Values) bool { return true }, judges...)
}

// some judges those that a condition holds for.
func some(token string, which func(simcloud.Values) bool, judges ...judge) func(Account) []string {
	return func(a Account) []string {
		var out []string
		found := 0
		for _, o := range a.of(token) {
			if !which(o.State) {
				continue
			}
			found++
			for _, judge := range judges {
				if wrong := judge(o.State); wrong != "" {
					out = append(out, o.ID+": "+wrong)
				}
			}
		}
		if found == 0 {
			out = append(out, "there is no "+token)
		}
		return out
	}
}

// none wants no object of a type, or none for which the condition holds.
func none(token string, which func(simcloud.Values) bool) func(Account) []string {
	return func(a Account) []string {
		var out []string
		for _, o := range a.of(token) {
			if which == nil || which(o.State) {
				out = append(out, o.Type+" "+o.ID+" is there")
			}
		}
		return out
	}
}

// both adds up what is wrong.
func both(checks ...func(Account) []string) func(Account) []string {
	return func(a Account) []string {
		var out []string
		for _, check := range checks {
			out = append(out, check(a)...)
		}
		return out
	}
}

// is wants a property to have a value.
func is(path string, want any) judge {
	return func(v simcloud.Values) string {
		if got := v.Get(path); fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Sprintf("%s is %v, not %v", path, got, want)
		}
		return ""
	}
}

// has wants texts in a list.
func has(path string, want ...string) judge {
	return func(v simcloud.Values) string {
		for _, each := range want {
			if !slices.Contains(v.Strings(path), each) {
				return fmt.Sprintf("%s has no %s", path, each)
			}
		}
		return ""
	}
}

// holds wants a text within a property.
func holds(path, want string) judge {
	return func(v simcloud.Values) string {
		if got := v.String(path); !strings.Contains(got, want) {
			return fmt.Sprintf("%s is %q, without %q", path, got, want)
		}
		return ""
	}
}

// least wants a number.
func least(path string, want int) judge {
	return func(v simcloud.Values) string {
		if got := v.Int(path); got < want {
			return fmt.Sprintf("%s is %d, less than %d", path, got, want)
		}
		return ""
	}
}

// empty wants nothing.
func empty(path string) judge {
	return func(v simcloud.Values) string {
		if got := v.Get(path); got != nil && got != "" && len(v.List(path)) > 0 || v.String(path) != "" {
			return fmt.Sprintf("%s is %v, not empty", path, got)
		}
		return ""
	}
}
