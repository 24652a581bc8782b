package aws

import (
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/aws/iampolicy"
)

var (
	snsTopicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}(\.fifo)?$`)
	// topicActions are what the policy of a topic may speak of; anything else, sns:* too, is refused:
	// https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
	topicActions = strings.Fields(`sns:addpermission sns:deletetopic sns:getdataprotectionpolicy sns:gettopicattributes sns:listsubscriptionsbytopic
		sns:listtagsforresource sns:publish sns:putdataprotectionpolicy sns:removepermission sns:settopicattributes sns:subscribe`)
)

func toTopic(path string) simcloud.Reference {
	return by(to(path, "NotFound", "Topic does not exist: %s", topic), "arn")
}

// topicTypes are topics and who gets what they take: https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
func topicTypes() []*simcloud.ResourceType {
	t := kind(topic, sns.TopicArgs{}, sns.Topic{})
	t.Naming = &simcloud.Naming{Property: "name", Automatic: true, Max: 256, Prefix: "namePrefix"}
	t.Replace = []string{"name", "namePrefix", "fifoTopic"}
	t.Check = func(p *simcloud.Plan) {
		if name := p.Values.String("name"); name != "" && !snsTopicName.MatchString(name) {
			p.Add("name", "invalid topic name: "+name+": 1 to 256 letters, digits, - and _ are allowed")
		}
		planDocument(p, "policy", iampolicy.Resource)
	}
	judge := func(c *simcloud.Change) error {
		if k := c.New.String("kmsMasterKeyId"); k != "" && !strings.HasPrefix(k, "alias/aws/") && findKey(c.Cloud, c.Scope, k) == nil {
			return errorf("KMSNotFound", "Invalid keyId '%s'", k)
		}
		if !c.New.Has("policy") {
			return nil
		}
		return judgeTopicPolicy(c, arn("sns", c.Scope, c.New.String("name")))
	}
	t.Create = func(c *simcloud.Change) error {
		c.ID = arn("sns", c.Scope, c.New.String("name"))
		if c.Cloud.Get(c.Scope, topic, c.ID) != nil {
			return errorf("InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes")
		}
		c.Out["arn"], c.Out["owner"] = c.ID, Account
		return judge(c)
	}
	t.Update = judge

	access := kind(topicPolicy, sns.TopicPolicyArgs{}, sns.TopicPolicy{}, "policy")
	access.Replace = []string{"arn"}
	access.References = []simcloud.Reference{toTopic("arn")}
	access.Check = func(p *simcloud.Plan) { planDocument(p, "policy", iampolicy.Resource) }
	access.Create = func(c *simcloud.Change) error {
		c.ID = c.New.String("arn")
		c.Out["owner"] = Account
		return judgeTopicPolicy(c, c.ID)
	}
	access.Update = func(c *simcloud.Change) error { return judgeTopicPolicy(c, c.Object.ID) }

	subscription := kind(topicSubscription, sns.TopicSubscriptionArgs{}, sns.TopicSubscription{}, "topic")
	subscription.Replace = []string{"topic", "protocol", "endpoint"}
	subscription.References = []simcloud.Reference{toTopic("topic")}
	subscription.Defaults = simcloud.Values{"confirmationTimeoutInMinutes": 1, "endpointAutoConfirms": false, "rawMessageDelivery": false}
	subscription.Check = func(p *simcloud.Plan) {
		oneOf(p, "protocol", "application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs")
	}
	subscription.Create = func(c *simcloud.Change) error {
		protocol, endpoint := c.New.String("protocol"), c.New.String("endpoint")
		switch {
		case strings.HasPrefix(protocol, "email"):
			if address, err := mail.ParseAddress(endpoint); err != nil || address.Address != endpoint || !strings.Contains(endpoint, ".") {
				return errorf("InvalidParameter", "Invalid parameter: Email address")
			}
		case strings.HasPrefix(protocol, "http"):
			if !strings.HasPrefix(endpoint, protocol+"://") {
				return errorf("InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")
			}
		}
		for _, o := range c.Cloud.Find(c.Scope, topicSubscription, nil) {
			if o.State.String("topic") == c.New.String("topic") && o.State.String("protocol") == protocol && o.State.String("endpoint") == endpoint {
				// AWS gives back the one that exists; but then two resources own it.
				return errorf("InvalidParameter", "Invalid parameter: Attributes Reason: Subscription already exists with different attributes")
			}
		}
		c.ID = c.New.String("topic") + ":" + uuid(c.Cloud, "subscription")
		c.Out["arn"], c.Out["ownerId"] = c.ID, Account
		c.Out["pendingConfirmation"], c.Out["confirmationWasAuthenticated"] = protocol == "email" || protocol == "email-json", false
		return nil
	}
	return []*simcloud.ResourceType{t, access, subscription}
}

// judgeTopicPolicy judges a topic's policy: it is about that topic, and about what can be done with one.
func judgeTopicPolicy(c *simcloud.Change, self string) error {
	doc, err := document(c.New, "policy", iampolicy.Resource, "InvalidParameter")
	if err != nil {
		return err
	}
	for _, s := range doc.Statements {
		for _, action := range slices.Concat(s.Action, s.NotAction) {
			if !slices.Contains(topicActions, strings.ToLower(action)) {
				return errorf("InvalidParameter", "Invalid parameter: Policy statement action out of service scope!")
			}
		}
		for _, resource := range slices.Concat(s.Resource, s.NotResource) {
			if resource != self {
				return errorf("InvalidParameter", "Invalid parameter: Policy Error: %s is not the topic %s", resource, self)
			}
		}
	}
	c.Out["policy"] = documentText(c.New.Get("policy"))
	return principals(c, doc, errorf("InvalidParameter", "Invalid parameter: Policy Error: PrincipalNotFound"))
}

// judgePublisher judges that a service may publish to a topic for one of its resources. AWS lets an alarm or a target
// be made with a topic that it may not use, and drops what it has to say: here that is refused, with the code that SNS
// gives the service.
//
// EventBridge passes nothing on to KMS for whom it acts: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func judgePublisher(c *simcloud.Change, topicARN, service, source string) error {
	prefix := "arn:aws:sns:" + c.Scope + ":" + Account + ":"
	if !strings.HasPrefix(topicARN, prefix) {
		return nil // another account's or region's, or no topic
	}
	t := c.Cloud.Get(c.Scope, topic, topicARN)
	if t == nil {
		return errorf("NotFound", "Topic does not exist: %s", topicARN)
	}
	text := documentText(t.State.Get("policy"))
	if own := c.Cloud.Get(c.Scope, topicPolicy, topicARN); own != nil {
		text = documentText(own.State.Get("policy"))
	}
	context := map[string]string{"aws:SourceArn": source, "aws:SourceAccount": Account, "aws:SecureTransport": "true"}
	// The policy of a topic without one lets in whom the account sends, alarms among them, and not EventBridge.
	if text != "" || service != "cloudwatch.amazonaws.com" {
		doc, err := iampolicy.Parse(text, iampolicy.Resource)
		if err != nil || !doc.Allows(iampolicy.Request{Principal: service, Action: "sns:Publish", Resource: topicARN, Context: context}) {
			return errorf("AuthorizationError", "%s is not authorized to perform: SNS:Publish on resource: %s for %s because no resource-based policy allows the SNS:Publish action", service, topicARN, source)
		}
	}
	given := t.State.String("kmsMasterKeyId")
	if given == "" {
		return nil
	}
	if service == "events.amazonaws.com" {
		context = nil
	}
	k := findKey(c.Cloud, c.Scope, given)
	for _, action := range []string{"kms:GenerateDataKey", "kms:Decrypt"} {
		// The policy of alias/aws/sns, which nobody can change, lets in no service.
		if k == nil || !mayUse(c.Cloud, k, iampolicy.Request{Principal: service, Action: action, Context: context}) {
			return errorf("KMSAccessDenied", "null (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException): %s may not do %s with the key %s of the topic %s: the message would be dropped", service, action, given, topicARN)
		}
	}
	return nil
}
