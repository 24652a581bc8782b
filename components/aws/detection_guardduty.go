package aws

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/guardduty"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// findings of medium severity and more: 4 to 10.
// https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html
const findings = `{"detail":{"severity":[{"numeric":[">=",4]}]},"detail-type":["GuardDuty Finding"],"source":["aws.guardduty"]}`

// newGuardDuty registers the detector, unless there is one, what it looks at, and
// the way of its findings to the topic (M29).
func (d *Detection) newGuardDuty(ctx *pulumi.Context, name string, a DetectionArgs) error {
	d.DetectorID = pulumi.String(a.GuardDuty.DetectorID).ToStringOutput()
	if a.GuardDuty.DetectorID == "" {
		detector, err := guardduty.NewDetector(ctx, name, &guardduty.DetectorArgs{Enable: pulumi.Bool(true),
			FindingPublishingFrequency: pulumi.String("FIFTEEN_MINUTES"), Tags: tagged(a.Tags, a.Cluster, a.Cluster+"-guardduty")}, pulumi.Parent(d))
		if err != nil {
			return err
		}
		d.DetectorID = detector.ID().ToStringOutput()
	}
	if err := d.newFeature(ctx, name, "EKS_AUDIT_LOGS", nil); err != nil {
		return err
	}
	if a.GuardDuty.RuntimeMonitoring {
		// Not EKS_RUNTIME_MONITORING: the two exclude each other.
		if err := d.newFeature(ctx, name, "RUNTIME_MONITORING", guardduty.DetectorFeatureAdditionalConfigurationArray{
			guardduty.DetectorFeatureAdditionalConfigurationArgs{Name: pulumi.String("EKS_ADDON_MANAGEMENT"), Status: status(a.GuardDuty.EksManagesAgent)},
		}); err != nil {
			return err
		}
	}
	rule, err := cloudwatch.NewEventRule(ctx, name+"-findings", &cloudwatch.EventRuleArgs{
		Name: pulumi.String(findingsRule(a.Cluster)), Description: pulumi.String("Findings of GuardDuty of medium severity and more"),
		EventPattern: pulumi.String(findings), State: pulumi.String("ENABLED"), Tags: tagged(a.Tags, a.Cluster, findingsRule(a.Cluster)),
	}, pulumi.Parent(d))
	if err != nil {
		return err
	}
	_, err = cloudwatch.NewEventTarget(ctx, name+"-findings", &cloudwatch.EventTargetArgs{Rule: rule.Name, TargetId: pulumi.String("topic"), Arn: d.TopicArn}, pulumi.Parent(d))
	return err
}

func status(on bool) pulumi.String {
	if on {
		return "ENABLED"
	}
	return "DISABLED"
}

func (d *Detection) newFeature(ctx *pulumi.Context, name, feature string, more guardduty.DetectorFeatureAdditionalConfigurationArrayInput) error {
	_, err := guardduty.NewDetectorFeature(ctx, name+"-"+feature, &guardduty.DetectorFeatureArgs{
		DetectorId: d.DetectorID, Name: pulumi.String(feature), Status: pulumi.String("ENABLED"), AdditionalConfigurations: more,
	}, pulumi.Parent(d))
	return err
}
