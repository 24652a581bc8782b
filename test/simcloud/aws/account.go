package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pulumiaws "github.com/pulumi/pulumi-aws/sdk/v6/go/aws"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Account is the simulated account. Caller is who makes the calls.
const (
	Account = "111122223333"
	Caller  = "arn:aws:iam::" + Account + ":role/deployer"
)

// Version is that of the SDK whose types are used.
const Version = "6.83.2"

// Open makes the account, with what the journal says exists.
func Open(options simcloud.Options) (*simcloud.Cloud, error) {
	return simcloud.Open(simcloud.Definition{
		Package: "aws", Version: Version, Types: types(), Functions: functions(), Latencies: latencies,
		Provider: simcloud.Inputs(pulumiaws.ProviderArgs{}), Scope: scope, Frame: frame, Complete: complete, Retries: 25,
	}, options)
}

// types are all that is modelled, a function for each service.
func types() []*simcloud.ResourceType {
	return slices.Concat(vpcTypes(), routeTypes(), natTypes(), groupTypes(), adoptedTypes(), listTypes(), endpointTypes(), flowLogTypes(), templateTypes(),
		ebsTypes(), kmsTypes(), roleTypes(), policyTypes(), identityTypes(), logTypes(), alarmTypes(), clusterTypes(), nodeGroupTypes(),
		addonTypes(), accessTypes(), ecrTypes(), guardDutyTypes(), trailTypes(), bucketTypes(), bucketSettingTypes(), queryLogTypes(),
		vpnTypes(), parameterTypes(), machineTypes(), scalingTypes(), balancerTypes(), dnsTypes(), objectTypes(), topicTypes(), ruleTypes(), streamTypes(), documentTypes())
}

// scope is the region of a provider.
func scope(config simcloud.Values) (string, error) {
	region := config.String("region")
	if region == "" {
		return "", fmt.Errorf("missing required configuration key \"aws:region\": the region where AWS operations will take place, such as eu-central-1; set it with `pulumi config set aws:region REGION`")
	}
	if _, ok := regions[region]; !ok {
		return "", fmt.Errorf("invalid AWS Region: %s (known here: %s)", region, strings.Join(slices.Sorted(maps.Keys(regions)), ", "))
	}
	allowed := config.Strings("allowedAccountIds")
	if len(allowed) > 0 && !slices.Contains(allowed, Account) || slices.Contains(config.Strings("forbiddenAccountIds"), Account) {
		return "", fmt.Errorf("AWS account ID not allowed: %s", Account)
	}
	return region, nil
}

// regions have so many zones, whose ids begin so.
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
var regions = map[string]struct {
	zones string
	id    string
}{
	"us-east-1": {"abcdef", "use1"}, "us-east-2": {"abc", "use2"}, "us-west-2": {"abcd", "usw2"}, "ca-central-1": {"abd", "cac1"},
	"eu-central-1": {"abc", "euc1"}, "eu-central-2": {"abc", "euc2"}, "eu-west-1": {"abc", "euw1"}, "eu-west-2": {"abc", "euw2"},
	"eu-west-3": {"abc", "euw3"}, "eu-north-1": {"abc", "eun1"}, "ap-southeast-2": {"abc", "apse2"}, "ap-northeast-1": {"acd", "apne1"},
}

// zoneID is the account-independent name of a zone, "" when there is no such zone.
func zoneID(zone string) string {
	region, letter := zone[:max(0, len(zone)-1)], zone[max(0, len(zone)-1):]
	r, ok := regions[region]
	if i := strings.Index(r.zones, letter); ok && letter != "" && i >= 0 {
		return fmt.Sprintf("%s-az%d", r.id, i+1)
	}
	return ""
}

// zones are those of a region, by name.
func zones(region string) []string {
	var out []string
	for _, letter := range regions[region].zones {
		out = append(out, region+string(letter))
	}
	return out
}

// services are the names under which the AWS SDK reports errors, by Pulumi module.
var services = map[string]string{
	"ec2": "EC2", "vpc": "EC2", "ec2clientvpn": "EC2", "ebs": "EC2", "kms": "KMS", "iam": "IAM", "eks": "EKS", "ecr": "ECR", "s3": "S3",
	"guardduty": "GuardDuty", "cloudtrail": "CloudTrail", "cloudwatch": "CloudWatch", "route53": "Route53Resolver", "ssm": "SSM", "index": "STS",
	"sns": "SNS", "kinesis": "Firehose", "autoscaling": "Auto Scaling", "lb": "Elastic Load Balancing v2",
}

// frame words an error as the provider does.
func frame(token string, operation simcloud.Operation, e *simcloud.Error) string {
	module, rest, _ := strings.Cut(strings.TrimPrefix(token, "aws:"), "/")
	if i := strings.Index(module, ":"); i >= 0 {
		module = module[:i]
	}
	_, kind, _ := strings.Cut(rest, ":")
	service := services[module]
	if strings.HasPrefix(kind, "Log") && module == "cloudwatch" {
		service = "CloudWatch Logs"
	}
	if module == "route53" && !strings.HasPrefix(kind, "Resolver") {
		service = "Route 53"
	}
	if strings.HasPrefix(kind, "Event") && module == "cloudwatch" {
		service = "EventBridge"
	}
	verb := map[simcloud.Operation]string{simcloud.Create: "Create", simcloud.Read: "Describe", simcloud.Update: "Modify", simcloud.Delete: "Delete"}[operation]
	if operation == simcloud.Invoke {
		kind = strings.TrimPrefix(kind, "get")
		verb = "Get"
	}
	status := e.Status
	if status == 0 {
		status = 400
	}
	sum := sha256.Sum256([]byte(token + e.Code + e.Message))
	id := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("operation error %s: %s%s, https response error StatusCode: %d, RequestID: %s-%s-%s-%s-%s, api error %s: %s",
		service, verb, kind, status, id[:8], id[8:12], id[12:16], id[16:20], id[20:], e.Code, e.Message)
}

// complete adds the tags of the provider to those of the resource.
func complete(t *simcloud.ResourceType, config, inputs, state simcloud.Values) {
	if _, tagged := t.Outputs.Fields["tagsAll"]; !tagged {
		return
	}
	all := config.Texts("defaultTags.tags")
	for key, value := range inputs.Texts("tags") {
		all[key] = value
	}
	state["tagsAll"] = all
}

// id gives the next id of a prefix: the prefix and 17 hexadecimal digits.
func id(c *simcloud.Change, prefix string) string {
	return prefix + "-" + digits(c.Cloud, prefix, 17)
}

func digits(cloud *simcloud.Cloud, sequence string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", Account, sequence, cloud.Next(sequence)))
	return hex.EncodeToString(sum[:])[:n]
}

func uuid(cloud *simcloud.Cloud, sequence string) string {
	d := digits(cloud, sequence, 32)
	return d[:8] + "-" + d[8:12] + "-4" + d[13:16] + "-a" + d[17:20] + "-" + d[20:]
}

func arn(service, region, resource string) string {
	return "arn:aws:" + service + ":" + region + ":" + Account + ":" + resource
}

// minutes of the operations that take long: simulated EKS clusters take 8 to 16 minutes in practice, interface
// endpoints 1 to 3 (in the extra time that their creation takes), NAT gateways 2.
var latencies = simcloud.Latencies{
	vpc: {Create: seconds(24), Delete: seconds(2)}, subnet: {Create: seconds(6), Delete: seconds(2)}, securityGroup: {Create: seconds(6), Delete: seconds(2)},
	internetGateway: {Create: seconds(6), Delete: seconds(12)}, natGateway: {Create: seconds(120), Delete: seconds(60)}, vpcEndpoint: {Create: seconds(6), Update: seconds(30), Delete: seconds(60)},
	flowLog: {Create: seconds(6)}, key: {Create: seconds(12), Update: seconds(12)}, role: {Create: seconds(6), Delete: seconds(6)}, policy: {Create: seconds(6)},
	rolePolicyAttachment: {Create: seconds(6)}, rolePolicy: {Create: seconds(6)}, logGroup: {Create: seconds(6)}, launchTemplate: {Create: seconds(6), Update: seconds(6)},
	cluster: {Create: seconds(600), Update: seconds(600), Delete: seconds(300)}, nodeGroup: {Create: seconds(120), Update: seconds(600), Delete: seconds(240)},
	addon: {Create: seconds(60), Update: seconds(60), Delete: seconds(12)}, accessEntry: {Create: seconds(6)}, accessPolicyAssociation: {Create: seconds(6)},
	podIdentityAssociation: {Create: seconds(6)}, vpnEndpoint: {Create: seconds(6)}, vpnAssociation: {Create: seconds(480), Delete: seconds(360)},
	repository: {Create: seconds(6)}, trail: {Create: seconds(6)}, bucket: {Create: seconds(6)}, queryLogAssociation: {Create: seconds(30), Delete: seconds(30)},
	metricFilter: {Create: seconds(1)}, metricAlarm: {Create: seconds(1)}, topic: {Create: seconds(1)}, topicPolicy: {Create: seconds(1)}, topicSubscription: {Create: seconds(1)},
	eventRule: {Create: seconds(1)}, eventTarget: {Create: seconds(1)}, deliveryStream: {Create: seconds(90), Delete: seconds(60)}, subscriptionFilter: {Create: seconds(1)},
	networkInterface: {Create: seconds(3), Delete: seconds(3)}, volume: {Create: seconds(6), Delete: seconds(6)}, volumeAttachment: {Create: seconds(6), Delete: seconds(30)},
	instance: {Create: seconds(20), Update: seconds(12), Delete: seconds(45)}, autoscalingGroup: {Create: seconds(60), Update: seconds(12), Delete: seconds(180)},
	loadBalancer: {Create: seconds(150), Delete: seconds(30)}, targetGroup: {Create: seconds(1)}, listener: {Create: seconds(1)}, targetAttachment: {Create: seconds(1), Delete: seconds(30)},
	hostedZone: {Create: seconds(42), Delete: seconds(12)}, dnsRecord: {Create: seconds(36), Update: seconds(36), Delete: seconds(36)}, bucketObject: {Create: seconds(1)},
	cidrReservation: {Create: seconds(1)}, instanceProfile: {Create: seconds(3)},
	detector: {Create: seconds(2)}, detectorFeature: {Create: seconds(1)}, ssmDocument: {Create: seconds(6), Delete: seconds(6)},
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
