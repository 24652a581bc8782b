package gcp

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/logging"
	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// DetectionArgs describes what people hear of. Project, Cluster and Channels are
// required.
type DetectionArgs struct {
	Project Project `pulumi:"project"`
	// Cluster is the name of the cluster: at most 24 characters.
	Cluster string `pulumi:"cluster"`
	// Channels are those of Cloud Monitoring that tell people:
	// projects/<project>/notificationChannels/<number>.
	Channels pulumi.StringArrayInput `pulumi:"channels"`
	// BreakGlass are the service accounts of the entries of [GkeClusterArgs] with
	// that role, as there: records name them.
	BreakGlass []string `pulumi:"breakGlass,optional"`
	// Without are events that nobody should hear of, by name. Each needs an exception
	// for M39/alarms.
	Without    []string          `pulumi:"without,optional"`
	Labels     map[string]string `pulumi:"labels,optional"`
	Exceptions []hostconfig.Exception
}

var channelPattern = regexp.MustCompile(`^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/notificationChannels/[0-9]+$`)

// events are all that the arguments ask for, those that are left out too.
func (a DetectionArgs) events() []event {
	events := slices.Concat(clusterEvents(a.Project, a.Cluster), projectEvents)
	if len(a.BreakGlass) == 0 {
		return events
	}
	var emails []string
	for _, member := range a.BreakGlass {
		emails = append(emails, strings.TrimPrefix(member, "serviceAccount:"))
	}
	return append(events, breakGlassEvent(emails))
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a DetectionArgs) Validate(now time.Time) error {
	var p problems
	p.project("project", a.Project)
	p.cluster("cluster", a.Cluster)
	p.required("channels", a.Channels, "give those that tell the people on duty")
	if known, ok := a.Channels.(pulumi.StringArray); ok {
		if len(known) == 0 {
			p.add("channels", "are missing: nobody would hear of anything", "give those that tell the people on duty")
		}
		for i, each := range known {
			p.known(fmt.Sprintf("channels[%d]", i), each, channelPattern, "is not a channel", "write projects/<project>/notificationChannels/<number>")
		}
	}
	for i, member := range a.BreakGlass {
		email, isAccount := strings.CutPrefix(member, "serviceAccount:")
		if !isAccount || !accountPattern.MatchString(email) {
			p.add(fmt.Sprintf("breakGlass[%d]", i), fmt.Sprintf("%q is no service account", member), "write serviceAccount: and its address")
		}
	}
	for i, name := range a.Without {
		at := fmt.Sprintf("without[%d]", i)
		if !slices.ContainsFunc(a.events(), func(e event) bool { return e.name == name }) {
			p.add(at, fmt.Sprintf("%q is no event", name), "leave it out")
		} else {
			p.weakens(at, "nobody hears of "+name, "M39/alarms", a.Exceptions)
		}
	}
	p.labels("labels", a.Labels)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// Detection is a metric and an alert for each event that people should hear of
// (M39). The metric counts, by who did it; the alert comes with the first record
// itself, and not minutes later with the metric.
type Detection struct {
	pulumi.ResourceState

	// Alerts are the alert policies by the name of the event.
	Alerts pulumi.StringMapOutput `pulumi:"alerts"`
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
	alerts := pulumi.StringMap{}
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
		alert, err := a.alert(ctx, name, e, pulumi.Parent(d))
		if err != nil {
			return nil, err
		}
		alerts[e.name] = alert.ID()
	}
	d.Alerts = alerts.ToStringMapOutput()
	return d, ctx.RegisterResourceOutputs(d, pulumi.Map{"alerts": d.Alerts})
}

func (a DetectionArgs) alert(ctx *pulumi.Context, name string, e event, opts ...pulumi.ResourceOption) (*monitoring.AlertPolicy, error) {
	severity := "WARNING"
	if e.critical {
		severity = "CRITICAL"
	}
	return monitoring.NewAlertPolicy(ctx, name+"-"+e.name, &monitoring.AlertPolicyArgs{
		Project: pulumi.String(a.Project.ID), DisplayName: pulumi.String(a.Cluster + "-" + e.name), Combiner: pulumi.String("OR"), Enabled: pulumi.Bool(true), Severity: pulumi.String(severity),
		Conditions: monitoring.AlertPolicyConditionArray{monitoring.AlertPolicyConditionArgs{DisplayName: pulumi.String(e.name),
			ConditionMatchedLog: monitoring.AlertPolicyConditionConditionMatchedLogArgs{Filter: pulumi.String(e.filter),
				LabelExtractors: pulumi.StringMap{"who": pulumi.String("EXTRACT(" + caller + ")")}}}},
		NotificationChannels: a.Channels,
		// The shortest there is: a flood of records is told of once.
		AlertStrategy: monitoring.AlertPolicyAlertStrategyArgs{AutoClose: pulumi.String("86400s"),
			NotificationRateLimit: monitoring.AlertPolicyAlertStrategyNotificationRateLimitArgs{Period: pulumi.String("300s")}},
		Documentation: monitoring.AlertPolicyDocumentationArgs{MimeType: pulumi.String("text/markdown"),
			Content: pulumi.String(fmt.Sprintf("In the cluster %s: %s.\n\nControls: %s. Described in: %s.", a.Cluster, e.reason, e.controls, e.source))},
		UserLabels: labelled(a.Labels, a.Cluster),
	}, opts...)
}
