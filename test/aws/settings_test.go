package aws_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// Everything that is wrong with the settings of a component is said at once, and nothing of it is registered (M35).
func TestBadSettingsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	known := pulumi.String("given")
	firewall := aws.FirewallArgs{Cluster: "main", EndpointSecurityGroupID: known, S3PrefixListID: known, Operators: []string{"0.0.0.0/0", "10.0.0.1/8"}, Webhooks: []int{0},
		Egress: []aws.EgressArgs{{Name: "World", CIDRs: []string{"::/0"}}}}
	past := []hostconfig.Exception{{Control: "M17/retention", Reason: "a test of what is past", Expires: time.Now().AddDate(0, -1, 0).Format(time.DateOnly)}}
	cases := map[string]struct {
		register func(*pulumi.Context) error
		fields   []string
	}{
		"keys": {func(ctx *pulumi.Context) error {
			_, err := aws.NewKeys(ctx, "keys", &aws.KeysArgs{Account: aws.Account{ID: "1", Region: "Europe"}, Cluster: "-main", RotationDays: 30, DeletionWindowDays: 7,
				LogGroups: []string{"*"}, VolumesPrincipals: pulumi.ToStringArray([]string{"arn:aws:iam::*:role/x"})})
			return err
		}, []string{"account.id", "account.region", "cluster", "rotationDays", "deletionWindowDays", "logGroups[0]", "volumesPrincipals[0]"}},
		"logs": {func(ctx *pulumi.Context) error {
			_, err := aws.NewLogs(ctx, "logs", &aws.LogsArgs{Account: account, Cluster: "main", RetentionDays: 30, Archive: &aws.ArchiveArgs{Bucket: "My_Bucket", Lock: aws.LockNone}})
			return err
		}, []string{"retentionDays", "keyArn", "archive.bucket", "archive.lock"}},
		"detection": {func(ctx *pulumi.Context) error {
			_, err := aws.NewDetection(ctx, "detection", &aws.DetectionArgs{Account: account, Cluster: "main", TrailLogGroupName: pulumi.String("a b"), Emails: []string{"nobody"},
				BreakGlassArns: pulumi.ToStringArray([]string{"arn:aws:iam::111122223333:user/jane"}), GuardDuty: &aws.GuardDutyArgs{DetectorID: "1", EksManagesAgent: true}})
			return err
		}, []string{"clusterLogGroupName", "trailLogGroupName", "breakGlassArns[0]", "keyArn", "emails[0]", "guardDuty.detectorId", "guardDuty.eksManagesAgent"}},
		"sessions": {func(ctx *pulumi.Context) error {
			_, err := aws.NewSessionLogging(ctx, "sessions", &aws.SessionLoggingArgs{Account: account, Cluster: "main", RetentionDays: 90, IdleMinutes: 30, LongestMinutes: 2000})
			return err
		}, []string{"keyArn", "retentionDays", "idleMinutes", "longestMinutes"}},
		"network": {func(ctx *pulumi.Context) error {
			_, err := aws.NewNetwork(ctx, "net", &aws.NetworkArgs{Account: account, Cluster: "main", CIDR: "10.0.0.1/16", Zones: []string{region + "a", "us-east-1b", region + "a"}, Egress: "open",
				ExtraEndpoints: []string{"com.amazonaws.x.sqs"}, ServiceCIDR: "10.1.0.0/16", PodCIDRs: []string{"10.1.128.0/20"}, PeerCIDRs: []string{"0.0.0.0/0"}, EgressPorts: []int{22}})
			return err
		}, []string{"cidr", "zones[1]", "zones[2]", "egress", "extraEndpoints[0]", "logsKeyArn", "podCIDRs[0]", "peerCIDRs[0]", "egressPorts[0]"}},
		"existing network": {func(ctx *pulumi.Context) error {
			_, err := aws.NewNetwork(ctx, "theirs", &aws.NetworkArgs{Account: account, Cluster: "main", Zones: zones, LogsKeyArn: known, IPv6: true, Egress: aws.EgressNAT,
				RetentionDays: 30, Exceptions: past, Existing: &aws.ExistingNetwork{VpcID: "main", SubnetIDs: []string{"subnet-0123456789abcdef0"}}})
			return err
		}, []string{"existing.vpcId", "existing.subnetIds", "existing.routeTableIds", "ipv6", "egress", "exceptions[0].expires"}},
		"firewall": {func(ctx *pulumi.Context) error {
			_, err := aws.NewFirewall(ctx, "wall", &firewall)
			return err
		}, []string{"vpcId", "operators[0]", "operators[1]", "webhooks[0]", "egress[0].name", "egress[0].cidrs[0]", "egress[0].reason"}},
	}
	cloud := open(t)
	refusals := map[string]error{}
	_, err := simtest.New(t, cloud, settings).Up(func(ctx *pulumi.Context) error {
		var all []error
		for name, each := range cases {
			refusals[name] = each.register(ctx)
			all = append(all, refusals[name])
		}
		return errors.Join(all...)
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for name, each := range cases {
		for _, field := range each.fields {
			if refusals[name] == nil || !strings.Contains(refusals[name].Error(), field+": ") || !strings.Contains(err.Error(), field+": ") {
				t.Errorf("%s: %s is not said: %v", name, field, refusals[name])
			}
		}
	}
	if made := keysOf(cloud); len(made) > 0 {
		t.Errorf("made: %v", made)
	}
}
