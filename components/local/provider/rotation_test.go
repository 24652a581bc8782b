package provider

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// keyA and keyB are 32 bytes each.
var (
	keyA = strings.Repeat("A", 43) + "="
	keyB = strings.Repeat("B", 42) + "A="
)

// rotating is a control plane whose disk holds the encryption of before.
func rotating(t *testing.T, before hostconfig.Encryption, now EncryptionAtRest) ControlPlaneInputs {
	t.Helper()
	dir := t.TempDir()
	now.Path = filepath.Join(dir, "config.yaml")
	contents, err := before.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(now.Path, []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	return ControlPlaneInputs{Machine: Machine{Name: "control-plane", Directory: dir}, Encryption: now}
}

func secretbox(name, secret string) EncryptionAtRest {
	return EncryptionAtRest{Provider: "secretbox", KeyName: &name, KeySecret: &secret}
}

func TestRotationReadsOldAndWritesNew(t *testing.T) {
	in := rotating(t, secretbox("key-1", keyA).desired(), secretbox("key-2", keyB))
	r, err := in.rotation()
	if err != nil {
		t.Fatal(err)
	}
	if !r.needed || r.retiring != `"key-1"` {
		t.Errorf("needed %v, retiring %s", r.needed, r.retiring)
	}
	first, second := strings.Index(r.reading.Contents, "key-2"), strings.Index(r.reading.Contents, "key-1")
	if first < 0 || second < 0 || first > second {
		t.Errorf("the new key must come first and the old one stay:\n%s", r.reading.Contents)
	}
	if strings.Contains(r.final.Contents, "key-1") {
		t.Errorf("the old key must go at the end:\n%s", r.final.Contents)
	}
}

// An update that was killed between promote and retire goes on from there.
func TestInterruptedRotationGoesOn(t *testing.T) {
	both := secretbox("key-2", keyB).desired()
	both.Keys = append(both.Keys, hostconfig.EncryptionKey{Name: "key-1", Secret: keyA})
	r, err := rotating(t, both, secretbox("key-2", keyB)).rotation()
	if err != nil {
		t.Fatal(err)
	}
	if !r.needed || !strings.Contains(r.reading.Contents, "key-1") {
		t.Errorf("needed %v, reading:\n%s", r.needed, r.reading.Contents)
	}
}

func TestNoRotationWithoutChange(t *testing.T) {
	r, err := rotating(t, secretbox("key-1", keyA).desired(), secretbox("key-1", keyA)).rotation()
	if err != nil || r.needed {
		t.Errorf("needed %v, %v", r.needed, err)
	}
}

func TestRotationAcrossProviders(t *testing.T) {
	name, secret := "key-2", keyB
	in := rotating(t, secretbox("key-1", keyA).desired(), EncryptionAtRest{Provider: "aescbc", KeyName: &name, KeySecret: &secret})
	r, err := in.rotation()
	if err != nil {
		t.Fatal(err)
	}
	if i, j := strings.Index(r.reading.Contents, "aescbc"), strings.Index(r.reading.Contents, "secretbox"); i < 0 || j < 0 || i > j {
		t.Errorf("aescbc must write and secretbox read:\n%s", r.reading.Contents)
	}
}

// One name for two keys would make what the first encrypted unreadable.
func TestRotationRefusesAReusedName(t *testing.T) {
	_, err := rotating(t, secretbox("key-1", keyA).desired(), secretbox("key-1", keyB)).rotation()
	if err == nil || !strings.Contains(err.Error(), "new name") {
		t.Errorf("err = %v", err)
	}
}

func TestRotationRefusesAnUnreadableFile(t *testing.T) {
	in := rotating(t, secretbox("key-1", keyA).desired(), secretbox("key-2", keyB))
	if err := os.WriteFile(in.Encryption.Path, []byte("kind: Nonsense\nkeys: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := in.rotation(); err == nil || !strings.Contains(err.Error(), "backup") {
		t.Errorf("err = %v", err)
	}
}

// Without the plugin nothing that it encrypted can be read.
func TestRotationAwayFromAMissingKMSIsRefused(t *testing.T) {
	before := hostconfig.Encryption{Provider: hostconfig.EncryptionKMS, KMS: &hostconfig.KMS{Name: "vault", Endpoint: "unix:///run/kms/vault.sock"}}
	in := rotating(t, before, secretbox("key-1", keyA))
	if r, err := in.rotation(); err != nil || !strings.Contains(r.reading.Contents, "vault") {
		t.Errorf("the plugin must still read: %v\n%s", err, r.reading.Contents)
	}
	// The machine's paths are those of its own root, in the test's directory.
	in.Machine.Isolated, in.Machine.Directory = true, "/"
	if _, err := in.rotation(); err == nil || !strings.Contains(err.Error(), "encryption.kmsEndpoint") {
		t.Errorf("err = %v", err)
	}
}

// What is encrypted from now on is still plaintext in etcd until the rewrite.
func TestRotationToMoreResourcesReadsPlaintext(t *testing.T) {
	now := secretbox("key-1", keyA)
	now.Resources = []string{"secrets", "configmaps"}
	r, err := rotating(t, secretbox("key-1", keyA).desired(), now).rotation()
	if err != nil || !r.needed || !strings.Contains(r.reading.Contents, "identity") || strings.Contains(r.final.Contents, "identity") {
		t.Errorf("needed %v, %v; reading:\n%s", r.needed, err, r.reading.Contents)
	}
	before := now.desired()
	if _, err := rotating(t, before, secretbox("key-1", keyA)).rotation(); err == nil || !strings.Contains(err.Error(), "configmaps") {
		t.Errorf("stored configmaps would become unreadable: %v", err)
	}
}

// The same name and secret under another provider is another key: what the
// first wrote would not be read.
func TestRotationAcrossProvidersNeedsANewSecret(t *testing.T) {
	name, secret := "key-1", keyA
	_, err := rotating(t, secretbox("key-1", keyA).desired(), EncryptionAtRest{Provider: "aescbc", KeyName: &name, KeySecret: &secret}).rotation()
	if err == nil || !strings.Contains(err.Error(), "secret of an earlier key") {
		t.Errorf("err = %v", err)
	}
}
