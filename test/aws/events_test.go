package aws_test

import (
	"slices"
	"strings"
	"testing"

	audit "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/redoubt-dev/redoubt/test/simcloud/aws/filterpattern"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// seen are events and the alarms that count them, in the log of the cluster and in the trail.
var seen = map[string][]struct{ event, alarms string }{
	"/aws/eks/main/cluster": {
		{in("system:anonymous", "list", "pods", 200), "anonymous-access"},
		{in("system:anonymous", "list", "secrets", 200), "anonymous-access"},
		{in("system:anonymous", "list", "pods", 403), "many-refusals"},
		{in("system:anonymous", "list", "pods", 401), ""},
		{in("system:anonymous", "list", "pods", 0, stage(audit.StageRequestReceived)), ""},
		{in("system:anonymous", "get", "", 200, at("/livez?timeout=5s")), ""},
		{in("system:anonymous", "get", "", 200, at("/readyz")), ""},
		{in("system:anonymous", "get", "", 200, at("/healthz/etcd")), ""},
		{in("system:anonymous", "get", "", 200, at("/version")), ""},
		{in("system:anonymous", "get", "", 200, at("/api/v1/healthz")), "anonymous-access"},
		{in("system:anonymous", "get", "", 200, at("/metrics")), "anonymous-access"},
		{in("system:anonymouse", "list", "pods", 200), ""},

		{in(jane, "get", "pods/exec", 101), "pod-shell"}, // over WebSocket
		{in(jane, "create", "pods/exec", 101, stage(audit.StageResponseStarted)), "pod-shell"},
		{in(jane, "create", "pods/attach", 101), "pod-shell"},
		{in(jane, "create", "pods/portforward", 101), "pod-shell"},
		{in(jane, "patch", "pods/ephemeralcontainers", 200), "pod-shell"},
		{in(jane, "create", "pods/exec", 403), "pod-shell many-refusals"},
		{in(jane, "get", "pods/log", 200), ""},
		{in(controller, "create", "pods", 201), ""},
		{in(jane, "create", "executions/exec", 201), ""},
		{in(jane, "create", "nodes/proxy", 200), "node-proxy"},
		{in(jane, "get", "nodes/metrics", 200), ""},
		{in(jane, "get", "services/proxy", 200), ""},

		{in(jane, "get", "secrets", 200), "secrets-read"},
		{in(jane, "list", "secrets", 200), "secrets-read"},
		{in(jane, "watch", "secrets", 200, stage(audit.StageResponseStarted)), "secrets-read"},
		{in(jane, "create", "secrets", 201), ""},
		{in(jane, "get", "configmaps", 200), ""},
		{in(jane, "get", "secrets", 404), ""},
		{in(controller, "list", "secrets", 200), ""},
		{in("system:kube-controller-manager", "list", "secrets", 200), ""},
		{in("system:node:ip-10-0-0-1", "get", "secrets", 200), ""},
		{in("eks:addon-manager", "get", "secrets", 200), ""},

		{in(jane, "create", "serviceaccounts/token", 201), "token-minted"},
		{in("system:node:ip-10-0-0-1", "create", "serviceaccounts/token", 201), ""},
		{in(jane, "create", "serviceaccounts", 201), ""},
		{in(jane, "create", "tokenreviews/token", 201), ""},
		{in(jane, "list", "pods", 200, as("admin@example.com")), "impersonation"},
		{in(jane, "list", "pods", 403, as("system:masters")), "impersonation many-refusals"},
		{in("system:serviceaccount:flux-system:kustomize-controller", "patch", "deployments", 200, as("system:serviceaccount:shop:deployer")), ""},

		{in(jane, "create", "clusterrolebindings", 201, bodies(adminRole, adminRole)), "cluster-admin-granted"},
		{in(controller, "create", "rolebindings", 201, bodies(adminRole, "")), "cluster-admin-granted"},
		{in(jane, "patch", "clusterrolebindings", 200, bodies(`{"subjects":[{"kind":"User","name":"mallory"}]}`, adminRole)), "cluster-admin-granted"},
		{in(jane, "create", "clusterrolebindings", 201, bodies(viewRole, viewRole)), ""},
		{in(jane, "create", "clusterrolebindings", 403, bodies(adminRole, `{"kind":"Status"}`)), "many-refusals"},
		{in(jane, "delete", "clusterrolebindings", 200, bodies("", adminRole)), ""},

		{in(jane, "delete", "validatingadmissionpolicies", 200), "guardrail-deleted"},
		{in(jane, "deletecollection", "validatingadmissionpolicybindings", 200), "guardrail-deleted"},
		{in(jane, "delete", "networkpolicies", 200), "guardrail-deleted"},
		{in(controller, "delete", "validatingwebhookconfigurations", 200), "guardrail-deleted"},
		{in("system:serviceaccount:kube-system:namespace-controller", "deletecollection", "networkpolicies", 200), ""},
		{in(jane, "patch", "networkpolicies", 200), ""},
		{in(jane, "delete", "networkpolicies", 404), ""},
		{in(jane, "delete", "pods", 200), ""},

		{in(jane, "list", "nodes", 403), "many-refusals"},
		{in(jane, "list", "nodes", 403, stage(audit.StageResponseStarted)), ""},

		{in(emergency, "list", "nodes", 200), "break-glass-in-cluster"},
		{in(emergency, "get", "secrets", 200), "break-glass-in-cluster secrets-read"},
		{in("admin", "list", "nodes", 200, extra("arn:aws:iam::111122223333:role/break-glass")), "break-glass-in-cluster"},
		{in("arn:aws:sts::111122223333:assumed-role/break-glass-not/jane", "list", "nodes", 200), ""},
		{in("arn:aws:sts::999999999999:assumed-role/break-glass/jane", "list", "nodes", 200), ""},

		// What other components write to the same group.
		{`time="2026-01-01T00:00:00Z" level=info msg="access granted" arn="` + breakGlassArn + `" client="127.0.0.1:0" method=POST`, ""},
		{`I0101 00:00:00.000000      11 httplog.go:132] "HTTP" verb="GET" URI="/api/v1/secrets" userAgent="system:anonymous" resp=200`, ""},
	},
	"/aws/vpc/main/flow-logs": {
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 43122 6443 6 4 240 1767225600 1767225660 REJECT OK", "flows-refused"},
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 43122 443 6 9 5040 1767225600 1767225660 ACCEPT OK", ""},
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 43122 22 6 9 5040 1767225600 1767225660 ACCEPT OK", "remote-logins"},
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 43122 3389 6 9 5040 1767225600 1767225660 ACCEPT OK", "remote-logins"},
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 43122 22 6 1 60 1767225600 1767225660 REJECT OK", "flows-refused"},
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 22 43122 6 1 60 1767225600 1767225660 ACCEPT OK", ""},
		{"2 111122223333 eni-1 10.0.0.5 10.0.1.7 43122 22 17 1 60 1767225600 1767225660 ACCEPT OK", ""},
		{"2 111122223333 eni-1 - - - - - - - 1767225600 1767225660 - NODATA", ""},
	},
	"/aws/cloudtrail/main": {
		{did("eks", "CreateAccessEntry"), "access-entries-changed"},
		{did("eks", "DisassociateAccessPolicy"), "access-entries-changed"},
		{did("eks", "DescribeAccessEntry"), ""},
		{did("eks", "UpdateClusterConfig"), "cluster-changed"},
		{did("eks", "DeleteCluster"), "cluster-changed"},
		{did("eks", "DescribeCluster"), ""},
		{did("sts", "AssumeRole", `{"requestParameters":{"roleArn":"`+breakGlassArn+`","roleSessionName":"jane"}}`), "break-glass-assumed"},
		{did("sts", "AssumeRoleWithSAML", `{"requestParameters":{"roleArn":"`+breakGlassArn+`"}}`), "break-glass-assumed"},
		{did("sts", "AssumeRole", refusal, `{"requestParameters":{"roleArn":"`+breakGlassArn+`"}}`), "break-glass-assumed calls-refused"},
		{did("sts", "AssumeRole", `{"requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/deployer"}}`), ""},
		{did("iam", "PassRole", `{"requestParameters":{"roleArn":"`+breakGlassArn+`"}}`), ""},
		{did("kms", "ScheduleKeyDeletion"), "keys-changed"},
		{did("kms", "DisableKey"), "keys-changed"},
		{did("kms", "PutKeyPolicy"), "keys-changed"},
		{did("kms", "Decrypt"), ""},
		{did("kms", "CreateGrant"), ""}, // every disk of a node
		{did("cloudtrail", "StopLogging"), "trail-changed"},
		{did("cloudtrail", "DeleteTrail"), "trail-changed"},
		{did("cloudtrail", "UpdateTrail"), "trail-changed"},
		{did("cloudtrail", "PutEventSelectors"), "trail-changed"},
		{did("cloudtrail", "GetTrailStatus"), ""},
		{did("logs", "DeleteLogGroup"), "logs-changed"},
		{did("logs", "PutRetentionPolicy"), "logs-changed"},
		{did("logs", "DeleteSubscriptionFilter"), "logs-changed"},
		{did("logs", "CreateLogStream"), ""},
		{did("monitoring", "DeleteAlarms"), "alarms-changed"},
		{did("monitoring", "DisableAlarmActions"), "alarms-changed"},
		{did("monitoring", "PutMetricAlarm"), "alarms-changed"}, // with another threshold
		{did("sns", "SetTopicAttributes"), "alarms-changed"},
		{did("sns", "SetSubscriptionAttributes"), "alarms-changed"}, // a filter
		{did("events", "PutRule"), "alarms-changed"},
		{did("sns", "Publish"), ""},
		{did("events", "DisableRule"), "alarms-changed"},
		{did("firehose", "DeleteDeliveryStream"), "alarms-changed"},
		{did("sqs", "DeleteTopic"), ""},
		{did("monitoring", "DescribeAlarms"), ""},
		{did("guardduty", "DeleteDetector"), "guardduty-changed"},
		{did("guardduty", "UpdateDetector"), "guardduty-changed"},
		{did("guardduty", "ListFindings"), ""},
		{did("ec2", "DescribeInstances", root), "root-used"},
		{did("kms", "DisableKey", root), "root-used keys-changed"},
		{did("ec2", "RunInstances", `{"userIdentity":{"type":"Root","invokedBy":"autoscaling.amazonaws.com"}}`), ""},
		{did("kms", "RotateKey", root, `{"eventType":"AwsServiceEvent"}`), ""},
		{signIn("IAMUser", "No", "Success", ""), "sign-in-without-mfa"},
		{signIn("IAMUser", "Yes", "Success", ""), ""},
		{signIn("AssumedRole", "No", "Success", ""), ""}, // the identity provider asked for a second factor
		{signIn("IAMUser", "No", "Failure", "Failed authentication"), "sign-ins-failed"},
		{signIn("Root", "Yes", "Success", ""), "root-used"},
		{did("ec2", "RunInstances", `{"errorCode":"Client.UnauthorizedOperation"}`), "calls-refused"},
		{did("iam", "ListUsers", `{"errorCode":"AccessDeniedException"}`), "calls-refused"},
		{did("s3", "HeadBucket", refusal), ""},
		{did("s3", "GetBucketAcl", refusal, `{"sourceIPAddress":"delivery.logs.amazonaws.com"}`), ""},
		{did("ec2", "RunInstances", `{"errorCode":"Client.InvalidParameterValue"}`), ""},
		{did("iam", "PutRolePolicy"), "iam-changed"},
		{did("iam", "AttachRolePolicy"), "iam-changed"},
		{did("iam", "UpdateAssumeRolePolicy"), "iam-changed"},
		{did("iam", "CreateAccessKey"), "iam-changed"},
		{did("iam", "GetRole"), ""},
		{did("iam", "CreateRole"), ""},
		{did("s3", "PutBucketPolicy"), "buckets-changed"},
		{did("s3", "DeleteBucketPolicy"), "buckets-changed"},
		{did("s3", "PutBucketObjectLockConfiguration"), "buckets-changed"},
		{did("s3", "GetBucketPolicy"), ""},
		{did("ec2", "AuthorizeSecurityGroupIngress"), "security-groups-changed"},
		{did("ec2", "ModifySecurityGroupRules"), "security-groups-changed"},
		{did("ec2", "DescribeSecurityGroups"), ""},
		{did("ec2", "ReplaceNetworkAclEntry"), "network-acls-changed"},
		{did("ec2", "DescribeNetworkAcls"), ""},
		{did("ec2", "AttachInternetGateway"), "gateways-changed"},
		{did("ec2", "DeleteVpcEndpoints"), "gateways-changed"},
		{did("ec2", "CreateRoute"), "routes-changed"},
		{did("ec2", "DescribeRouteTables"), ""},
		{did("ec2", "DeleteFlowLogs"), "networks-changed"},
		{did("ec2", "AcceptVpcPeeringConnection"), "networks-changed"},
		{did("ec2", "DescribeVpcs"), ""},
	},
}

// Each event is counted by the alarms it is for, and by no other: what raises an alarm, and what only looks like it.
func TestEventsAreSeen(t *testing.T) {
	t.Parallel()
	cloud := open(t)
	simtest.New(t, cloud, settings).MustUp(watched(nil, nil))
	patterns := map[string]map[string]*filterpattern.Pattern{}
	idle := map[string]bool{}
	for _, f := range cloud.Objects(filterToken) {
		group, name := f.State.String("logGroupName"), f.State.String("metricTransformation.name")
		p, err := filterpattern.Parse(f.State.String("pattern"))
		if err != nil {
			t.Fatal(err)
		}
		if patterns[group] == nil {
			patterns[group] = map[string]*filterpattern.Pattern{}
		}
		patterns[group][name], idle[name] = p, true
	}
	for group, events := range seen {
		for _, each := range events {
			var got []string
			for name, p := range patterns[group] {
				matches, said := p.Match(each.event)
				if !said {
					t.Errorf("%s: whether it matches is not documented: %s", name, each.event)
				}
				if matches {
					got = append(got, name)
					idle[name] = false
				}
			}
			want := strings.Fields(each.alarms)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("counted by %v, want %v: %s", got, want, each.event)
			}
		}
	}
	for name, unseen := range idle {
		if unseen {
			t.Errorf("no event is counted by %s", name)
		}
	}
}
