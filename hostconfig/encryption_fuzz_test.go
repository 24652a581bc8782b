package hostconfig

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	apiservervalidation "k8s.io/apiserver/pkg/apis/apiserver/validation"
)

// apiServerObject decodes a configuration file as the API server does: strictly,
// with upstream's defaults.
func apiServerObject(t testing.TB, document string) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	install.Install(scheme)
	object, err := runtime.Decode(serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder(), []byte(document))
	if err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
	return object
}

func upstreamEncryption(t testing.TB, document string) {
	t.Helper()
	configuration := apiServerObject(t, document).(*apiserver.EncryptionConfiguration)
	if found := apiservervalidation.ValidateEncryptionConfiguration(configuration, false); len(found) > 0 {
		t.Fatalf("%v:\n%s", found.ToAggregate(), document)
	}
}

// FuzzEncryption: what is accepted is accepted by the API server too, and is the
// same after it was read back.
func FuzzEncryption(f *testing.F) {
	f.Add("secretbox", "one", "secrets,configmaps", "", "", 0)
	f.Add("aescbc", "two", "*.*", "vault", "unix:///run/kms.sock", 5)
	f.Add("kms", "", "secrets,*.apps,events.k8s.io", "vault", "unix:///a%zz", 1)
	f.Add("secretbox", "a", "*.,deployments.apps", "", "", 0)
	f.Add("secretbox", "a", "secrets,ingresses.extensions,apiserveripinfo,pods.*", "", "", 0)
	f.Add("kms", "a", "secrets", "vault", "unix:///a#b?c", 60)
	f.Fuzz(func(t *testing.T, provider, name, resources, plugin, endpoint string, timeout int) {
		e := Encryption{Provider: EncryptionProvider(provider), Resources: strings.Split(resources, ",")}
		if name != "" {
			e.Keys = []EncryptionKey{key(name, 'a', EncryptionSecretbox), key(name+"2", 'b', EncryptionAESCBC)}
		}
		if plugin != "" {
			e.KMS = &KMS{Name: plugin, Endpoint: endpoint, TimeoutSeconds: timeout}
		}
		document, err := e.Configuration()
		if err != nil {
			return
		}
		upstreamEncryption(t, document)
		parsed, err := ParseEncryption(document)
		if err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		if again, err := parsed.Configuration(); err != nil || again != document {
			t.Fatalf("%v: read back as:\n%s\ninstead of:\n%s", err, again, document)
		}
	})
}

// FuzzParseEncryption: no document makes the parser fail otherwise than with an
// error, and what it reads can be run.
func FuzzParseEncryption(f *testing.F) {
	for _, e := range encryptions() {
		document, err := e.Configuration()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	for _, r := range rotations() {
		document, err := r.ConfigurationIn(EncryptionAdd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Add("")
	f.Add("kind: EncryptionConfiguration\napiVersion: apiserver.config.k8s.io/v1\nresources:\n- resources: [secrets]\n  providers: [{}]\n")
	f.Fuzz(func(t *testing.T, document string) {
		e, err := ParseEncryption(document)
		if err != nil {
			return
		}
		rendered, err := e.Configuration()
		if err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		upstreamEncryption(t, rendered)
	})
}
