package aws

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

const testCSI = "arn:aws:iam::123456789012:role/csi"

func testKeys() KeysArgs {
	return KeysArgs{Account: testAccount, Cluster: "prod", Archive: true,
		VolumesPrincipals: pulumi.StringArray{pulumi.String(testCSI)}, ArchiveReaders: pulumi.StringArray{pulumi.String("arn:aws:iam::123456789012:role/auditor")}}
}

func newTestKeys(t *testing.T, args KeysArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewKeys(ctx, "keys", &args); return err })
}

// CIS-EKS-5.3.1, M18, M19: customer keys that rotate, can be brought back, and
// have a name.
func TestKeysDefaults(t *testing.T) {
	c := newTestKeys(t, testKeys())
	if n := len(c.Of("Key")); n != 3 {
		t.Fatalf("%d keys", n)
	}
	for _, key := range c.Of("Key") {
		if key.Inputs["enableKeyRotation"] != true || key.Inputs["rotationPeriodInDays"] != 365.0 || key.Inputs["deletionWindowInDays"] != 30.0 {
			t.Errorf("%s: rotation %v every %v days, window %v", key.Name, key.Inputs["enableKeyRotation"], key.Inputs["rotationPeriodInDays"], key.Inputs["deletionWindowInDays"])
		}
		if key.Inputs["bypassPolicyLockoutSafetyCheck"] != nil {
			t.Errorf("%s: the check against a lock-out is off", key.Name)
		}
		use := strings.TrimPrefix(key.Name, "keys-")
		alias := c.One(t, "Alias", key.Name+"-alias")
		if alias.Text("name") != "alias/redoubt/prod/"+use || alias.Text("targetKeyId") != key.ID {
			t.Errorf("alias %v", alias.Inputs)
		}
	}
	if n := len(c.Of("EncryptionByDefault")) + len(c.Of("DefaultKmsKey")) + len(c.Of("ServiceLinkedRole")); n != 0 {
		t.Errorf("%d resources change the whole account without being asked to", n)
	}
}

// M18: nobody is locked out, nobody else gets in, and the account's own policies
// cannot hand out what a key encrypts.
func TestKeyPoliciesAreLeastPrivilege(t *testing.T) {
	c := newTestKeys(t, testKeys())
	root := "arn:aws:iam::123456789012:root"
	use := []string{"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:CreateGrant"}
	for _, key := range c.Of("Key") {
		administered := false
		for _, s := range parse(t, key.Text("policy")) {
			whom, _ := s.Principal.(map[string]any)
			if whom == nil {
				t.Errorf("%s: %s is about %v", key.Name, s.Sid, s.Principal)
			}
			if s.Effect != "Allow" || !slices.Equal(s.Resource, []string{"*"}) {
				t.Errorf("%s: %s %s %v", key.Name, s.Sid, s.Effect, s.Resource)
			}
			isRoot := slices.Contains(texts(whom["AWS"]), root)
			for _, action := range s.Action {
				if action == "kms:*" || strings.HasPrefix(action, "kms:Create*") || !strings.HasPrefix(action, "kms:") {
					t.Errorf("%s: %s allows %s", key.Name, s.Sid, action)
				}
				// A role that is made after the key is named by a condition.
				roles := s.Condition["ArnEquals"]["aws:PrincipalArn"]
				one := len(roles) == 1 && strings.HasPrefix(roles[0], "arn:aws:iam::123456789012:role/") && !strings.Contains(roles[0], "*")
				if isRoot && slices.Contains(use, action) && s.Condition["Bool"]["kms:GrantIsForAWSResource"] == nil && !one {
					t.Errorf("%s: %s hands %s to the policies of the account", key.Name, s.Sid, action)
				}
				if action == "kms:CreateGrant" && !slices.Equal(s.Condition["Bool"]["kms:GrantIsForAWSResource"], []string{"true"}) {
					t.Errorf("%s: %s grants to anybody", key.Name, s.Sid)
				}
			}
			administered = administered || isRoot && slices.Contains(s.Action, "kms:PutKeyPolicy") && len(s.Condition) == 0
			if whom["Service"] != nil && len(s.Condition) == 0 {
				t.Errorf("%s: %s lets a service in for every customer of AWS", key.Name, s.Sid)
			}
		}
		if !administered {
			t.Errorf("%s: the account is locked out", key.Name)
		}
	}
}

func texts(value any) []string {
	var out []string
	list, _ := value.([]any)
	for _, each := range list {
		out = append(out, each.(string))
	}
	return out
}

// allows gives the statements that let a principal do something.
func allows(statements []parsedStatement, principal, action string) []parsedStatement {
	var out []parsedStatement
	for _, s := range statements {
		whom, _ := s.Principal.(map[string]any)
		if slices.Contains(append(texts(whom["AWS"]), texts(whom["Service"])...), principal) && slices.Contains(s.Action, action) {
			out = append(out, s)
		}
	}
	return out
}

func TestLogsKeyIsForTheLogGroupsOfTheCluster(t *testing.T) {
	args := testKeys()
	args.LogGroups = []string{"/aws/containerinsights/prod/*"}
	found := allows(parse(t, newTestKeys(t, args).One(t, "Key", "keys-logs").Text("policy")), "logs.eu-central-1.amazonaws.com", "kms:GenerateDataKey*")
	if len(found) != 1 {
		t.Fatalf("%d statements for CloudWatch Logs", len(found))
	}
	want := []string{"/aws/eks/prod/cluster", "/aws/vpc/prod/flow-logs", "/aws/route53resolver/prod/queries", "/aws/containerinsights/prod/*"}
	for i := range want {
		want[i] = "arn:aws:logs:eu-central-1:123456789012:log-group:" + want[i]
	}
	if got := found[0].Condition["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]; !slices.Equal(got, want) {
		t.Errorf("encryption context %v", got)
	}
}

func TestLogsKeyServesTheArchiveOnlyWhenThereIsOne(t *testing.T) {
	args := testKeys()
	for _, archive := range []bool{true, false} {
		args.Archive = archive
		policy := parse(t, newTestKeys(t, args).One(t, "Key", "keys-logs").Text("policy"))
		found := allows(policy, "delivery.logs.amazonaws.com", "kms:GenerateDataKey*")
		if (len(found) == 1) != archive {
			t.Errorf("archive %t: %d statements for its delivery", archive, len(found))
		}
		if archive && !slices.Equal(found[0].Condition["StringEquals"]["aws:SourceAccount"], []string{testAccount.ID}) {
			t.Errorf("any account delivers: %v", found[0].Condition)
		}
		if readers := allows(policy, "arn:aws:iam::123456789012:role/auditor", "kms:Decrypt"); len(readers) != 1 || len(readers[0].Condition["StringEquals"]["kms:ViaService"]) != 1 {
			t.Errorf("readers %v", readers)
		}
	}
}

// M19: Auto Scaling launches nodes, and the CSI driver makes claims, with the key.
func TestVolumesKeyAdmitsAutoScalingAndTheDriver(t *testing.T) {
	policy := parse(t, newTestKeys(t, testKeys()).One(t, "Key", "keys-volumes").Text("policy"))
	for _, who := range []string{"arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", testCSI} {
		for _, action := range []string{"kms:CreateGrant", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey"} {
			found := allows(policy, who, action)
			if len(found) != 1 {
				t.Errorf("%d statements let %s do %s", len(found), who, action)
				continue
			}
			if !slices.Equal(found[0].Condition["StringEquals"]["kms:ViaService"], []string{"ec2.eu-central-1.amazonaws.com"}) {
				t.Errorf("%s does %s outside EC2", who, action)
			}
		}
	}
}

// The same principals in another order are no change.
func TestKeyPoliciesAreDeterministic(t *testing.T) {
	a, b := "arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"
	one := volumesKeyPolicy(testAccount, []string{a, b}, false).String()
	for range 20 {
		if other := volumesKeyPolicy(testAccount, []string{b, a, b}, false).String(); other != one {
			t.Fatalf("%s\n%s", one, other)
		}
	}
}

func TestKeysByChoice(t *testing.T) {
	args := testKeys()
	args.AccountDefault, args.CreateAutoScalingRole = true, true
	c := newTestKeys(t, args)
	c.One(t, "ServiceLinkedRole", "keys-autoscaling")
	if c.One(t, "EncryptionByDefault", "keys-encryption-by-default").Inputs["enabled"] != true || c.One(t, "DefaultKmsKey", "keys-default").Text("keyArn") != "arn:keys-volumes_id" {
		t.Error("volumes are not encrypted by default")
	}
}

func TestKeysRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewKeys(ctx, "keys", &KeysArgs{
			Account: Account{ID: "12", Region: "mars"}, Cluster: "Prod", RotationDays: 400, DeletionWindowDays: 7, LogGroups: []string{"*"},
			SecretsPrincipals: pulumi.StringArray{pulumi.String("*")}, VolumesPrincipals: pulumi.StringArray{pulumi.String(testCSI), pulumi.String("arn:aws:iam::1:role/x")},
			ArchiveReaders: pulumi.StringArray{pulumi.String("arn:aws:iam::123456789012:root")},
			Exceptions:     []hostconfig.Exception{{Control: "M18", Reason: "short", Expires: "soon"}},
		})
		return err
	}, "account.id", "account.region", "cluster", "rotationDays", "deletionWindowDays", "logGroups[0]", "secretsPrincipals[0]", "volumesPrincipals[1]",
		"archiveReaders[0]", "exceptions[0].reason", "exceptions[0].expires")
}

// What a program learns only while it runs is judged then.
func TestPrincipalsAreJudgedWhenTheyAreKnown(t *testing.T) {
	args := testKeys()
	args.VolumesPrincipals = pulumi.StringArray{pulumi.String("*").ToStringOutput()}
	c := &mocks.Cloud{Fill: fill}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error { _, err := NewKeys(ctx, "keys", &args); return err }, pulumi.WithMocks("project", "stack", c))
	if err == nil || !strings.Contains(err.Error(), "is not the ARN of a role or a user") {
		t.Errorf("error %v", err)
	}
}

func TestKeysExceptions(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	args := testKeys()
	args.RotationDays, args.DeletionWindowDays = 730, 7
	args.Exceptions = []hostconfig.Exception{
		{Control: "M18/key-rotation", Reason: "the auditor agreed to two years", Expires: "2026-12-01"},
		{Control: "M18/deletion-window", Reason: "a test environment is taken down daily", Expires: "2026-12-01"},
	}
	if err := args.Validate(now); err != nil {
		t.Errorf("accepted risks are refused: %v", err)
	}
	if err := args.Validate(now.AddDate(0, 1, 0)); err == nil {
		t.Error("expired exceptions still count")
	}
	args.RotationDays, args.DeletionWindowDays = 2561, 31
	if got := mocks.Refusals(t, args.Validate(now)); !slices.Equal(got, []string{"rotationDays", "deletionWindowDays"}) {
		t.Errorf("refused %v", got)
	}
}
