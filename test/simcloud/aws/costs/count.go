package costs

import (
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// volumes are what is paid by what goes through it.
var volumes = []struct{ token, thing, by string }{
	{"aws:ec2/natGateway:NatGateway", "NAT gateway", "each GB that goes through it, on top of what leaves AWS"},
	{"aws:ec2/vpcEndpoint:VpcEndpoint", "endpoint", "each GB that goes through one that is no gateway"},
	{"aws:ec2/flowLog:FlowLog", "flow log", "each GB delivered: one record for each connection and interval"},
	{"aws:cloudwatch/logGroup:LogGroup", "log group", "each GB taken in, then each GB-month kept until its retention ends"},
	{"aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig", "DNS query log", "each GB delivered"},
	{"aws:cloudtrail/trail:Trail", "CloudTrail trail", "each event of data, and of management beyond the account's first copy"},
	{"aws:guardduty/detector:Detector", "GuardDuty detector", "each event and GB of logs looked at"},
	{"aws:guardduty/detectorFeature:DetectorFeature", "GuardDuty feature", "each event looked at, each vCPU watched at run time"},
	{"aws:s3/bucketV2:BucketV2", "bucket", "each GB-month and request; what is locked cannot be deleted to save"},
	{"aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "Firehose stream", "each GB taken in, records rounded up to 5 KB"},
	{"aws:ecr/repository:Repository", "image repository", "each GB-month of images, each scan"},
	{"aws:kms/key:Key", "KMS key", "each request beyond the account's first 20,000 a month; a dollar more for each of the first two rotations"},
	{"aws:ec2clientvpn/endpoint:Endpoint", "Client VPN endpoint", "each hour of each connection"},
	{"aws:eks/nodeGroup:NodeGroup", "node group", "what leaves its zone, each GB"},
}

// fixed counts what costs as long as it exists.
func fixed(objects []simcloud.Object) map[string]int {
	count := map[string]int{}
	for _, o := range objects {
		switch o.Type {
		case "aws:ec2/vpcEndpoint:VpcEndpoint":
			switch o.State.String("vpcEndpointType") {
			case "Interface":
				count[interfaceEndpoint] += len(o.State.Strings("subnetIds")) // one subnet of each zone
			case "GatewayLoadBalancer":
				count[balancerEndpoint] += len(o.State.Strings("subnetIds"))
			}
		case "aws:ec2/natGateway:NatGateway":
			count[natGateway]++
		case "aws:ec2/eip:Eip": // also those of NAT gateways, and those that nothing uses
			count[publicAddress]++
		case "aws:eks/cluster:Cluster":
			count[controlPlane]++
		case "aws:kms/key:Key":
			count[key]++
		case "aws:ec2clientvpn/networkAssociation:NetworkAssociation":
			count[vpnAssociation]++
		case "aws:cloudwatch/metricAlarm:MetricAlarm":
			count[alarm]++
		case "aws:eks/nodeGroup:NodeGroup":
			count[disk] += size(o) * disks(objects, o)
		}
	}
	return count
}

// size is how many nodes a group has: those it is made with, and at least its least.
func size(group simcloud.Object) int {
	return max(group.State.Int("scalingConfig.desiredSize"), group.State.Int("scalingConfig.minSize"))
}

// disks is the size of a node's gp3 disks in GiB, as its launch template says.
func disks(objects []simcloud.Object, group simcloud.Object) (total int) {
	for _, o := range objects {
		if o.Type != "aws:ec2/launchTemplate:LaunchTemplate" || o.ID != group.State.String("launchTemplate.id") {
			continue
		}
		for _, device := range o.State.List("blockDeviceMappings") {
			if device.String("ebs.volumeType") == "gp3" {
				total += device.Int("ebs.volumeSize")
			}
		}
	}
	return total
}

// spot marks machines that AWS may take back, whose price moves.
const spot = " (spot)"

// nodes counts machines by type: of several types a group may have, AWS prefers the first.
func nodes(objects []simcloud.Object) map[string]int {
	count := map[string]int{}
	for _, o := range objects {
		if o.Type != "aws:eks/nodeGroup:NodeGroup" {
			continue
		}
		kind := "of an unknown type"
		if types := o.State.Strings("instanceTypes"); len(types) > 0 {
			kind = types[0]
		}
		if o.State.String("capacityType") == "SPOT" {
			kind += spot
		}
		count[kind] += size(o)
	}
	return count
}
