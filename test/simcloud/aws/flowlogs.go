package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// flowLogTypes are flow logs: https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html
func flowLogTypes() []*simcloud.ResourceType {
	t := kind(flowLog, ec2.FlowLogArgs{}, ec2.FlowLog{})
	t.Defaults = simcloud.Values{"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600}
	t.Replace = []string{"deliverCrossAccountRole", "destinationOptions", "eniId", "iamRoleArn", "logDestination", "logDestinationType", "logFormat",
		"logGroupName", "maxAggregationInterval", "subnetId", "trafficType", "transitGatewayAttachmentId", "transitGatewayId", "vpcId"}
	t.References = []simcloud.Reference{toVPC("vpcId"), toSubnet("subnetId"), by(to("iamRoleArn", "InvalidParameter", "Unable to assume given IAM role %s", role), "arn")}
	t.References[2].Patience = seconds(120)
	t.Check = func(p *simcloud.Plan) {
		exactlyOne(p, []string{"vpcId", "subnetId", "eniId", "transitGatewayId", "transitGatewayAttachmentId"})
		oneOf(p, "logDestinationType", "cloud-watch-logs", "s3", "kinesis-data-firehose")
		oneOf(p, "maxAggregationInterval", 60, 600)
		oneOf(p, "trafficType", "ACCEPT", "REJECT", "ALL")
		if p.Values.Has("logDestination") && p.Values.Has("logGroupName") {
			p.Add("logDestination", "conflicts with logGroupName")
		}
		if !p.Values.Has("trafficType") && (p.Values.Has("vpcId") || p.Values.Has("subnetId")) {
			p.Add("trafficType", "trafficType is required for a VPC, subnet or interface")
		}
	}
	t.Create = createFlowLog
	return []*simcloud.ResourceType{t}
}

func createFlowLog(c *simcloud.Change) error {
	destination := c.New.String("logDestination")
	switch c.New.String("logDestinationType") {
	case "cloud-watch-logs":
		if !c.New.Has("iamRoleArn") {
			return errorf("InvalidParameter", "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs")
		}
		if !trusts(c.Cloud, c.New.String("iamRoleArn"), "vpc-flow-logs.amazonaws.com", "sts:AssumeRole") {
			return errorf("InvalidParameter", "Unable to assume given IAM role")
		}
		name := strings.TrimSuffix(strings.TrimPrefix(destination, arn("logs", c.Scope, "log-group:")), ":*")
		if destination == "" {
			name = c.New.String("logGroupName")
			c.Out["logDestination"] = arn("logs", c.Scope, "log-group:"+name)
		}
		if c.Cloud.Get(c.Scope, logGroup, name) == nil {
			return errorf("InvalidParameter", "Unknown error: the log group %s does not exist, and a flow log that made it would leave it without a key and without an end", name)
		}
	case "s3":
		name, _, _ := strings.Cut(strings.TrimPrefix(destination, "arn:aws:s3:::"), "/")
		if c.Cloud.Get(c.Scope, bucket, name) == nil {
			return errorf("InvalidParameter", "LogDestination: %s does not exist", destination)
		}
		if c.New.Has("iamRoleArn") {
			return errorf("InvalidParameter", "DeliverLogsPermissionArn is not applicable for s3 delivery")
		}
	}
	for _, other := range c.Cloud.Find(c.Scope, flowLog, nil) {
		same := true
		for _, name := range []string{"vpcId", "subnetId", "logDestination", "logGroupName", "trafficType"} {
			same = same && other.Inputs.String(name) == c.New.String(name)
		}
		if same {
			return errorf("FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination.")
		}
	}
	c.ID = id(c, "fl")
	c.Out["arn"] = arn("ec2", c.Scope, "vpc-flow-log/"+c.ID)
	if !c.New.Has("logFormat") {
		c.Out["logFormat"] = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
	}
	return nil
}
