package hostconfig

import (
	"encoding/base64"
	"strings"
	"testing"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// key gives a key whose secret is no secret.
func key(name string, fill byte, provider EncryptionProvider) EncryptionKey {
	return EncryptionKey{Name: name, Provider: provider, Secret: base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(fill)), 32)))}
}

func encryptions() map[string]Encryption {
	plugin := &KMS{Name: "vault", Endpoint: "unix:///run/kms/vault.sock"}
	return map[string]Encryption{
		"secretbox":           {Keys: []EncryptionKey{key("two", 'b', ""), key("one", 'a', "")}},
		"aescbc":              {Provider: EncryptionAESCBC, Keys: []EncryptionKey{key("one", 'a', "")}, Resources: []string{"secrets", "widgets.example.org"}},
		"aescbc-to-secretbox": {Keys: []EncryptionKey{key("old", 'a', EncryptionAESCBC), key("new", 'b', "")}},
		"secretbox-to-aescbc": {Provider: EncryptionAESCBC, Keys: []EncryptionKey{key("old", 'a', EncryptionSecretbox), key("new", 'b', "")}},
		"kms":                 {Provider: EncryptionKMS, KMS: plugin},
		"secretbox-to-kms":    {Provider: EncryptionKMS, KMS: plugin, Keys: []EncryptionKey{key("old", 'a', EncryptionSecretbox)}},
		"kms-to-secretbox":    {KMS: plugin, Keys: []EncryptionKey{key("new", 'a', "")}},
		"read-plaintext":      {Keys: []EncryptionKey{key("one", 'a', "")}, ReadPlaintext: true},
	}
}

func TestEncryption(t *testing.T) {
	for name, e := range encryptions() {
		t.Run(name, func(t *testing.T) {
			document, err := e.Configuration()
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, "encryption/"+name+".yaml", document)
			var configuration apiserverv1.EncryptionConfiguration
			decode(t, document, &configuration)
			providers := configuration.Resources[0].Providers
			first := map[EncryptionProvider]bool{
				EncryptionSecretbox: providers[0].Secretbox != nil,
				EncryptionAESCBC:    providers[0].AESCBC != nil,
				EncryptionKMS:       providers[0].KMS != nil,
			}
			if !first[e.WithDefaults().Provider] {
				t.Error("the first provider, which writes, is not the one that was asked for")
			}
			for i, provider := range providers {
				if provider.Identity != nil && (!e.ReadPlaintext || i == 0 || i != len(providers)-1) {
					t.Errorf("plaintext at %d of %d", i, len(providers))
				}
				if provider.KMS != nil && provider.KMS.APIVersion != "v2" {
					t.Error("KMS v1")
				}
			}
		})
	}
}

func TestEncryptionRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Encryption)
		field, text string
	}{
		"identity":         {func(e *Encryption) { e.Provider = "identity" }, "encryption.provider", "does not encrypt"},
		"aesgcm":           {func(e *Encryption) { e.Provider = "aesgcm" }, "encryption.provider", "does not encrypt"},
		"no key":           {func(e *Encryption) { e.Keys = nil }, "encryption.keys", "no key"},
		"no writing key":   {func(e *Encryption) { e.Keys = []EncryptionKey{key("a", 'a', EncryptionAESCBC)} }, "encryption.keys", "no key for secretbox"},
		"short key":        {func(e *Encryption) { e.Keys[0].Secret = "c2hvcnQ=" }, "encryption.keys[0].secret", "32 bytes"},
		"not base64":       {func(e *Encryption) { e.Keys[0].Secret = "%%%" }, "encryption.keys[0].secret", "32 bytes"},
		"same name":        {func(e *Encryption) { e.Keys = append(e.Keys, key("one", 'c', "")) }, "encryption.keys[1].name", "earlier"},
		"same secret":      {func(e *Encryption) { e.Keys = append(e.Keys, key("two", 'a', "")) }, "encryption.keys[1].secret", "earlier"},
		"colon in name":    {func(e *Encryption) { e.Keys[0].Name = "a:b" }, "encryption.keys[0].name", "not a key name"},
		"kms has no keys":  {func(e *Encryption) { e.Keys[0].Provider = EncryptionKMS }, "encryption.keys[0].provider", "no local keys"},
		"without secrets":  {func(e *Encryption) { e.Resources = []string{"configmaps"} }, "encryption.resources", "CIS-1.2.27"},
		"bad resource":     {func(e *Encryption) { e.Resources = []string{"secrets", "Pods"} }, "encryption.resources[1]", "not a resource"},
		"resource twice":   {func(e *Encryption) { e.Resources = []string{"secrets", "secrets"} }, "encryption.resources[1]", "overlaps"},
		"kms without one":  {func(e *Encryption) { e.Provider = EncryptionKMS }, "encryption.kms", "missing"},
		"kms over tcp":     {func(e *Encryption) { e.KMS = &KMS{Name: "a", Endpoint: "tcp://10.0.0.1:1"} }, "encryption.kms.endpoint", "local socket"},
		"kms nameless":     {func(e *Encryption) { e.KMS = &KMS{Endpoint: "unix:///a"} }, "encryption.kms.name", "plugin name"},
		"kms without time": {func(e *Encryption) { e.KMS = &KMS{Name: "a", Endpoint: "unix:///a", TimeoutSeconds: 600} }, "encryption.kms.timeoutSeconds", "bound"},
	} {
		t.Run(name, func(t *testing.T) {
			e := Encryption{Keys: []EncryptionKey{key("one", 'a', "")}}
			each.change(&e)
			err := e.Validate()
			refused(t, err, each.field, each.text)
			if document, renderErr := e.Configuration(); renderErr == nil || document != "" {
				t.Error("it was rendered nevertheless")
			}
			for _, k := range e.Keys {
				if len(k.Secret) > 3 && strings.Contains(err.Error(), k.Secret) {
					t.Error("the error shows a secret")
				}
			}
		})
	}
}
