package gcp

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/monitoring"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var (
	userMetric = regexp.MustCompile(`metric\.type\s*=\s*"logging\.googleapis\.com/user/([^"]+)"`)
	metricType = regexp.MustCompile(`metric\.type\s*=|metric\.type\s*=\s*one_of`)
	conditions = []string{"conditionThreshold", "conditionAbsent", "conditionMatchedLog", "conditionMonitoringQueryLanguage", "conditionPrometheusQueryLanguage"}
	// channelTypes are ways to tell people, and the label without which each is of no use.
	channelTypes = map[string]string{"email": "email_address", "pubsub": "topic", "webhook_tokenauth": "url", "webhook_basicauth": "url", "slack": "channel_name",
		"pagerduty": "", "sms": "number", "google_chat": "space", "webhook": "url"}
)

// monitoringTypes are alerts and whom they reach: https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.alertPolicies
func monitoringTypes() []*simcloud.ResourceType {
	a := kind(alertPolicy, "projects/{project}/alertPolicies/{name}", monitoring.AlertPolicyArgs{}, monitoring.AlertPolicy{}, "conditions")
	a.Defaults = simcloud.Values{"enabled": true}
	a.Check = checkAlert
	judged(a, func(c *simcloud.Change) error {
		c.ID = "projects/" + placeOf(c.Scope, c.New).project + "/alertPolicies/" + digits(c.Cloud, "alert", 19)
		c.Out["name"] = c.ID
		return judgeAlert(c)
	}, judgeAlert)

	n := kind(notificationChannel, "projects/{project}/notificationChannels/{name}", monitoring.NotificationChannelArgs{}, monitoring.NotificationChannel{})
	n.Defaults = simcloud.Values{"enabled": true, "forceDelete": false}
	n.Replace = append(n.Replace, "type")
	n.Check = func(p *simcloud.Plan) {
		kind := p.Values.String("type")
		label, known := channelTypes[kind]
		switch {
		case kind == "":
		case !known:
			p.Add("type", fmt.Sprintf("%q is not a type of notification channel", kind))
		case label != "" && p.Values.Known("labels") && !p.Values.Has("labels."+label):
			p.Add("labels", fmt.Sprintf("Field \"notification_channel.labels\" must have %q for channels of type %s", label, kind))
		}
	}
	judged(n, func(c *simcloud.Change) error {
		c.ID = "projects/" + placeOf(c.Scope, c.New).project + "/notificationChannels/" + digits(c.Cloud, "channel", 19)
		c.Out["name"], c.Out["verificationStatus"] = c.ID, ""
		return judgeChannel(c)
	}, judgeChannel)
	n.InUse = func(o, by *simcloud.Object) *simcloud.Error {
		return badRequest("Cannot delete notification channel %s: it is used by alert policy %s.", o.ID, by.ID)
	}
	a.References = []simcloud.Reference{holding(to("notificationChannels[]", notificationChannel, "{name}"))}
	return []*simcloud.ResourceType{a, n}
}

func judgeChannel(c *simcloud.Change) error {
	if c.New.String("type") == "pubsub" && c.Cloud.Get("", topic, c.New.Texts("labels")["topic"]) == nil {
		return badRequest("Field \"notification_channel.labels['topic']\" had an invalid value of \"%s\": the topic does not exist.", c.New.Texts("labels")["topic"])
	}
	return nil
}

func checkAlert(p *simcloud.Plan) {
	v := p.Values
	p.OneOf("combiner", "AND", "OR", "AND_WITH_MATCHING_RESOURCE")
	p.OneOf("severity", "CRITICAL", "ERROR", "WARNING")
	if v.Known("conditions") && len(v.List("conditions")) == 0 {
		p.Add("conditions", "at least 1 condition is required")
	}
	for i := range v.List("conditions") {
		at := fmt.Sprintf("conditions[%d].", i)
		names := make([]string, len(conditions))
		for j, name := range conditions {
			names[j] = at + name
		}
		p.ExactlyOne(names...)
		p.OneOf(at+"conditionThreshold.comparison", "COMPARISON_GT", "COMPARISON_GE", "COMPARISON_LT", "COMPARISON_LE", "COMPARISON_EQ", "COMPARISON_NE")
	}
}

func judgeAlert(c *simcloud.Change) error {
	list := c.New.List("conditions")
	for i, each := range list {
		field := fmt.Sprintf("alert_policy.conditions[%d]", i)
		for _, name := range conditions[:2] {
			if !each.Has(name) {
				continue
			}
			if text := each.String(name + ".duration"); secondsOf(text) < 0 || math.Mod(secondsOf(text), 60) != 0 {
				return badRequest("Field %s.duration had an invalid value of \"%s\": must be a multiple of 60 seconds.", field, text)
			}
			filter := each.String(name + ".filter")
			if !metricType.MatchString(filter) {
				return badRequest("Field %s.filter had an invalid value of \"%s\": must specify a restriction on \"metric.type\" in the filter.", field, filter)
			}
			for _, found := range userMetric.FindAllStringSubmatch(filter, -1) {
				if c.Cloud.Get("", metric, found[1]) == nil {
					return coded(404, "notFound", "Cannot find metric that matches type = \"logging.googleapis.com/user/%s\". If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon.", found[1])
				}
			}
			if !strings.Contains(filter, "resource.type") {
				return badRequest("Field %s.filter had an invalid value of \"%s\": must specify a restriction on \"resource.type\" in the filter.", field, filter)
			}
		}
		if each.Has("conditionMatchedLog") {
			if len(list) > 1 {
				return badRequest("Field alert_policy.conditions had an invalid value: a policy with a log match condition has no other conditions.")
			}
			if !c.New.Has("alertStrategy.notificationRateLimit") {
				return badRequest("Field alert_policy.alert_strategy.notification_rate_limit had an invalid value: required for log match conditions.")
			}
		} else if c.New.Has("alertStrategy.notificationRateLimit") && !slices.ContainsFunc(list, func(v simcloud.Values) bool { return v.Has("conditionMatchedLog") }) {
			return badRequest("Field alert_policy.alert_strategy.notification_rate_limit had an invalid value: only log match conditions may have one.")
		}
	}
	return nil
}
