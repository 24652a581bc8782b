package reencrypt

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kmsv2 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// TestOf: what is not surely under the key that writes is never taken for it (M18).
func TestOf(t *testing.T) {
	object, err := proto.Marshal(&kmsv2.EncryptedObject{EncryptedData: []byte{0}, KeyID: "k:2", EncryptedDEKSource: []byte(strings.Repeat(":", 600))})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]Key{
		"":                                 {},
		"k8s\x00\n":                        {},
		`{"kind":"Secret"}`:                {},
		"k8s:enc:secretbox:v1:key-1:\x00:": {Provider: "secretbox", Name: "key-1"},
		"k8s:enc:aescbc:v1:key-1:":         {Provider: "aescbc", Name: "key-1"},
		"k8s:enc:aesgcm:v1:key-1:x":        {Provider: "aesgcm", Name: "key-1"},
		"k8s:enc:kms:v2:redoubt:" + string(object):         {Provider: "kms", Name: "redoubt", ID: "k:2"},
		"k8s:enc:kms:v2:redoubt:":                          {Provider: "unreadable kms", Name: "redoubt"},
		"k8s:enc:kms:v2:redoubt:\xff\xff\xff":              {Provider: "unreadable kms", Name: "redoubt"},
		"k8s:enc:kms:v1:redoubt:x":                         {Provider: "kms v1", Name: "redoubt"},
		"k8s:enc:":                                         {Provider: "unknown"},
		"k8s:enc:secretbox:v1:" + strings.Repeat("x", 600): {Provider: "unknown"},
	} {
		if got := Of([]byte(value)); got != want {
			t.Errorf("%.40q is %+v, want %+v", value, got, want)
		}
	}
}

// TestWriter: the first key of the provider writes, whatever stands before it.
func TestWriter(t *testing.T) {
	for want, e := range map[Key]hostconfig.Encryption{
		{Provider: "secretbox", Name: "b"}: {Keys: []hostconfig.EncryptionKey{{Name: "a", Provider: "aescbc"}, {Name: "b"}, {Name: "c"}}},
		{Provider: "aescbc", Name: "a"}:    {Provider: "aescbc", Keys: []hostconfig.EncryptionKey{{Name: "c", Provider: "secretbox"}, {Name: "a"}}},
		{Provider: "kms", Name: "redoubt"}: {Provider: "kms", KMS: &hostconfig.KMS{Name: "redoubt"}, Keys: []hostconfig.EncryptionKey{{Name: "a", Provider: "secretbox"}}},
	} {
		if got := Writer(e); got != want {
			t.Errorf("%+v writes, and not %+v", got, want)
		}
	}
	under := Report{Under: map[string]map[Key]int{"secrets": {{}: 1, {Provider: "kms", Name: "redoubt", ID: "1"}: 2, {Provider: "kms", Name: "redoubt", ID: "2"}: 4, {Provider: "secretbox", Name: "redoubt"}: 8}}}
	for writer, want := range map[Key]int{
		{Provider: "kms", Name: "redoubt", ID: "2"}:  11,
		{Provider: "kms", Name: "redoubt"}:           9, // a plugin whose key is not known
		{Provider: "secretbox", Name: "redoubt"}:     7,
		{Provider: "secretbox", Name: "another one"}: 15,
	} {
		if got := under.Left(writer); got != want {
			t.Errorf("%d are left beside %s, want %d", got, writer, want)
		}
	}
}

// TestPlace has one of each kind; test/node asks a real API server.
func TestPlace(t *testing.T) {
	for resource, want := range map[string]string{
		"secrets": "/registry/secrets/", "nodes": "/registry/minions/", "endpoints": "/registry/services/endpoints/", "ingresses.networking.k8s.io": "/registry/ingress/",
		"leases.coordination.k8s.io": "/registry/leases/", "deployments.apps": "/registry/deployments/", "gateways.gateway.networking.k8s.io": "/registry/gateway.networking.k8s.io/gateways/",
		"customresourcedefinitions.apiextensions.k8s.io": "/registry/apiextensions.k8s.io/customresourcedefinitions/", "apiservices.apiregistration.k8s.io": "/registry/apiregistration.k8s.io/apiservices/",
	} {
		if got := place(schema.ParseGroupResource(resource)); got != want {
			t.Errorf("%s is at %s, want %s", resource, got, want)
		}
	}
}
