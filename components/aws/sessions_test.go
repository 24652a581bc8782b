package aws

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

func testSessions() SessionLoggingArgs {
	return SessionLoggingArgs{Account: testAccount, Cluster: "prod", KeyArn: testKeyArn}
}

const testKeyArn = pulumi.String("arn:aws:kms:eu-central-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef")

// M09: sessions are kept, encrypted, and end.
func TestSessionLogging(t *testing.T) {
	args := testSessions()
	c := run(t, func(ctx *pulumi.Context) error { _, err := NewSessionLogging(ctx, "sessions", &args); return err })
	group := c.One(t, "LogGroup", "sessions")
	if group.Text("name") != "/aws/ssm/prod/sessions" || group.Text("kmsKeyId") != string(testKeyArn) || group.Inputs["retentionInDays"] != 365.0 {
		t.Errorf("log group %v", group.Inputs)
	}
	document := c.One(t, "Document", "sessions")
	if document.Text("name") != "SSM-SessionManagerRunShell" || document.Text("documentType") != "Session" || !document.WaitsFor(group) {
		t.Errorf("document %v", document.Inputs)
	}
	var content struct {
		SchemaVersion, SessionType string
		Inputs                     map[string]any
	}
	if err := json.Unmarshal([]byte(document.Text("content")), &content); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"cloudWatchLogGroupName": "/aws/ssm/prod/sessions", "cloudWatchEncryptionEnabled": true, "cloudWatchStreamingEnabled": true,
		"kmsKeyId": string(testKeyArn), "idleSessionTimeout": "15", "maxSessionDuration": "60", "runAsEnabled": false} {
		if content.Inputs[name] != want {
			t.Errorf("%s is %v", name, content.Inputs[name])
		}
	}
	if content.SchemaVersion != "1.0" || content.SessionType != "Standard_Stream" {
		t.Errorf("content %v", content)
	}
}

func TestSessionLoggingRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewSessionLogging(ctx, "sessions", &SessionLoggingArgs{Account: testAccount, Cluster: "prod", RetentionDays: 30, IdleMinutes: 61, LongestMinutes: 120})
		return err
	}, "keyArn", "retentionDays", "idleMinutes", "longestMinutes")
	args := testSessions()
	args.IdleMinutes, args.LongestMinutes = 30, 240
	args.Exceptions = []hostconfig.Exception{{Control: "M09/session-time", Reason: "migrations take an afternoon", Expires: time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	if err := args.Validate(time.Now()); err != nil {
		t.Error(err)
	}
}

// A node writes to one group and decrypts sessions, with one key; it makes no
// group, reads no logs, and may do none of it unless that is chosen.
func TestNodesLogSessions(t *testing.T) {
	own := func(args RolesArgs) []parsedStatement {
		return parse(t, run(t, func(ctx *pulumi.Context) error { _, err := NewRoles(ctx, "roles", &args); return err }).One(t, "RolePolicy", "roles-nodes-own").Text("policy"))
	}
	args := RolesArgs{Account: testAccount, Cluster: "prod", SSM: true}
	if s := own(args); len(s) != 2 {
		t.Errorf("without being asked for: %v", s)
	}
	args.SessionLogs = true
	may := map[string][]string{}
	for _, s := range own(args) {
		for _, action := range s.Action {
			may[action] = s.Resource
			if strings.HasPrefix(action, "kms:") && !slices.Equal(s.Condition["ForAnyValue:StringEquals"]["kms:ResourceAliases"], []string{"alias/redoubt/prod/logs"}) {
				t.Errorf("%s with any key", action)
			}
		}
	}
	group := "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/ssm/prod/sessions"
	for _, action := range []string{"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"} {
		if !slices.Equal(may[action], []string{group, group + ":*"}) {
			t.Errorf("%s on %v", action, may[action])
		}
	}
	if may["kms:Decrypt"] == nil || may["logs:DescribeLogGroups"] == nil || may["logs:CreateLogGroup"] != nil || may["logs:GetLogEvents"] != nil {
		t.Errorf("a node may %v", may)
	}
	args.SSM = false
	if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{"sessionLogs"}) {
		t.Errorf("refused %v", got)
	}
}

// The key serves sessions by their context only, and decrypts for nodes alone.
func TestKeyOfSessions(t *testing.T) {
	args := testKeys()
	args.Sessions = true
	root := "arn:aws:iam::123456789012:root"
	statements := parse(t, newTestKeys(t, args).One(t, "Key", "keys-logs").Text("policy"))
	found := map[string]parsedStatement{}
	for _, s := range statements {
		if s.Condition["StringLike"]["kms:EncryptionContext:aws:ssm:SessionId"] != nil {
			found[s.Action[0]] = s
		}
	}
	node := found["kms:Decrypt"]
	if len(found) != 2 || !slices.Equal(node.Condition["ArnEquals"]["aws:PrincipalArn"], []string{"arn:aws:iam::123456789012:role/prod-eu-central-1-nodes"}) || len(found["kms:GenerateDataKey"].Action) != 1 {
		t.Errorf("sessions: %v", found)
	}
	for _, s := range allows(statements, root, "kms:Decrypt") {
		if s.Condition["ArnEquals"] == nil {
			t.Errorf("%s decrypts for everybody", s.Sid)
		}
	}
	contexts := allows(statements, "logs.eu-central-1.amazonaws.com", "kms:Encrypt")[0].Condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
	if !slices.Contains(contexts, "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/ssm/prod/sessions") {
		t.Errorf("the key does not serve the group of sessions: %v", contexts)
	}
}
