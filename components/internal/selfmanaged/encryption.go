package selfmanaged

import (
	"fmt"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// encryptionKeyBytes is the size of a key of secretbox.
const encryptionKeyBytes = 32

// NewEncryptionKeys makes a local key for each name, for clusters that encrypt
// with secretbox: the first writes, all read. Each is a secret in base64.
func NewEncryptionKeys(ctx *pulumi.Context, name string, names []string, opts ...pulumi.ResourceOption) (pulumi.StringArrayOutput, error) {
	var made pulumi.StringArray
	for _, each := range names {
		key, err := random.NewRandomBytes(ctx, fmt.Sprintf("%s-encryption-%s", name, each), &random.RandomBytesArgs{Length: pulumi.Int(encryptionKeyBytes)}, opts...)
		if err != nil {
			return pulumi.StringArrayOutput{}, err
		}
		made = append(made, key.Base64)
	}
	return made.ToStringArrayOutput(), nil
}

// EncryptionKeys gives the keys as the encryption of a cluster takes them.
func EncryptionKeys(names, secrets []string) []hostconfig.EncryptionKey {
	var keys []hostconfig.EncryptionKey
	for i, name := range names {
		keys = append(keys, hostconfig.EncryptionKey{Name: name, Secret: secrets[i]})
	}
	return keys
}
