package reencrypt

import (
	"cmp"
	"strings"

	"google.golang.org/protobuf/proto"
	kmsv2 "k8s.io/apiserver/pkg/storage/value/encrypt/envelope/kmsv2/v2"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Key says under what an object is stored. The zero value is plaintext.
type Key struct {
	// Provider is secretbox, aescbc, aesgcm or kms.
	Provider string `json:"provider,omitempty"`
	// Name is that of the local key, or of the KMS plugin.
	Name string `json:"name,omitempty"`
	// ID is which key the plugin used: its keyID. Empty for local keys.
	ID string `json:"id,omitempty"`
}

// String names the key for people.
func (k Key) String() string {
	switch {
	case k == Key{}:
		return "no key (plaintext)"
	case k.ID != "":
		return k.Provider + " " + k.Name + " " + k.ID
	}
	return k.Provider + " " + k.Name
}

// is tells whether what is stored under k is stored as the key that writes would. A
// writer of a plugin without an ID stands for all of the plugin's keys.
func (k Key) is(writer Key) bool {
	return k == writer || writer.ID == "" && k.Provider == writer.Provider && k.Name == writer.Name
}

// prefix begins everything that the API server encrypted:
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#verifying-that-data-is-encrypted
const prefix = "k8s:enc:"

// Of reads from a value of etcd under which key it is. A value of a provider that is
// not known is under a key without a name, and never under the one that writes.
func Of(value []byte) Key {
	// Everything but the EncryptedObject stands before the fifth colon; names have none.
	head := string(value[:min(len(value), maxHead)])
	rest, encrypted := strings.CutPrefix(head, prefix)
	if !encrypted {
		return Key{}
	}
	parts := strings.SplitN(rest, ":", 4)
	if len(parts) < 4 {
		return Key{Provider: "unknown"}
	}
	key := Key{Provider: parts[0], Name: parts[2]}
	if parts[0] != string(hostconfig.EncryptionKMS) {
		return key
	}
	if parts[1] != "v2" {
		return Key{Provider: parts[0] + " " + parts[1], Name: parts[2]}
	}
	var object kmsv2.EncryptedObject
	if err := proto.Unmarshal(value[len(head)-len(parts[3]):], &object); err != nil || object.KeyID == "" {
		return Key{Provider: "unreadable " + parts[0], Name: parts[2]}
	}
	key.ID = object.KeyID
	return key
}

// maxHead is longer than what stands before a ciphertext: names are labels of DNS.
const maxHead = 512

// Writer gives the key that writes by a configuration. With a plugin its ID is only
// known to the plugin itself.
func Writer(e hostconfig.Encryption) Key {
	e = e.WithDefaults()
	key := Key{Provider: string(e.Provider)}
	if e.Provider == hostconfig.EncryptionKMS {
		if e.KMS != nil {
			key.Name = e.KMS.Name
		}
		return key
	}
	for _, each := range e.Keys {
		if cmp.Or(each.Provider, e.Provider) == e.Provider {
			key.Name = each.Name
			break
		}
	}
	return key
}
