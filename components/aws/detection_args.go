package aws

import (
	"fmt"
	"regexp"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// DetectionArgs describes what people hear of. Account, Cluster and
// ClusterLogGroupName are required, and one of KeyArn and TopicArn.
type DetectionArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// ClusterLogGroupName is where EKS writes, see [Logs]. Required, but for a
	// control plane that is SelfManaged, which has none.
	ClusterLogGroupName pulumi.StringInput `pulumi:"clusterLogGroupName,optional"`
	SelfManaged         bool               `pulumi:"selfManaged,optional"`
	// TrailLogGroupName is where CloudTrail writes: that of [Logs], or that of a
	// trail which the account has. Without one, nothing that is done through the
	// API of AWS raises an alarm: who gets in, keys, logs, networks, the root user.
	TrailLogGroupName pulumi.StringInput `pulumi:"trailLogGroupName,optional"`
	// FlowLogGroupName is where the flows of the network are, see [Network]. Without
	// it they raise no alarm.
	FlowLogGroupName pulumi.StringInput `pulumi:"flowLogGroupName,optional"`
	// AuditStreamName is the way of the control plane's logs into the archive, see
	// [Logs]: an alarm is raised when they do not get there.
	AuditStreamName pulumi.StringInput `pulumi:"auditStreamName,optional"`
	// BreakGlassArns are the roles for emergencies, see [EksCluster]: their use
	// raises an alarm. About four fit.
	BreakGlassArns pulumi.StringArrayInput `pulumi:"breakGlassArns,optional"`
	// GuardDuty looks for threats; nil leaves it to the account. It is for all of the
	// account in the region: give it in one environment.
	GuardDuty *GuardDutyArgs `pulumi:"guardDuty,optional"`
	// TopicArn is a topic of SNS that exists and takes alarms (and findings: from
	// EventBridge). Its policy, and that of its key, are yours. Without it a topic
	// is made, encrypted with KeyArn.
	TopicArn pulumi.StringInput `pulumi:"topicArn,optional"`
	// KeyArn is the customer key of logs, see [Keys] with Alarms.
	KeyArn pulumi.StringInput `pulumi:"keyArn,optional"`
	// Emails are addresses that get everything, once each has confirmed it. Other
	// recipients subscribe to the topic.
	Emails     []string          `pulumi:"emails,optional"`
	Tags       map[string]string `pulumi:"tags,optional"`
	Exceptions []hostconfig.Exception
}

// GuardDutyArgs describes threat detection by AWS, over the audit logs of every
// cluster in the account and region.
//
// With an agent of GuardDuty, it makes an endpoint and a group in the network by
// itself, which then cannot be deleted: give [NetworkArgs] the use guardduty, so
// that the endpoint is there already and goes with the network.
// https://docs.aws.amazon.com/guardduty/latest/ug/runtime-monitoring.html
type GuardDutyArgs struct {
	// DetectorID is the detector of the account in the region, of which there is
	// one: 32 hexadecimal digits. Without it one is made.
	DetectorID string `pulumi:"detectorId,optional"`
	// RuntimeMonitoring also looks at what runs on nodes, through an agent.
	RuntimeMonitoring bool `pulumi:"runtimeMonitoring,optional"`
	// EksManagesAgent installs the agent in every cluster, as an add-on. Without
	// it the agent is yours to install.
	EksManagesAgent bool `pulumi:"eksManagesAgent,optional"`
}

var (
	detectorPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)
	topicPattern    = regexp.MustCompile(`^arn:aws(-us-gov)?:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	emailPattern    = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s.]+$`)
)

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a DetectionArgs) Validate(now time.Time) error {
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	p.logGroup("clusterLogGroupName", a.ClusterLogGroupName, !a.SelfManaged)
	p.logGroup("trailLogGroupName", a.TrailLogGroupName, false)
	p.logGroup("flowLogGroupName", a.FlowLogGroupName, false)
	p.breakGlass("breakGlassArns", a.BreakGlassArns)
	switch topic, known := a.TopicArn.(pulumi.String); {
	case a.TopicArn == nil && a.KeyArn == nil:
		p.add("keyArn", "is missing: the topic that is made would not be encrypted", "give the logs key of Keys, or a topic that exists")
	case a.TopicArn != nil && a.KeyArn != nil:
		p.add("keyArn", "is for a topic that is made, and one is given", "give one of the two")
	case known && !topicPattern.MatchString(string(topic)):
		p.add("topicArn", fmt.Sprintf("%q is not the ARN of a topic", string(topic)), "write one such as arn:aws:sns:eu-central-1:123456789012:name")
	}
	seen := map[string]bool{}
	for i, email := range a.Emails {
		at := fmt.Sprintf("emails[%d]", i)
		if !emailPattern.MatchString(email) {
			p.add(at, fmt.Sprintf("%q is not an address", email), "write one such as security@example.com")
		} else if seen[email] {
			p.add(at, email+" is repeated", "list it once")
		}
		seen[email] = true
	}
	if g := a.GuardDuty; g != nil {
		if g.DetectorID != "" && !detectorPattern.MatchString(g.DetectorID) {
			p.add("guardDuty.detectorId", fmt.Sprintf("%q is not the id of a detector", g.DetectorID), "write its 32 hexadecimal digits, or leave it out")
		}
		if g.EksManagesAgent && !g.RuntimeMonitoring {
			p.add("guardDuty.eksManagesAgent", "there is no agent without runtime monitoring", "turn runtimeMonitoring on, or leave it out")
		}
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// logGroup reports what is missing, or already known and no name. A name is
// looked into once it is known, see [groupName].
func (p *problems) logGroup(field string, given pulumi.StringInput, required bool) {
	if given == nil {
		if required {
			p.add(field, "is missing", "give that of Logs")
		}
		return
	}
	if name, known := given.(pulumi.String); known {
		if err := groupNameProblem(string(name)); err != nil {
			p.add(field, err.Error(), "write the name of a log group, or leave it out")
		}
	}
}

var groupNamePattern = regexp.MustCompile(`^[A-Za-z0-9._/#-]{1,512}$`)

func groupNameProblem(name string) error {
	if groupNamePattern.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is not the name of a log group", name)
}

// breakGlass reports roles that are already known and are none, or too many.
func (p *problems) breakGlass(field string, given pulumi.StringArrayInput) {
	array, ok := given.(pulumi.StringArray)
	if !ok {
		return
	}
	var known []string
	for i, each := range array {
		text, ok := each.(pulumi.String)
		if !ok {
			continue
		}
		if err := roleProblem(string(text)); err != nil {
			p.add(fmt.Sprintf("%s[%d]", field, i), err.Error(), "write one such as arn:aws:iam::123456789012:role/name")
			continue
		}
		known = append(known, string(text))
	}
	if _, err := breakGlassPattern(breakGlassAudit, known); err != nil {
		p.add(field, err.Error(), "leave some out")
	}
}
