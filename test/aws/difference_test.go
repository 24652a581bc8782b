package aws_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// differences are all that development and production differ in, by patterns of what differs, with the reason.
// Whatever else differs is a mistake: what is tried in development must be what production has.
var differences = map[string]string{
	`^\+aws:s3/`:                                   "the archive is for evidence, of which development has none",
	`^\+aws:ec2/flowLog:.*-flows-archive`:          "flows go to the archive too",
	`^\+aws:cloudtrail/|^\+.*-trail`:               "the account of production has a trail",
	`^\+aws:ecr/|^\+.*-(creator|key|key-alias)$`:   "an account has one registry, which production makes",
	`^\+aws:ebs/`:                                  "production has its account to itself",
	`^\+aws:eks/addon:Addon -aws-guardduty-agent`:  "runtime detection costs by the node",
	`^\+.*-(guardduty-data|elasticloadbalancing)$`: "endpoints of what runs in production only",
	`^\+.*-private-c$`:                             "a zone more, so that the loss of one leaves a majority",
	`^\+.*-restricted$`:                            "a pool of its own for what must not share a kernel",
	`^.aws:eks/access.* -access-`:                  "other people come in",
	`LogGroup .*retentionInDays`:                   "development keeps its logs for a month",
	`kms/key:Key .*deletionWindowInDays`:           "environments for development come and go",
	`kms/key:Key -logs policy`:                     "the archive and the trail use the key too",
	`(cidrBlock|cidrIpv4|ingress\[\d+\].cidrBlock|egress\[\d+\].cidrBlock)$`: "other addresses",
	`(subnetIds|routeTableIds)$`: "a zone more",
	`NodeGroup -general (amiType|capacityType|instanceTypes|scalingConfig\..*)$`: "smaller, cheaper machines, which AWS may take back",
	`^\+aws:(cloudwatch/(logMetricFilter|metricAlarm|event)|guardduty/)`:         "alarms on what the trail records, and threat detection, are for the account of production",
	`LogMetricFilter -break-glass-in-cluster pattern|TopicPolicy`:                "development has nobody for emergencies, and no findings",
	`^\+.*-stream(-source)?$`: "logs of the control plane go to the archive",
	`VpcEndpoint -ec2 policy`: "what load balancers call",
}

// identities differ by what they are: ids, names and times.
var identities = regexp.MustCompile(`\b(vpc|subnet|sg|rtb|acl|lt|vpce|fl|rqlc|pl|eni|dopt)-[0-9a-f]{8,17}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9A-F]{32}|\b\d{14}[0-9a-f]{8}|-[0-9a-f]{7}$`)

func TestDevelopmentDiffersAsDocumented(t *testing.T) {
	t.Parallel()
	made := map[string]map[string]string{}
	for _, name := range []string{"aws-dev", "aws-prod"} {
		e := prepare(t, name)
		result := e.mustUp()
		made[name] = map[string]string{}
		inputs := map[string]simcloud.Values{}
		for _, o := range e.Cloud.Objects() {
			inputs[o.Type+" "+o.ID] = o.Inputs
		}
		for _, event := range result.Events {
			if event.ResOutputsEvent == nil || event.ResOutputsEvent.Metadata.New == nil {
				continue
			}
			r := event.ResOutputsEvent.Metadata.New
			given, exists := inputs[r.Type+" "+r.ID]
			if !exists {
				continue
			}
			resource := r.Type + " " + strings.TrimPrefix(r.URN[strings.LastIndex(r.URN, "::")+2:], name)
			made[name][resource] = "is there"
			flat(made[name], resource, given, name)
		}
	}
	used := map[string]bool{}
	for _, difference := range compared(made["aws-dev"], made["aws-prod"]) {
		why := ""
		for pattern := range differences {
			if regexp.MustCompile(pattern).MatchString(difference) {
				used[pattern], why = true, pattern
			}
		}
		if why == "" {
			t.Errorf("not documented: %s", difference)
		}
	}
	for pattern, why := range differences {
		if !used[pattern] {
			t.Errorf("differs no more: %s, %s", pattern, why)
		}
	}
}

// flat writes the properties of a resource one by one, without the name of the environment.
func flat(into map[string]string, at string, value any, name string) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // properties are texts, numbers, lists and maps
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		panic(err)
	}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for key, inner := range v {
				if key != "__defaults" {
					walk(at+"."+key, inner)
				}
			}
		case []any:
			if len(v) > 0 {
				if _, tree := v[0].(map[string]any); !tree {
					into[at] = identities.ReplaceAllString(strings.ReplaceAll(fmt.Sprint(v), name, "ENV"), "ID")
					return
				}
			}
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", at, i), inner)
			}
		default:
			into[at] = identities.ReplaceAllString(strings.ReplaceAll(fmt.Sprint(v), name, "ENV"), "ID")
		}
	}
	if tree, ok := plain.(map[string]any); ok {
		for key, inner := range tree {
			if key != "__defaults" {
				walk(at+" "+key, inner)
			}
		}
	}
}

// compared are the differences: + for a resource of production alone, - for one of development alone, ~ for a property.
func compared(dev, prod map[string]string) []string {
	var out []string
	seen := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(merge(dev, prod))) {
		if dev[key] == prod[key] {
			continue
		}
		parts := strings.SplitN(key, " ", 3)
		resource := parts[0] + " " + parts[1]
		sign := "~"
		switch {
		case dev[resource] == "":
			sign = "+"
		case prod[resource] == "":
			sign = "-"
		}
		difference := sign + key
		if sign != "~" {
			difference = sign + resource
		}
		if !seen[difference] {
			seen[difference] = true
			out = append(out, difference)
		}
	}
	return out
}

func merge(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, each := range all {
		maps.Copy(out, each)
	}
	return out
}
