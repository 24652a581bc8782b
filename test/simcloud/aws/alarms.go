package aws

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// alarmTypes are alarms: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
func alarmTypes() []*simcloud.ResourceType {
	t := kind(metricAlarm, cloudwatch.MetricAlarmArgs{}, cloudwatch.MetricAlarm{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 255}
	t.Defaults = simcloud.Values{"actionsEnabled": true, "treatMissingData": "missing"}
	t.Replace = []string{"name"}
	t.Check = func(p *simcloud.Plan) {
		oneOf(p, "comparisonOperator", "GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold",
			"LessThanLowerOrGreaterThanUpperThreshold", "LessThanLowerThreshold", "GreaterThanUpperThreshold")
		oneOf(p, "statistic", "SampleCount", "Average", "Sum", "Minimum", "Maximum")
		oneOf(p, "treatMissingData", "missing", "ignore", "breaching", "notBreaching")
		exactlyOne(p, []string{"metricName", "metricQueries"})
		if p.Values.Has("metricName") {
			exactlyOne(p, []string{"statistic", "extendedStatistic"})
			for _, name := range []string{"namespace", "period"} {
				if !p.Values.Has(name) {
					p.Add(name, "ValidationError: an alarm on a metric needs its "+name)
				}
			}
		}
		if period := p.Values.Int("period"); period != 0 && period != 10 && period != 20 && period != 30 && period%60 != 0 {
			p.Add("period", "expected period to be 10, 20, 30 or divisible by 60")
		}
		if p.Values.Int("period")*p.Values.Int("evaluationPeriods") > 7*86400 {
			p.Add("evaluationPeriods", "ValidationError: Metrics cannot be checked across more than seven days (EvaluationPeriods * Period must be <= 604800)")
		}
		for _, name := range []string{"alarmActions", "okActions", "insufficientDataActions"} {
			for _, action := range p.Values.Strings(name) {
				if !strings.HasPrefix(action, "arn:") {
					p.Add(name, "an action is an ARN, got "+action)
				}
			}
			if len(p.Values.Strings(name)) > 5 {
				p.Add(name, "Too many list items: at most 5")
			}
		}
	}
	judge := func(c *simcloud.Change) error {
		self := arn("cloudwatch", c.Scope, "alarm:"+c.New.String("name"))
		c.Out["arn"] = self
		for _, name := range []string{"alarmActions", "okActions", "insufficientDataActions"} {
			for _, action := range c.New.Strings(name) {
				if err := judgePublisher(c, action, "cloudwatch.amazonaws.com", self); err != nil {
					return err
				}
			}
		}
		return nil
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, metricAlarm, c.ID) != nil {
			// PutMetricAlarm overwrites: two resources would own one alarm.
			return errorf("ResourceAlreadyExistsException", "Alarm %s already exists", c.ID)
		}
		return judge(c)
	}
	t.Update = judge
	return []*simcloud.ResourceType{t}
}
