package boot

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

const (
	awsAccount = "123456789012"
	awsRegion  = "eu-central-1"
	awsKey     = "1234abcd-12ab-34cd-56ef-1234567890ab"
	awsKeyName = "arn:aws:kms:" + awsRegion + ":" + awsAccount + ":key/" + awsKey
	awsAPI     = "api.prod.internal"
)

// awsSite is the fixture on AWS: a network load balancer that takes connections
// itself, machines that are known by their private DNS names.
var awsSite = site{
	options: fakecloud.Options{Provider: fakecloud.AWS, Region: awsRegion, Account: awsAccount},
	specify: func(s *selfmanaged.Spec) {
		s.Cloud.Region, s.Cloud.Account = awsRegion, awsAccount
		s.Cluster.Endpoint = "https://" + awsAPI + ":6443"
		s.LoadBalancer.CIDRs = []string{balancerAddress + "/32"}
		s.ControlPlaneRole, s.Pools[0].Role = awsProfile(controlRole), awsProfile(poolRole)
		s.Encryption.Keys = []string{awsKeyName}
		for i := range s.ControlPlanes {
			s.ControlPlanes[i].Device = selfmanaged.EBSDevice(fmt.Sprintf("vol-0aaaaaaaaaaaaaaa%d", i+1))
		}
		s.Node.Surroundings.Services = append(s.Node.Surroundings.Services,
			hostconfig.Service{Name: "cloud", CIDRs: []string{cloudAddress + "/32"}, Reason: "the cloud's endpoints"})
	},
	rights: awsRights,
	instance: func(number int, i *fakecloud.Instance) {
		i.ID, i.Zone = fmt.Sprintf("i-0123456789abcd%d00", number), awsRegion+"a"
		i.Tags = map[string]string{nodeconfig.TagCluster: "prod", "Name": i.Name}
	},
	hostName: func(number int, name string) string {
		if number <= 3 {
			return name
		}
		return "ip-" + strings.ReplaceAll(workerAddress(number-3), ".", "-") + "." + awsRegion + ".compute.internal"
	},
	balancer: LoadBalancer{Address: balancerAddress},
	cloud:    Cloud{Address: cloudAddress, Hosts: map[string]string{awsAPI: balancerAddress}},
}

func awsProfile(role string) string {
	return "arn:aws:iam::" + awsAccount + ":instance-profile/" + role
}

// statement is one of a policy document of AWS.
type statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  []string
	Condition map[string]map[string]string `json:",omitempty"`
}

func policy(statements ...statement) string {
	document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // strings alone
	}
	return string(document)
}

// awsPolicy gives the policy of a role: what the grants say and nothing else.
func (f *Fixture) awsPolicy(principal selfmanaged.Principal) []statement {
	objects := func(keys []string) []string {
		var names []string
		for _, key := range keys {
			names = append(names, "arn:aws:s3:::"+f.Spec.Store+"/"+key)
		}
		return names
	}
	read, write := f.granted(principal)
	statements := []statement{{Effect: "Allow", Action: []string{"s3:GetObject"}, Resource: objects(read)},
		// Without it a missing object is told as a refusal.
		{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{"arn:aws:s3:::" + f.Spec.Store}}}
	if len(write) > 0 {
		statements = append(statements, statement{Effect: "Allow", Action: []string{"s3:PutObject"}, Resource: objects(write)})
	}
	return statements
}

func awsRights(f *Fixture) error {
	planes := append(f.awsPolicy(selfmanaged.ControlPlanes),
		statement{Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject"}, Resource: []string{"arn:aws:s3:::" + fixtureBackups + "/*"}},
		statement{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{"arn:aws:s3:::" + fixtureBackups, "arn:aws:s3:::" + fixtureAudit}},
		statement{Effect: "Allow", Action: []string{"s3:PutObject"}, Resource: []string{"arn:aws:s3:::" + fixtureAudit + "/" + nodeconfig.AuditLogPrefix + "*"}},
		statement{Effect: "Allow", Action: []string{"kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"}, Resource: []string{awsKeyName}},
		statement{Effect: "Allow", Action: []string{"ec2:DescribeInstances", "autoscaling:DescribeAutoScalingInstances", "autoscaling:CompleteLifecycleAction"}, Resource: []string{"*"}},
		statement{Effect: "Allow", Action: []string{"autoscaling:SetInstanceHealth"}, Resource: []string{"arn:aws:autoscaling:" + awsRegion + ":" + awsAccount + ":autoScalingGroup:*:autoScalingGroupName/" + poolRole}})
	root := map[string]string{"AWS": "arn:aws:iam::" + awsAccount + ":root"}
	c := f.Cloud
	return firstError(
		func() error {
			return c.AddRole(fakecloud.Role{Name: controlRole, Policies: []string{policy(planes...)}})
		},
		func() error {
			return c.AddRole(fakecloud.Role{Name: poolRole, Policies: []string{policy(f.awsPolicy(selfmanaged.PoolPrincipal(fixturePool))...)}})
		},
		func() error {
			return c.AddKey(fakecloud.Key{ID: awsKey, Policy: policy(statement{Effect: "Allow", Principal: root, Action: []string{"kms:*"}, Resource: []string{"*"}})})
		},
		func() error { return c.AddBucket(fakecloud.Bucket{Name: fixtureStore, Versioned: true}) },
		func() error {
			return c.AddBucket(fakecloud.Bucket{Name: fixtureBackups, Versioned: true, LockedFor: 24 * time.Hour})
		},
		func() error {
			once := statement{Effect: "Deny", Principal: map[string]string{"AWS": "*"}, Action: []string{"s3:PutObject"}, Resource: []string{"arn:aws:s3:::" + fixtureAudit + "/*"},
				Condition: map[string]map[string]string{"Null": {"s3:if-none-match": "true"}}}
			return c.AddBucket(fakecloud.Bucket{Name: fixtureAudit, Versioned: true, LockedFor: 24 * time.Hour, Policy: policy(once)})
		},
	)
}

// firstError makes steps until one fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
