package aws

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// ruleTypes are rules of EventBridge on the bus of the account and their targets:
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
func ruleTypes() []*simcloud.ResourceType {
	t := kind(eventRule, cloudwatch.EventRuleArgs{}, cloudwatch.EventRule{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 64, Prefix: "namePrefix"}
	t.Defaults = simcloud.Values{"eventBusName": "default", "forceDestroy": false}
	t.Replace = []string{"name", "namePrefix", "eventBusName"}
	t.InUse = func(*simcloud.Object, *simcloud.Object) *simcloud.Error {
		return errorf("ValidationException", "Rule can't be deleted since it has targets.")
	}
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && !ruleName.MatchString(name) {
			p.Add("name", "invalid value for name (1 to 64 of . - _ A-Z a-z 0-9): "+name)
		}
		oneOf(p, "state", "ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
		if !p.Values.Has("eventPattern") && !p.Values.Has("scheduleExpression") {
			p.Add("eventPattern", `one of "eventPattern,scheduleExpression" must be specified`)
		}
		if p.Values.Has("isEnabled") && p.Values.Has("state") {
			p.Add("isEnabled", "conflicts with state")
		}
	}
	judge := func(c *simcloud.Change) error {
		if text := c.New.String("eventPattern"); text != "" {
			if problem := eventPatternProblem(text); problem != "" {
				return errorf("InvalidEventPatternException", "Event pattern is not valid. Reason: %s", problem)
			}
		}
		return nil
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, eventRule, c.ID) != nil {
			// PutRule overwrites: two resources would own one rule.
			return errorf("ResourceAlreadyExistsException", "Rule %s already exists", c.ID)
		}
		c.Out["arn"] = arn("events", c.Scope, "rule/"+c.ID)
		return judge(c)
	}
	t.Update = judge

	target := kind(eventTarget, cloudwatch.EventTargetArgs{}, cloudwatch.EventTarget{})
	target.Naming = &simcloud.Naming{Property: "targetId", Automatic: true, Max: 64}
	target.Defaults = simcloud.Values{"eventBusName": "default", "forceDestroy": false}
	target.Replace = []string{"rule", "targetId", "eventBusName"}
	target.References = []simcloud.Reference{holding(to("rule", "ResourceNotFoundException", "Rule %s does not exist on EventBus default.", eventRule))}
	target.Check = func(p *simcloud.Plan) {
		if to := p.Values.String("arn"); to != "" && !strings.HasPrefix(to, "arn:") {
			p.Add("arn", `"arn" (`+to+`) is an invalid ARN: arn: invalid prefix`)
		}
	}
	aim := func(c *simcloud.Change) error {
		to := c.New.String("arn")
		if strings.HasPrefix(to, "arn:aws:sns:") && c.New.Has("roleArn") {
			// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html: delivery to encrypted topics may fail.
			return errorf("ValidationException", "RoleArn is not for target %s: a topic has a policy of its own", to)
		}
		return judgePublisher(c, to, "events.amazonaws.com", arn("events", c.Scope, "rule/"+c.New.String("rule")))
	}
	target.Create = func(c *simcloud.Change) error {
		rule := c.New.String("rule")
		c.ID = rule + "-" + c.New.String("targetId")
		same := func(o *simcloud.Object) bool { return o.State.String("rule") == rule }
		if len(c.Cloud.Find(c.Scope, eventTarget, same)) >= 5 {
			return errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
		}
		return aim(c)
	}
	target.Update = aim
	return []*simcloud.ResourceType{t, target}
}

// eventPatternProblem reads the shape of a pattern of events, "" when nothing is wrong: an object, whose leaves are lists.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
func eventPatternProblem(text string) string {
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return "Filter is not an object"
	}
	if len(text) > 4096 {
		return "a pattern is at most 4096 characters long"
	}
	return treeProblem("", tree)
}

func treeProblem(at string, tree map[string]any) string {
	if len(tree) == 0 {
		return "Empty objects are not allowed"
	}
	for name, value := range tree {
		switch v := value.(type) {
		case map[string]any:
			if problem := treeProblem(at+name+".", v); problem != "" {
				return problem
			}
		case []any:
			if len(v) == 0 {
				return "Empty arrays are not allowed at " + at + name
			}
			for _, each := range v {
				if test, ok := each.(map[string]any); ok {
					if problem := testProblem(test); problem != "" {
						return problem + " at " + at + name
					}
				}
			}
		default:
			return fmt.Sprintf("%q must be an object or an array", at+name)
		}
	}
	return ""
}

var eventTests = []string{"prefix", "suffix", "anything-but", "numeric", "cidr", "exists", "equals-ignore-case", "wildcard"}

func testProblem(test map[string]any) string {
	for name, value := range test {
		known := false
		for _, each := range eventTests {
			known = known || each == name
		}
		if !known || len(test) != 1 {
			return "Unrecognized match type " + name
		}
		if list, ok := value.([]any); name == "numeric" && (!ok || len(list)%2 != 0 || len(list) == 0) {
			return "Value of numeric must be an array of operators and numbers"
		}
	}
	return ""
}
