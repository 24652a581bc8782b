package provider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// EncryptionAtRest says how the API server encrypts what it stores (M18).
type EncryptionAtRest struct {
	// Path is the EncryptionConfiguration inside the machine.
	Path string `pulumi:"path"`
	// Provider is secretbox, aescbc or kms.
	Provider  string   `pulumi:"provider"`
	Resources []string `pulumi:"resources,optional"`
	// KeyName and KeySecret (base64) are the local key that writes.
	KeyName   *string `pulumi:"keyName,optional"`
	KeySecret *string `pulumi:"keySecret,optional" provider:"secret"`
	// KMSName and KMSEndpoint are the KMS v2 plugin that writes.
	KMSName     *string `pulumi:"kmsName,optional"`
	KMSEndpoint *string `pulumi:"kmsEndpoint,optional"`
}

// desired is the encryption with one writer and nothing else.
func (e EncryptionAtRest) desired() hostconfig.Encryption {
	out := hostconfig.Encryption{Provider: hostconfig.EncryptionProvider(e.Provider), Resources: e.Resources}
	if out.Provider == hostconfig.EncryptionKMS {
		out.KMS = &hostconfig.KMS{Name: deref(e.KMSName), Endpoint: deref(e.KMSEndpoint)}
		return out
	}
	out.Keys = []hostconfig.EncryptionKey{{Name: deref(e.KeyName), Secret: deref(e.KeySecret)}}
	return out
}

// writer is the name of the key or plugin that writes.
func (e EncryptionAtRest) writer() string {
	if e.Provider == string(hostconfig.EncryptionKMS) {
		return deref(e.KMSName)
	}
	return deref(e.KeyName)
}

// storedPrefix is what the stored bytes of an encrypted object begin with,
// from the API server's envelope format.
func (e EncryptionAtRest) storedPrefix() string {
	if e.Provider == string(hostconfig.EncryptionKMS) {
		return "k8s:enc:kms:v2:" + e.writer() + ":"
	}
	return "k8s:enc:" + e.Provider + ":v1:" + e.writer() + ":"
}

// rotation is the way from the keys on the machine to the declared one. Each
// state is derived from the file on the machine, so that an interrupted
// rotation goes on where it stopped:
//
//	add and promote: the new key writes, every key on the machine still reads
//	rewrite:         every object is written again
//	retire:          the new key alone
type rotation struct {
	needed         bool
	reading, final File
	retiring       string
}

func (in ControlPlaneInputs) rotation() (rotation, error) {
	e := in.Encryption
	file := func(encryption hostconfig.Encryption) (File, error) {
		contents, err := encryption.Configuration()
		return File{Path: e.Path, Mode: 0o600, Owner: "root", Contents: contents}, err
	}
	final, err := file(e.desired())
	if err != nil {
		return rotation{}, err
	}
	onMachine, err := os.ReadFile(in.Machine.hostPath(e.Path))
	if os.IsNotExist(err) || string(onMachine) == final.Contents {
		return rotation{reading: final, final: final}, nil
	}
	if err != nil {
		return rotation{}, err
	}
	both, retiring, err := withReaders(e.desired(), onMachine)
	if err != nil {
		return rotation{}, fmt.Errorf("%s on the control plane cannot be read: %w; "+
			"restore it from a backup: without its keys the stored secrets are lost", e.Path, err)
	}
	if both.KMS != nil && !in.Machine.seesKMS() {
		return rotation{}, fmt.Errorf("what is stored was encrypted by the KMS plugin %q, which the settings no longer have: "+
			"keep encryption.kmsName and encryption.kmsEndpoint until an update has moved everything to the local key", both.KMS.Name)
	}
	reading, err := file(both)
	return rotation{needed: true, reading: reading, final: final, retiring: retiring}, err
}

// seesKMS reports whether the machine reaches the socket of a KMS plugin.
func (m Machine) seesKMS() bool {
	for _, b := range m.Binds {
		if b.Target == (hostconfig.Paths{}).KMSDir() {
			return true
		}
	}
	return !m.Isolated
}

// withReaders adds every key and plugin of an EncryptionConfiguration to the
// desired encryption, for reading only, and names those that are new to it.
func withReaders(desired hostconfig.Encryption, configuration []byte) (hostconfig.Encryption, string, error) {
	var current apiserverv1.EncryptionConfiguration
	if err := yaml.UnmarshalStrict(configuration, &current); err != nil {
		return desired, "", err
	}
	var retiring []string
	add := func(provider hostconfig.EncryptionProvider, keys []apiserverv1.Key) error {
		for _, key := range keys {
			known := false
			for _, have := range desired.Keys {
				if have.Name == key.Name && have.Secret != key.Secret {
					return fmt.Errorf("two different keys are named %q: give the new key a new name", key.Name)
				}
				known = known || have.Name == key.Name
			}
			if known {
				continue
			}
			reader := hostconfig.EncryptionKey{Name: key.Name, Secret: key.Secret}
			if provider != desired.Provider {
				reader.Provider = provider
			}
			desired.Keys = append(desired.Keys, reader)
			retiring = append(retiring, fmt.Sprintf("%q", key.Name))
		}
		return nil
	}
	for _, resource := range current.Resources {
		for _, p := range resource.Providers {
			var err error
			switch {
			case p.Secretbox != nil:
				err = add(hostconfig.EncryptionSecretbox, p.Secretbox.Keys)
			case p.AESCBC != nil:
				err = add(hostconfig.EncryptionAESCBC, p.AESCBC.Keys)
			case p.KMS != nil && desired.KMS == nil:
				desired.KMS = &hostconfig.KMS{Name: p.KMS.Name, Endpoint: p.KMS.Endpoint}
				retiring = append(retiring, fmt.Sprintf("%q", p.KMS.Name))
			case p.KMS != nil && desired.KMS.Name != p.KMS.Name:
				err = errors.New("a change from one KMS plugin to another goes through a local key: set encryption.provider to secretbox first")
			case p.Identity != nil:
				desired.ReadPlaintext = true
			}
			if err != nil {
				return desired, "", err
			}
		}
	}
	if len(retiring) == 0 {
		retiring = []string{"the earlier configuration"}
	}
	return desired, strings.Join(retiring, ", "), nil
}

// rewrite writes every encrypted resource again and then reads etcd itself to
// prove that nothing is left under another key.
func (in ControlPlaneInputs) rewrite(ctx context.Context) error {
	resources := in.Encryption.Resources
	if len(resources) == 0 {
		resources = []string{"secrets"}
	}
	for _, resource := range resources {
		if err := rewriteResource(ctx, in.Kubeconfig.Path, resource); err != nil {
			return fmt.Errorf("rewriting %s under the new key: %w; both keys still read: run the update again", resource, err)
		}
		if err := in.proveStored(ctx, resource); err != nil {
			return err
		}
	}
	return nil
}
