package awsflatcar_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	. "github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

const (
	balancers    = "aws:lb/loadBalancer:LoadBalancer"
	targets      = "aws:lb/targetGroup:TargetGroup"
	rolePolicies = "aws:iam/rolePolicy:RolePolicy"
	locks        = "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2"
	bucketRules  = "aws:s3/bucketPolicy:BucketPolicy"
	keys         = "aws:kms/key:Key"
	reservations = "aws:ec2/subnetCidrReservation:SubnetCidrReservation"
	inbound      = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
)

// opens says that a rule lets a port in from a group that is not one of some, by the groups' names.
func opens(w World, port int, but ...string) (wrong []string) {
	names := map[string]string{}
	for _, o := range w.Of("aws:ec2/securityGroup:SecurityGroup") {
		names[o.ID] = strings.TrimPrefix(o.State.String("name"), name+"-")
	}
	found := false
	for _, o := range w.Of(inbound) {
		if from, to := o.State.Int("fromPort"), o.State.Int("toPort"); o.State.String("ipProtocol") != "-1" && (from > port || to < port) {
			continue
		}
		source := names[o.State.String("referencedSecurityGroupId")]
		found = found || source != ""
		if !slices.Contains(but, source) {
			wrong = append(wrong, o.ID+" lets "+source+o.State.String("cidrIpv4")+" in")
		}
	}
	if !found {
		wrong = append(wrong, "no rule is about the port")
	}
	return wrong
}

func named(part string) func(simcloud.Values) bool {
	return func(v simcloud.Values) bool {
		return strings.Contains(v.String("bucket")+v.String("role")+v.String("description")+v.String("key"), part)
	}
}

// without wants a text to be nowhere in a property.
func without(path string, words ...string) Judge {
	return func(v simcloud.Values) string {
		for _, word := range words {
			if strings.Contains(v.String(path), word) {
				return path + " has " + word
			}
		}
		return ""
	}
}

// isolated is the taint as Ignition writes what a kubelet registers with.
const isolated = "effect%3A%20NoSchedule%0A%20%20key%3A%20redoubt.dev%2Fisolation%0A%20%20value%3A%20payments"

func customerKey(path string) Judge { return Holds(path, ":key/") }

var checks = []Check{
	{IDs: []string{"M13"}, About: "etcd answers control planes alone", Wrong: func(w World) []string {
		return append(opens(w, 2379, "cluster"), opens(w, 2380, "cluster")...)
	}},
	{IDs: []string{"M12", "M14"}, About: "the API is inside the network", Wrong: All(Each(balancers, Is("internal", true), Has("securityGroups")),
		Each(targets, Is("healthCheck.protocol", "HTTPS"), Is("healthCheck.path", "/readyz"), Is("preserveClientIp", "false")))},
	{IDs: []string{"M12"}, About: "nobody else gets the address of a control plane", Wrong: func(w World) (wrong []string) {
		for _, o := range w.Of(instances) {
			if !slices.ContainsFunc(w.Of(reservations), func(r simcloud.Object) bool {
				block, err := netip.ParsePrefix(r.State.String("cidrBlock"))
				return err == nil && r.State.String("reservationType") == "explicit" && r.State.String("subnetId") == o.State.String("subnetId") &&
					block.Contains(netip.MustParseAddr(o.State.String("privateIp")))
			}) {
				wrong = append(wrong, o.State.String("privateIp")+" may be given away while its machine is replaced")
			}
		}
		return wrong
	}},
	{IDs: []string{"M19"}, About: "every disk is under a customer key", Wrong: All(
		Each(volumes, Is("encrypted", true), customerKey("kmsKeyId")),
		Each(instances, Is("rootBlockDevice.encrypted", true), customerKey("rootBlockDevice.kmsKeyId")),
		Each(templates, Is("blockDeviceMappings[0].ebs.encrypted", "true"), customerKey("blockDeviceMappings[0].ebs.kmsKeyId")))},
	{IDs: []string{"M21"}, About: "credentials of a machine stay on it", Wrong: All(
		Each(instances, Is("metadataOptions.httpTokens", "required"), Is("metadataOptions.httpPutResponseHopLimit", 1)),
		Each(templates, Is("metadataOptions.httpTokens", "required"), Is("metadataOptions.httpPutResponseHopLimit", 1)))},
	{IDs: []string{"M03", "M09"}, About: "nobody logs in", Wrong: All(Each(instances, Empty("keyName"), Empty("associatePublicIpAddress")), Each(templates, Empty("keyName")),
		func(w World) []string {
			return slices.DeleteFunc(opens(w, 22), func(wrong string) bool { return wrong == "no rule is about the port" })
		})},
	{IDs: []string{"M38"}, About: "copies of etcd outlive a break-in", Wrong: All(
		Some(locks, named("-etcd-"), Is("rule.defaultRetention.mode", "GOVERNANCE"), Least("rule.defaultRetention.days", 30)),
		Some(bucketRules, named("-etcd-"), Holds("policy", "DenyControlPlanesDeleting"), Holds("policy", "DenyLiftingLocks"), Holds("policy", "aws:SecureTransport")))},
	{IDs: []string{"M17", "M38"}, About: "what the API servers record outlives a break-in, and is read by no machine", Wrong: All(
		Some(locks, named("-apilog-"), Is("rule.defaultRetention.mode", "COMPLIANCE"), Least("rule.defaultRetention.days", 365)),
		Some(bucketRules, named("-apilog-"), Holds("policy", "DenyControlPlanesDeleting"), Holds("policy", `{"Null":{"s3:if-none-match":["true"]}}`), Holds("policy", "DenyLiftingLocks"), Holds("policy", "aws:SecureTransport")),
		Some(rolePolicies, named("-control-plane"), Holds("policy", `{"Sid":"AuditLog","Effect":"Allow","Action":["s3:PutObject"],"Resource":["arn:aws:s3:::`+name+`-apilog-`)))},
	{IDs: []string{"M18"}, About: "the store is under a key of its own, object by object", Wrong: All(
		Each(objects, Is("serverSideEncryption", "aws:kms"), customerKey("kmsKeyId"), Is("bucketKeyEnabled", false)),
		Some(keys, named("store of"), Is("enableKeyRotation", true), Holds("policy", "kms:EncryptionContext:aws:s3:arn")),
		Some(bucketRules, named("-store-"), Holds("policy", "aws:SecureTransport"), Holds("policy", "DenyWorkersTheControlPlane")))},
	{IDs: []string{"M20"}, About: "a role does what its machines need", Wrong: All(
		Each(rolePolicies, without("policy", `"*:*"`, `"s3:*"`, `"kms:`, `"iam:`, `"Action":["*"]`)),
		Some(rolePolicies, named("-control-plane"), Holds("policy", "s3:ListBucket"), Holds("policy", "autoScalingGroupName/"+name+"-"),
			Holds("policy", `{"Sid":"ReplaceMachines","Effect":"Allow","Action":["autoscaling:SetInstanceHealth"],"Resource":["arn:aws:autoscaling:`), Holds("policy", "autoScalingGroupName/"+name+`-general"`)),
		Some(rolePolicies, named("-w-"), without("policy", "control-plane/", "s3:PutObject", "ec2:", "autoscaling:", "etcd"), Holds("policy", "/workers/")))},
	{IDs: []string{"M05"}, About: "workers are replaced, new ones first, and drained", Wrong: Each(groups,
		Is("instanceRefresh.strategy", "Rolling"), Is("instanceRefresh.preferences.minHealthyPercentage", 100), Is("instanceRefresh.preferences.autoRollback", true),
		Is("initialLifecycleHooks[0].lifecycleTransition", "autoscaling:EC2_INSTANCE_TERMINATING"), Is("initialLifecycleHooks[0].defaultResult", "CONTINUE"))},
	{IDs: []string{"M24"}, About: "an isolated pool is for those who ask for it", Wrong: Some(objects, named("workers/isolated/"), Holds("content", isolated))},
	{IDs: []string{"M34"}, About: "no machine is handed a credential", Wrong: All(Each(instances, without("userData", "PRIVATE KEY", "token")),
		Some(objects, named("workers/"), without("content", "PRIVATE KEY", "token-secret")))},
}

var mutants = map[string][]Mutant{
	"etcd answers control planes alone": {
		Added(inbound, simcloud.Values{"ipProtocol": "tcp", "fromPort": 2379, "toPort": 2380, "cidrIpv4": "10.70.0.0/16"}),
		Added(inbound, simcloud.Values{"ipProtocol": "-1", "cidrIpv4": "10.0.0.0/8"})},
	"the API is inside the network":                   {Set("LoadBalancer", "internal", false), Set("TargetGroup", "healthCheck.path", "/"), Set("TargetGroup", "preserveClientIp", "true"), Gone("LoadBalancer", "")},
	"nobody else gets the address of a control plane": {Gone("SubnetCidrReservation", ""), Set("SubnetCidrReservation", "reservationType", "prefix")},
	"every disk is under a customer key": {Set("Volume", "encrypted", false), Without("Volume", "kmsKeyId"), Set("Instance", "rootBlockDevice.encrypted", false), Without("Instance", "rootBlockDevice.kmsKeyId"),
		Set("LaunchTemplate", "blockDeviceMappings[0].ebs.encrypted", "false"), Without("LaunchTemplate", "blockDeviceMappings[0].ebs.kmsKeyId")},
	"credentials of a machine stay on it": {Set("Instance", "metadataOptions.httpTokens", "optional"), Set("Instance", "metadataOptions.httpPutResponseHopLimit", 2),
		Set("LaunchTemplate", "metadataOptions.httpTokens", "optional"), Set("LaunchTemplate", "metadataOptions.httpPutResponseHopLimit", 2)},
	"nobody logs in": {Set("Instance", "keyName", "me"), Set("LaunchTemplate", "keyName", "me"), Set("Instance", "associatePublicIpAddress", true),
		Added(inbound, simcloud.Values{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "10.200.0.0/16"})},
	"what the API servers record outlives a break-in, and is read by no machine": {Gone("BucketObjectLockConfigurationV2", "-apilog-"),
		SetOf("BucketObjectLockConfigurationV2", "-apilog-", "rule.defaultRetention.mode", "GOVERNANCE"), SetOf("BucketObjectLockConfigurationV2", "-apilog-", "rule.defaultRetention.days", 30),
		SetOf("BucketPolicy", "-apilog-", "policy", [2]string{"DenyControlPlanesDeleting", "AllowDeleting"}),
		SetOf("BucketPolicy", "-apilog-", "policy", [2]string{`{"s3:if-none-match":["true"]}`, `{"s3:if-none-match":["false"]}`}),
		SetOf("RolePolicy", "-control-plane", "policy", [2]string{`"AuditLog","Effect":"Allow","Action":["s3:PutObject"]`, `"AuditLog","Effect":"Allow","Action":["s3:*Object"]`})},
	"copies of etcd outlive a break-in": {Gone("BucketObjectLockConfigurationV2", "-etcd-"), SetOf("BucketObjectLockConfigurationV2", "-etcd-", "rule.defaultRetention.days", 1),
		SetOf("BucketPolicy", "-etcd-", "policy", [2]string{"DenyControlPlanesDeleting", "AllowDeleting"})},
	"the store is under a key of its own, object by object": {Without("BucketObjectv2", "kmsKeyId"), Set("BucketObjectv2", "serverSideEncryption", "AES256"), Set("BucketObjectv2", "bucketKeyEnabled", true),
		Set("Key", "enableKeyRotation", false), SetOf("BucketPolicy", "-store-", "policy", [2]string{"DenyWorkersTheControlPlane", "No"})},
	"a role does what its machines need": {SetOf("RolePolicy", "-w-general", "policy", [2]string{"/workers/general/config.ign", "/control-plane/*"}),
		SetOf("RolePolicy", "-w-general", "policy", [2]string{`"s3:GetObject"`, `"s3:GetObject","s3:PutObject"`}), SetOf("RolePolicy", "-control-plane", "policy", [2]string{`"s3:PutObject"`, `"s3:*"`}),
		SetOf("RolePolicy", "-control-plane", "policy", [2]string{"s3:ListBucket", "s3:GetBucketAcl"}), SetOf("RolePolicy", "-control-plane", "policy", [2]string{"autoScalingGroupName/aws-flatcar-", "autoScalingGroupName/"}),
		SetOf("RolePolicy", "-control-plane", "policy", [2]string{`"autoscaling:SetInstanceHealth"`, `"autoscaling:*"`}), SetOf("RolePolicy", "-control-plane", "policy", [2]string{"aws-flatcar-general\"", "*\""})},
	"workers are replaced, new ones first, and drained": {Set("Group", "instanceRefresh.preferences.minHealthyPercentage", 50), Without("Group", "initialLifecycleHooks"), Without("Group", "instanceRefresh")},
	"an isolated pool is for those who ask for it":      {SetOf("BucketObjectv2", "workers/isolated", "content", [2]string{isolated, ""})},
	"no machine is handed a credential":                 {SetOf("Instance", "", "userData", "-----BEGIN EC PRIVATE KEY-----"), SetOf("BucketObjectv2", "workers/general", "content", "-----BEGIN EC PRIVATE KEY-----")},
}

// Every control is upheld by what exists, and the absence of each is seen (M45).
func TestControls(t *testing.T) {
	w := up(t)
	Prove(t, w.Cloud.Objects(), checks, mutants, []string{"M03", "M05", "M09", "M12", "M13", "M14", "M18", "M19", "M20", "M21", "M24", "M34", "M38"})
}
