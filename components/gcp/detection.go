package gcp

import (
	"fmt"
	"slices"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Detection is a metric and an alert for each event that people should hear of
// (M39). The metric counts, by who did it; the alert comes with the first record
// itself, and not minutes later with the metric.
type Detection struct {
	pulumi.ResourceState

	// AlarmNames are the names of all alarms.
	AlarmNames pulumi.StringArrayOutput `pulumi:"alarmNames"`
}

// NewDetection registers metrics and alerts. The arguments are checked, all at
// once, before anything is registered.
func NewDetection(ctx *pulumi.Context, name string, args *DetectionArgs, opts ...pulumi.ResourceOption) (*Detection, error) {
	a := *args
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	d := &Detection{}
	if err := ctx.RegisterComponentResource(detectionToken, name, d, opts...); err != nil {
		return nil, err
	}
	channels, err := a.channels(ctx, name, pulumi.Parent(d))
	if err != nil {
		return nil, err
	}
	var names pulumi.StringArray
	for _, e := range a.events() {
		if slices.Contains(a.Without, e.name) {
			continue
		}
		if _, err := logging.NewMetric(ctx, name+"-"+e.name, &logging.MetricArgs{
			Project: pulumi.String(a.Project.ID), Name: pulumi.String(a.Cluster + "-" + e.name), Description: pulumi.String(e.reason), Filter: pulumi.String(e.filter),
			MetricDescriptor: logging.MetricMetricDescriptorArgs{MetricKind: pulumi.String("DELTA"), ValueType: pulumi.String("INT64"), Unit: pulumi.String("1"),
				Labels: logging.MetricMetricDescriptorLabelArray{logging.MetricMetricDescriptorLabelArgs{Key: pulumi.String("who"), ValueType: pulumi.String("STRING")}}},
			LabelExtractors: pulumi.StringMap{"who": pulumi.String("EXTRACT(" + caller + ")")},
		}, pulumi.Parent(d)); err != nil {
			return nil, err
		}
		alert, err := a.alert(ctx, name, e, channels, a.onRecord(e), pulumi.Parent(d))
		if err != nil {
			return nil, err
		}
		names = append(names, alert.DisplayName)
	}
	if a.Archive {
		alert, err := a.alert(ctx, name, archiveSilent, channels, a.onSilence(), pulumi.Parent(d))
		if err != nil {
			return nil, err
		}
		names = append(names, alert.DisplayName)
	}
	d.AlarmNames = names.ToStringArrayOutput()
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"alarmNames": d.AlarmNames})
}

// channels are those that were given, and one for each address.
func (a DetectionArgs) channels(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) (pulumi.StringArrayInput, error) {
	var own pulumi.StringArray
	for i, email := range a.Emails {
		channel, err := monitoring.NewNotificationChannel(ctx, fmt.Sprintf("%s-email-%d", name, i), &monitoring.NotificationChannelArgs{
			Project: pulumi.String(a.Project.ID), Type: pulumi.String("email"), DisplayName: pulumi.String(a.Cluster + ": " + email), Enabled: pulumi.Bool(true),
			Labels: pulumi.StringMap{"email_address": pulumi.String(email)}, UserLabels: labelled(a.Labels, a.Cluster),
		}, opts...)
		if err != nil {
			return nil, err
		}
		own = append(own, channel.ID())
	}
	if a.Channels == nil {
		return own, nil
	}
	return pulumi.All(a.Channels, own).ApplyT(func(all []any) []string {
		return slices.Concat(all[0].([]string), all[1].([]string))
	}).(pulumi.StringArrayOutput), nil
}

// archiveSilent is what an intruder does first, or a permission that was lost.
var archiveSilent = event{name: "archive-silent", critical: true, controls: "M39 M38", source: "https://cloud.google.com/logging/docs/export/configure_export_v2",
	reason: "nothing got into the archive of logs for an hour"}

// onSilence holds when the sink of the archive writes nothing. The flows of any
// network give it something every few seconds.
func (a DetectionArgs) onSilence() condition {
	return condition{AlertPolicyConditionArgs: monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String(archiveSilent.name),
		ConditionAbsent: monitoring.AlertPolicyConditionConditionAbsentArgs{Duration: pulumi.String("3600s"),
			Filter: pulumi.String(fmt.Sprintf(`metric.type="logging.googleapis.com/exports/log_entry_count" AND resource.type="logging_sink" AND resource.labels.name=%q`, archiveSink(a.Cluster))),
			Aggregations: monitoring.AlertPolicyConditionConditionAbsentAggregationArray{monitoring.AlertPolicyConditionConditionAbsentAggregationArgs{
				AlignmentPeriod: pulumi.String("300s"), PerSeriesAligner: pulumi.String("ALIGN_DELTA")}}}}}
}

// onRecord holds with each record of the event. The shortest limit there is: a
// flood of records is told of once.
func (a DetectionArgs) onRecord(e event) condition {
	return condition{limit: "300s", AlertPolicyConditionArgs: monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String(e.name),
		ConditionMatchedLog: monitoring.AlertPolicyConditionConditionMatchedLogArgs{Filter: pulumi.String(e.filter),
			LabelExtractors: pulumi.StringMap{"who": pulumi.String("EXTRACT(" + caller + ")")}}}}
}

// condition is when an alert is raised; limit is how long it is silent after, of
// records only.
type condition struct {
	monitoring.AlertPolicyConditionArgs
	limit string
}

func (a DetectionArgs) alert(ctx *pulumi.Context, name string, e event, channels pulumi.StringArrayInput, c condition, opts ...pulumi.ResourceOption) (*monitoring.AlertPolicy, error) {
	severity := "WARNING"
	if e.critical {
		severity = "CRITICAL"
	}
	strategy := monitoring.AlertPolicyAlertStrategyArgs{AutoClose: pulumi.String("86400s")}
	if c.limit != "" {
		strategy.NotificationRateLimit = monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs{Period: pulumi.String(c.limit)}
	}
	return monitoring.NewAlertPolicy(ctx, name+"-"+e.name, &monitoring.AlertPolicyArgs{
		Project: pulumi.String(a.Project.ID), DisplayName: pulumi.String(a.Cluster + "-" + e.name), Combiner: pulumi.String("OR"), Enabled: pulumi.Bool(true),
		Severity: pulumi.String(severity), Conditions: monitoring.AlertPolicyConditionArray{c.AlertPolicyConditionArgs}, NotificationChannels: channels, AlertStrategy: strategy,
		Documentation: monitoring.AlertPolicyDocumentationArgs{MimeType: pulumi.String("text/markdown"),
			Content: pulumi.String(fmt.Sprintf("In the cluster %s: %s.\n\nControls: %s. Described in: %s.", a.Cluster, e.reason, e.controls, e.source))},
		UserLabels: labelled(a.Labels, a.Cluster),
	}, opts...)
}
