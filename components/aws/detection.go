package aws

import (
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Detection is what people hear of: alarms on suspicious events in the audit logs
// of the cluster, in the trail of the account and in the flows of the network
// (M39, M33), on the use of roles for emergencies (M41), on an archive that gets nothing (M38), and findings of
// GuardDuty (M29).
//
// It registers an alarm for each event of its tables. Whoever deploys the
// environment raises some of them by what they deploy.
type Detection struct {
	pulumi.ResourceState

	// TopicArn is where all of it goes, once alarms and findings may be published.
	TopicArn pulumi.StringOutput `pulumi:"topicArn"`
	// DetectorID is that of GuardDuty; empty without it.
	DetectorID pulumi.StringOutput `pulumi:"detectorId"`
	// AlarmNames are the names of all alarms.
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
	var names pulumi.StringArray
	for _, e := range a.events() {
		alarm, err := d.newCount(ctx, name, a, e)
		if err != nil {
			return nil, err
		}
		names = append(names, alarm.Name)
	}
	for _, w := range a.archive() {
		alarm, err := d.newAlarm(ctx, name, a, w)
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
	candidates := slices.Concat(auditEvents, accountEvents, flowEvents)
	if a.BreakGlassArns != nil {
		candidates = append(candidates, breakGlassEvents...)
	}
	return slices.DeleteFunc(candidates, func(e event) bool { return a.group(e) == nil })
}

// group is where an event is looked for; nil where there are no such logs.
func (a DetectionArgs) group(e event) pulumi.StringInput {
	return map[string]pulumi.StringInput{inAudit: a.ClusterLogGroupName, inTrail: a.TrailLogGroupName, inFlows: a.FlowLogGroupName}[e.in]
}

// alarmName is the name of the alarm of an event.
func alarmName(cluster, event string) string { return cluster + "-" + event }

// watch is a metric that raises an alarm.
type watch struct {
	name, reason, controls string
	namespace, metric      pulumi.StringInput
	dimensions             pulumi.StringMap
	statistic              string
	// threshold is what the statistic of period seconds must not reach.
	threshold, period int
}

// newCount counts an event and raises an alarm.
func (d *Detection) newCount(ctx *pulumi.Context, name string, a DetectionArgs, e event) (*cloudwatch.MetricAlarm, error) {
	var pattern pulumi.StringInput = pulumi.String(e.pattern)
	if e.pattern == "" {
		pattern = a.BreakGlassArns.ToStringArrayOutput().ApplyT(func(arns []string) (string, error) { return breakGlassPattern(e.name, arns) }).(pulumi.StringOutput)
	}
	filter, err := cloudwatch.NewLogMetricFilter(ctx, name+"-"+e.name, &cloudwatch.LogMetricFilterArgs{
		Name: pulumi.String(alarmName(a.Cluster, e.name)), Pattern: pattern,
		LogGroupName: a.group(e).ToStringOutput().ApplyT(func(group string) (string, error) { return group, groupNameProblem(group) }).(pulumi.StringOutput),
		MetricTransformation: cloudwatch.LogMetricFilterMetricTransformationArgs{
			Namespace: pulumi.String("Redoubt/" + a.Cluster), Name: pulumi.String(e.name), Value: pulumi.String("1"),
		},
	}, pulumi.Parent(d))
	if err != nil {
		return nil, err
	}
	// Through the filter's own outputs: the alarm watches what is counted.
	metric := filter.MetricTransformation
	return d.newAlarm(ctx, name, a, watch{name: e.name, reason: e.reason, controls: e.controls, namespace: metric.Namespace(), metric: metric.Name(),
		statistic: "Sum", threshold: e.threshold, period: e.period})
}

func (d *Detection) newAlarm(ctx *pulumi.Context, name string, a DetectionArgs, w watch) (*cloudwatch.MetricAlarm, error) {
	full := alarmName(a.Cluster, w.name)
	return cloudwatch.NewMetricAlarm(ctx, name+"-"+w.name, &cloudwatch.MetricAlarmArgs{
		Name: pulumi.String(full), AlarmDescription: pulumi.String(fmt.Sprintf("%s: %s (%s)", a.Cluster, w.reason, w.controls)),
		Namespace: w.namespace.ToStringOutput().ToStringPtrOutput(), MetricName: w.metric.ToStringOutput().ToStringPtrOutput(), Dimensions: w.dimensions,
		Statistic: pulumi.String(w.statistic), Period: pulumi.Int(w.period), EvaluationPeriods: pulumi.Int(1),
		ComparisonOperator: pulumi.String("GreaterThanOrEqualToThreshold"), Threshold: pulumi.Float64(w.threshold),
		// No events, no data: that is how it should be.
		TreatMissingData: pulumi.String("notBreaching"),
		AlarmActions:     pulumi.Array{d.TopicArn}, OkActions: pulumi.Array{d.TopicArn}, Tags: tagged(a.Tags, a.Cluster, full),
	}, pulumi.Parent(d))
}
