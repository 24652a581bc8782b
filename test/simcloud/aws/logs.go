package aws

import (
	"regexp"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var logGroupName = regexp.MustCompile(`^[\.\-_/#A-Za-z0-9]{1,512}$`)

// retention is the fixed set of days; 0 is for ever.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retention = []any{0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// logTypes are log groups: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
func logTypes() []*simcloud.ResourceType {
	t := kind(logGroup, cloudwatch.LogGroupArgs{}, cloudwatch.LogGroup{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 512, Prefix: "namePrefix"}
	t.Defaults = simcloud.Values{"logGroupClass": "STANDARD", "retentionInDays": 0, "skipDestroy": false}
	t.Replace = []string{"name", "namePrefix", "logGroupClass"}
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && !logGroupName.MatchString(name) {
			p.Add("name", `isn't a valid log group name (alphanumeric characters, underscores, hyphens, slashes, hash signs and dots are allowed, at most 512): "`+name+`"`)
		}
		oneOf(p, "retentionInDays", retention...)
		oneOf(p, "logGroupClass", "STANDARD", "INFREQUENT_ACCESS", "DELIVERY")
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		if c.Cloud.Get(c.Scope, logGroup, c.ID) != nil {
			return errorf("ResourceAlreadyExistsException", "The specified log group already exists")
		}
		c.Out["arn"] = arn("logs", c.Scope, "log-group:"+c.ID)
		return judgeLogKey(c, c.ID)
	}
	t.Update = func(c *simcloud.Change) error { return judgeLogKey(c, c.Object.ID) }

	resourcePolicy := kind(logResourcePolicy, cloudwatch.LogResourcePolicyArgs{}, cloudwatch.LogResourcePolicy{}, "policyDocument")
	resourcePolicy.Replace = []string{"policyName"}
	resourcePolicy.Check = func(p *simcloud.Plan) { planDocument(p, "policyDocument", iampolicy.Resource) }
	judge := func(c *simcloud.Change) error {
		doc, err := document(c.New, "policyDocument", iampolicy.Resource, "InvalidParameterException")
		if err == nil && doc.Size > 5120 {
			return errorf("LimitExceededException", "Resource limit exceeded: a policy document is at most 5120 characters long")
		}
		c.Out["policyDocument"] = documentText(c.New.Get("policyDocument"))
		return err
	}
	resourcePolicy.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("policyName")
		if len(c.Cloud.Find(c.Scope, logResourcePolicy, nil)) >= 10 {
			return errorf("LimitExceededException", "Resource limit exceeded.")
		}
		return judge(c)
	}
	resourcePolicy.Update = judge

	filter := kind(metricFilter, cloudwatch.LogMetricFilterArgs{}, cloudwatch.LogMetricFilter{})
	filter.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 512}
	filter.Replace = []string{"name", "logGroupName"}
	filter.References = []simcloud.Reference{to("logGroupName", "ResourceNotFoundException", "The specified log group does not exist: %s", logGroup)}
	filter.Check = func(p *simcloud.Plan) {
		planPattern(p, "pattern", "metric")
		if space := p.Values.String("metricTransformation.namespace"); strings.ContainsAny(space, ":*$") || len(space) > 255 || strings.HasPrefix(space, "AWS/") {
			p.Add("metricTransformation.namespace", "a namespace may hold no :, * and $, at most 255 characters, and does not begin with AWS/")
		}
		if strings.ContainsAny(p.Values.String("name"), ":*") {
			p.Add("name", "a name may hold no : and no *")
		}
	}
	filter.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("name")
		same := func(o *simcloud.Object) bool { return o.State.String("logGroupName") == c.New.String("logGroupName") }
		if len(c.Cloud.Find(c.Scope, metricFilter, same)) >= 100 {
			return errorf("LimitExceededException", "Resource limit exceeded: a log group has at most 100 metric filters")
		}
		return filterable(c, c.New.String("logGroupName"))
	}
	return []*simcloud.ResourceType{t, resourcePolicy, filter}
}

// judgeLogKey judges that the service may use the key of a log group.
func judgeLogKey(c *simcloud.Change, name string) error {
	given := c.New.String("kmsKeyId")
	if given == "" {
		return nil
	}
	group := arn("logs", c.Scope, "log-group:"+name)
	k := findKey(c.Cloud, c.Scope, given)
	refused := errorf("AccessDeniedException", "The specified KMS key does not exist or is not allowed to be used with Arn '%s'", group)
	if k == nil {
		return refused
	}
	for _, action := range []string{"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"} {
		q := iampolicy.Request{Principal: "logs." + c.Scope + ".amazonaws.com", Action: action,
			Context: map[string]string{"kms:EncryptionContext:aws:logs:arn": group, "aws:SourceAccount": Account, "aws:SourceArn": group}}
		general := q
		general.Principal = "logs.amazonaws.com"
		if action == "kms:DescribeKey" { // describing carries no encryption context, and is not needed by the check
			continue
		}
		if !mayUse(c.Cloud, k, q) && !mayUse(c.Cloud, k, general) {
			return refused
		}
	}
	return nil
}

// filterable judges that a log group's class has filters:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CloudWatch_Logs_Log_Classes.html
func filterable(c *simcloud.Change, group string) error {
	if o := c.Cloud.Get(c.Scope, logGroup, group); o != nil && o.State.String("logGroupClass") != "STANDARD" {
		return errorf("InvalidOperationException", "The log group %s is of the class %s, which has no filters", group, o.State.String("logGroupClass"))
	}
	return nil
}
