package gcp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/serviceaccount"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/internal/mocks"
)

func testKeys() KeysArgs { return KeysArgs{Project: testProject, Cluster: "prod"} }

func newTestKeys(t *testing.T, args KeysArgs) *mocks.Cloud {
	return run(t, func(ctx *pulumi.Context) error { _, err := NewKeys(ctx, "keys", &args); return err })
}

// consumer registers something that uses an output, to see what that waits for.
func consumer(ctx *pulumi.Context, name string, output pulumi.StringOutput) error {
	_, err := serviceaccount.NewAccount(ctx, name, &serviceaccount.AccountArgs{AccountId: pulumi.String("consumer"), Description: output.ToStringPtrOutput()})
	return err
}

// CIS-GKE-5.3.1, 5.9.1, 5.9.2, M18: a key for each use, in hardware, that changes
// every quarter and can be brought back for a month.
func TestKeys(t *testing.T) {
	args := testKeys()
	args.LoggingServiceAccount = "cmek-p123456789012@gcp-sa-logging.iam.gserviceaccount.com"
	c := newTestKeys(t, args)
	c.One(t, "KeyRing", "keys").Wants(t, map[string]any{"name": "prod", "location": "europe-west3", "project": "shop-prod"})
	users := map[string][]string{}
	for _, r := range c.Of("CryptoKeyIAMMember") {
		if r.Text("role") != "roles/cloudkms.cryptoKeyEncrypterDecrypter" {
			t.Errorf("%s: %s", r.Name, r.Text("role"))
		}
		users[r.Text("cryptoKeyId")] = append(users[r.Text("cryptoKeyId")], r.Text("member"))
	}
	for use, want := range map[string]string{
		"secrets": "[serviceAccount:service-123456789012@container-engine-robot.iam.gserviceaccount.com]",
		"disks":   "[serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com]",
		"logs": "[serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com " +
			"serviceAccount:cmek-p123456789012@gcp-sa-logging.iam.gserviceaccount.com]",
	} {
		c.One(t, "CryptoKey", "keys-"+use).Wants(t, map[string]any{"name": "prod-" + use, "keyRing": "keys_id", "purpose": "ENCRYPT_DECRYPT", "rotationPeriod": "7776000s",
			"destroyScheduledDuration": "2592000s", "versionTemplate.protectionLevel": "HSM", "versionTemplate.algorithm": "GOOGLE_SYMMETRIC_ENCRYPTION"})
		if got := fmt.Sprint(users["keys-"+use+"_id"]); got != want {
			t.Errorf("%s is used by %s", use, got)
		}
	}
	if len(users) != 3 || len(c.Of("ServiceIdentity")) != 0 {
		t.Errorf("grants %v", users)
	}
}

// Keys are known once those who encrypt with them may.
func TestKeysAreReadyBeforeTheyAreUsed(t *testing.T) {
	args := testKeys()
	args.CreateAgents = true
	c := run(t, func(ctx *pulumi.Context) error {
		keys, err := NewKeys(ctx, "keys", &args)
		if err != nil {
			return err
		}
		for name, output := range map[string]pulumi.StringOutput{"secrets": keys.SecretsKeyID, "disks": keys.DisksKeyID, "logs": keys.LogsKeyID} {
			if err := consumer(ctx, name, output); err != nil {
				return err
			}
		}
		return nil
	})
	for _, use := range []string{"secrets", "disks", "logs"} {
		user := c.One(t, "Account", use)
		if !user.WaitsFor(c.One(t, "CryptoKeyIAMMember", "keys-"+use)) {
			t.Errorf("who uses the %s key may come before its grant", use)
		}
		if user.Text("description") != "keys-"+use+"_id" {
			t.Errorf("the %s key is %s", use, user.Text("description"))
		}
	}
	c.One(t, "ServiceIdentity", "keys-gke").Wants(t, map[string]any{"service": "container.googleapis.com", "project": "shop-prod"})
	if !c.One(t, "CryptoKeyIAMMember", "keys-secrets").WaitsFor(c.One(t, "ServiceIdentity", "keys-gke")) {
		t.Error("GKE's account is granted something before it is there")
	}
}

// Rings and keys are never deleted: a name is free once.
func TestNamesAreNotReused(t *testing.T) {
	args := testKeys()
	args.Generation = "2"
	c := newTestKeys(t, args)
	if c.One(t, "KeyRing", "keys").Text("name") != "prod-2" || c.One(t, "CryptoKey", "keys-disks").Text("name") != "prod-disks-2" {
		t.Error("another generation has the same names")
	}
	args.ExistingRing = "projects/shop-prod/locations/europe-west3/keyRings/company"
	c = newTestKeys(t, args)
	if len(c.Of("KeyRing")) != 0 || c.One(t, "CryptoKey", "keys-disks").Text("keyRing") != args.ExistingRing {
		t.Error("a ring that exists is made again")
	}
}

func TestKeysRefusals(t *testing.T) {
	mocks.Refused(t, func(ctx *pulumi.Context) error {
		_, err := NewKeys(ctx, "keys", &KeysArgs{Project: testProject, Generation: "A_", ExistingRing: "ring", RotationDays: 1, DestroyDays: 121, Protection: "PAPER",
			LoggingServiceAccount: "me@example.com", Labels: map[string]string{"x": strings.Repeat("y", 64)}})
		return err
	}, "cluster", "generation", "existingRing", "rotationDays", "destroyDays", "protection", "loggingServiceAccount", "labels[x]")
	for field, weaken := range map[string]func(*KeysArgs){
		"rotationDays": func(a *KeysArgs) { a.RotationDays = 366 },
		"destroyDays":  func(a *KeysArgs) { a.DestroyDays = 29 },
		"existingRing": func(a *KeysArgs) { a.ExistingRing = "projects/shop-prod/locations/us-east1/keyRings/x" },
	} {
		args := testKeys()
		weaken(&args)
		if got := mocks.Refusals(t, args.Validate(time.Now())); !slices.Equal(got, []string{field}) {
			t.Errorf("%s: refused %v", field, got)
		}
	}
	args := testKeys()
	args.RotationDays, args.DestroyDays, args.Exceptions = 366, 7, excepted("M18/key-rotation", "M18/deletion-window")
	if err := args.Validate(time.Now()); err != nil {
		t.Error(err)
	}
}
