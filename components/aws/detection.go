package aws

import (
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Detection is what people hear of: alarms on suspicious events in the audit logs
// of the cluster and in the trail of the account (M39), on the use of roles for
// emergencies (M41), and findings of GuardDuty (M29).
//
// It registers an alarm for each event of its tables. Whoever deploys the
// environment raises some of them by what they deploy.
type Detection struct {
	pulumi.ResourceState

	// TopicArn is where all of it goes, once alarms and findings may be published.
	TopicArn pulumi.StringOutput `pulumi:"topicArn"`
	// DetectorID is that of GuardDuty; empty without it.
	DetectorID pulumi.StringOutput `pulumi:"detectorId"`
	// AlarmNames are the names of all alarms, sorted.
	AlarmNames pulumi.StringArrayOutput `pulumi:"alarmNames"`
}

// NewDetection registers the alarms. The arguments are checked, all at once,
// before anything is registered.
func NewDetection(ctx *pulumi.Context, name string, args *DetectionArgs, opts ...pulumi.ResourceOption) (*Detection, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	d := &Detection{}
	if err := ctx.RegisterComponentResource(detectionToken, name, d, opts...); err != nil {
		return nil, err
	}
	if err := d.newTopic(ctx, name, a); err != nil {
		return nil, err
	}
	d.DetectorID = pulumi.String("").ToStringOutput()
	if a.GuardDuty != nil {
		if err := d.newGuardDuty(ctx, name, a); err != nil {
			return nil, err
		}
	}
	events := a.events()
	slices.SortFunc(events, func(x, y event) int {
		if x.name < y.name {
			return -1
		}
		return 1
	})
	var names pulumi.StringArray
	for _, e := range events {
		alarm, err := d.newAlarm(ctx, name, a, e)
		if err != nil {
			return nil, err
		}
		names = append(names, alarm.Name)
	}
	d.AlarmNames = names.ToStringArrayOutput()
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"topicArn": d.TopicArn, "detectorId": d.DetectorID, "alarmNames": d.AlarmNames})
}

// events are those of the tables for which there are logs and roles.
func (a DetectionArgs) events() []event {
	candidates := slices.Concat(auditEvents, accountEvents)
	if a.BreakGlassArns != nil {
		candidates = append(candidates, breakGlassEvents...)
	}
	return slices.DeleteFunc(candidates, func(e event) bool { return e.in == inTrail && a.TrailLogGroupName == nil })
}

// alarmName is the name of the alarm of an event.
func alarmName(cluster, event string) string { return cluster + "-" + event }

// newAlarm counts an event and raises an alarm.
func (d *Detection) newAlarm(ctx *pulumi.Context, name string, a DetectionArgs, e event) (*cloudwatch.MetricAlarm, error) {
	group := a.ClusterLogGroupName
	if e.in == inTrail {
		group = a.TrailLogGroupName
	}
	var pattern pulumi.StringInput = pulumi.String(e.pattern)
	if e.pattern == "" {
		pattern = a.BreakGlassArns.ToStringArrayOutput().ApplyT(func(arns []string) (string, error) { return breakGlassPattern(e.name, arns) }).(pulumi.StringOutput)
	}
	filter, err := cloudwatch.NewLogMetricFilter(ctx, name+"-"+e.name, &cloudwatch.LogMetricFilterArgs{
		Name: pulumi.String(alarmName(a.Cluster, e.name)), Pattern: pattern,
		LogGroupName: group.ToStringOutput().ApplyT(func(group string) (string, error) { return group, groupNameProblem(group) }).(pulumi.StringOutput),
		MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String("Redoubt/" + a.Cluster), Name: pulumi.String(e.name), Value: pulumi.String("1"),
		},
	}, pulumi.Parent(d))
	if err != nil {
		return nil, err
	}
	metric := filter.MetricTransformation
	full := alarmName(a.Cluster, e.name)
	return cloudwatch.NewMetricAlarm(ctx, name+"-"+e.name, &cloudwatch.MetricAlarmArgs{
		Name: pulumi.String(full), AlarmDescription: pulumi.String(fmt.Sprintf("%s: %s (%s)", a.Cluster, e.reason, e.controls)),
		Namespace: metric.Namespace().ToStringPtrOutput(), MetricName: metric.Name().ToStringPtrOutput(), Statistic: pulumi.String("Sum"), Period: pulumi.Int(e.period), EvaluationPeriods: pulumi.Int(1),
		ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"), Threshold: pulumi.Float64(e.threshold),
		// No events, no data: that is how it should be.
		TreatMissingData: pulumi.String("notBreaching"),
		AlarmActions:     pulumi.Array{d.TopicArn}, OkActions: pulumi.Array{d.TopicArn}, Tags: tagged(a.Tags, a.Cluster, full),
	}, pulumi.Parent(d))
}
