package aws

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// archive is what tells that the control plane's logs do not get into the archive:
// what is not there yet can be altered, and what cannot be delivered for a day is
// lost.
//
// https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch-Logs-Monitoring-CloudWatch-Metrics.html
func (a DetectionArgs) archive() []watch {
	if a.AuditStreamName == nil {
		return nil
	}
	stream := a.AuditStreamName.ToStringOutput().ApplyT(func(name string) (string, error) {
		if name == "" {
			return "", fmt.Errorf("auditStreamName: is empty: there is no stream; leave it out")
		}
		return name, nil
	}).(pulumi.StringOutput)
	return []watch{
		{name: "archive-late", reason: "logs of the control plane wait for a quarter of an hour to get into the archive", controls: "M39 M38",
			namespace: pulumi.String("AWS/Firehose"), metric: pulumi.String("DeliveryToS3.DataFreshness"), statistic: "Maximum", threshold: 900, period: 300,
			dimensions: pulumi.StringMap{"DeliveryStreamName": stream}},
		{name: "archive-undelivered", reason: "logs of the control plane do not get onto the way to the archive", controls: "M39 M38",
			namespace: pulumi.String("AWS/Logs"), metric: pulumi.String("DeliveryErrors"), statistic: "Sum", threshold: 1, period: 300,
			dimensions: pulumi.StringMap{"LogGroupName": a.ClusterLogGroupName, "DestinationType": pulumi.String("Firehose"), "FilterName": stream}},
	}
}
