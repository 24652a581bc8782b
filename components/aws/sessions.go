package aws

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// sessionLogGroup is where sessions of AWS Systems Manager are logged.
const sessionLogGroup = "/aws/ssm/%s/sessions"

// sessionDocument is where Session Manager looks for its settings in an account
// and region, of which there is one.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-preferences-cli.html
const sessionDocument = "SSM-SessionManagerRunShell"

// SessionLoggingArgs describes how sessions of AWS Systems Manager are kept.
// Account, Cluster and KeyArn are required.
type SessionLoggingArgs struct {
	Account Account `pulumi:"account"`
	// Cluster is the name of the cluster: at most 32 characters.
	Cluster string `pulumi:"cluster"`
	// KeyArn is the customer key of logs, see [Keys] with Sessions. It encrypts
	// sessions on their way, too.
	KeyArn pulumi.StringInput `pulumi:"keyArn"`
	// RetentionDays is how long sessions are kept, 365 by default. Less needs an
	// exception for M17/retention.
	RetentionDays int `pulumi:"retentionDays,optional"`
	// IdleMinutes end a session that nobody uses, 15 by default: 1 to 60. More than
	// 15 needs an exception for M09/session-time (PCI DSS 8.2.8).
	IdleMinutes int `pulumi:"idleMinutes,optional"`
	// LongestMinutes end any session, 60 by default: 1 to 1440. More than 60 needs
	// an exception for M09/session-time.
	LongestMinutes int               `pulumi:"longestMinutes,optional"`
	Tags           map[string]string `pulumi:"tags,optional"`
	Exceptions     []hostconfig.Exception
}

// Bounds: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-schema.html
const (
	idleDefault    = 15
	idleLimit      = 60
	sessionDefault = 60
	sessionLimit   = 1440
)

func (a SessionLoggingArgs) withDefaults() SessionLoggingArgs {
	setDefault(&a.RetentionDays, shortestRetention)
	setDefault(&a.IdleMinutes, idleDefault)
	setDefault(&a.LongestMinutes, sessionDefault)
	return a
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The time decides whether exceptions still hold.
func (a SessionLoggingArgs) Validate(now time.Time) error {
	a = a.withDefaults()
	var p problems
	p.account("account", a.Account)
	p.cluster("cluster", a.Cluster)
	p.key("keyArn", a.KeyArn)
	p.retention("retentionDays", a.RetentionDays, a.Exceptions)
	for _, each := range []struct {
		field             string
		minutes, by, most int
	}{{"idleMinutes", a.IdleMinutes, idleDefault, idleLimit}, {"longestMinutes", a.LongestMinutes, sessionDefault, sessionLimit}} {
		switch {
		case each.minutes < 1 || each.minutes > each.most:
			p.add(each.field, fmt.Sprintf("Session Manager takes no %d minutes", each.minutes), fmt.Sprintf("write 1 to %d", each.by))
		case each.minutes > each.by:
			p.weakens(each.field, fmt.Sprintf("%d minutes are more than %d", each.minutes, each.by), "M09/session-time", a.Exceptions)
		}
	}
	p.tags("tags", a.Tags)
	p.exceptions(a.Exceptions, now)
	return p.join()
}

// SessionLogging makes Session Manager keep what is typed and shown in shells on
// nodes, encrypt it with a customer key, and end sessions that are idle or long
// (M09). It is for all nodes of the account in the region: use it once. Nodes
// write themselves, see [RolesArgs] with SessionLogs, and refuse sessions that
// they cannot log.
//
// Where somebody has changed the settings before, they are there already: import
// the document SSM-SessionManagerRunShell, or delete it.
type SessionLogging struct {
	pulumi.ResourceState

	LogGroupName pulumi.StringOutput `pulumi:"logGroupName"`
	// DocumentName is that of the settings, once they are there.
	DocumentName pulumi.StringOutput `pulumi:"documentName"`
}

// NewSessionLogging registers the settings. The arguments are checked, all at
// once, before anything is registered.
func NewSessionLogging(ctx *pulumi.Context, name string, args *SessionLoggingArgs, opts ...pulumi.ResourceOption) (*SessionLogging, error) {
	a := args.withDefaults()
	if err := a.Validate(time.Now()); err != nil {
		return nil, err
	}
	s := &SessionLogging{}
	if err := ctx.RegisterComponentResource(sessionLoggingToken, name, s, opts...); err != nil {
		return nil, err
	}
	group, err := newLogGroup(ctx, name, sessionLogGroup, a.Cluster, a.KeyArn, a.RetentionDays, a.Tags, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	content := pulumi.All(group.Name, a.KeyArn).ApplyT(func(values []any) (string, error) {
		return a.document(values[0].(string), values[1].(string))
	}).(pulumi.StringOutput)
	document, err := ssm.NewDocument(ctx, name, &ssm.DocumentArgs{Name: pulumi.String(sessionDocument), DocumentType: pulumi.String("Session"),
		DocumentFormat: pulumi.String("JSON"), Content: content, Tags: tagged(a.Tags, a.Cluster, sessionDocument)}, pulumi.Parent(s))
	if err != nil {
		return nil, err
	}
	s.LogGroupName, s.DocumentName = group.Name, document.Name
	return s, ctx.RegisterResourceOutputs(s, pulumi.Map{"logGroupName": s.LogGroupName, "documentName": s.DocumentName})
}

// document is what Session Manager reads. Its times are texts.
func (a SessionLoggingArgs) document(group, key string) (string, error) {
	text, err := json.Marshal(map[string]any{
		"schemaVersion": "1.0", "description": "Sessions on nodes of " + a.Cluster, "sessionType": "Standard_Stream",
		"inputs": map[string]any{
			"cloudWatchLogGroupName": group, "cloudWatchEncryptionEnabled": true, "cloudWatchStreamingEnabled": true,
			"s3BucketName": "", "s3KeyPrefix": "", "s3EncryptionEnabled": true, "kmsKeyId": key, "runAsEnabled": false, "runAsDefaultUser": "",
			"idleSessionTimeout": strconv.Itoa(a.IdleMinutes), "maxSessionDuration": strconv.Itoa(a.LongestMinutes),
			"shellProfile": map[string]string{"linux": "", "windows": ""},
		},
	})
	return string(text), err
}

// sessionKeyStatements let nodes and people use the logs key for sessions, and for
// nothing else. Who may open one is up to IAM.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-enable-encryption.html
func sessionKeyStatements(account Account, cluster string) []statement {
	everybody := identities(account.iamARN("root"))
	session := func() conditions {
		return conditions{"StringLike": {"kms:EncryptionContext:aws:ssm:SessionId": {"*"}, "kms:EncryptionContext:aws:ssm:TargetId": {"*"}}}
	}
	node := session()
	node["ArnEquals"] = map[string][]string{"aws:PrincipalArn": {account.iamARN("role/" + roleName(account, cluster, "nodes"))}}
	return []statement{
		{Sid: "NodesTakeSessions", Effect: allow, Principal: everybody, Action: []string{"kms:Decrypt"}, Resource: thisKey, Condition: node},
		{Sid: "PeopleOpenSessions", Effect: allow, Principal: everybody, Action: []string{"kms:GenerateDataKey"}, Resource: thisKey, Condition: session()},
	}
}

// sessionStatements let a node log sessions and decrypt them. It looks whether the
// group is encrypted before it lets anybody in.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
func sessionStatements(account Account, cluster string) []statement {
	group := account.arn("logs", "log-group:"+fmt.Sprintf(sessionLogGroup, cluster))
	return []statement{
		{Sid: "SessionLogs", Effect: allow, Action: []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}, Resource: []string{group, group + ":*"}},
		{Sid: "SessionLogGroups", Effect: allow, Action: []string{"logs:DescribeLogGroups"}, Resource: []string{account.arn("logs", "log-group:*")}},
		// The key is made after the role: its alias is known before.
		{Sid: "SessionKey", Effect: allow, Action: []string{"kms:Decrypt"}, Resource: []string{account.arn("kms", "key/*")},
			Condition: conditions{"ForAnyValue:StringEquals": {"kms:ResourceAliases": {keyAlias(cluster, "logs")}},
				"StringLike": {"kms:EncryptionContext:aws:ssm:SessionId": {"*"}}}},
	}
}
