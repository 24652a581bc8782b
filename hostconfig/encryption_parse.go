package hostconfig

import (
	"errors"
	"fmt"
	"slices"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"
)

// ParseEncryption reads an EncryptionConfiguration back, so that a rotation can
// begin from what a machine has. It reads what [Encryption.Configuration] and
// [EncryptionRotation.Configuration] render; a document with several lists of
// providers becomes one [Encryption] that reads what any of them reads.
// Resources that are not encrypted yet, whose first provider is identity, are
// left out. Errors never quote a key.
func ParseEncryption(document string) (Encryption, error) {
	var configuration apiserverv1.EncryptionConfiguration
	if err := yaml.UnmarshalStrict([]byte(document), &configuration); err != nil {
		// The decoder's error may quote the document.
		return Encryption{}, errors.New("encryption configuration: is not an EncryptionConfiguration of apiserver.config.k8s.io/v1")
	}
	if configuration.Kind != "EncryptionConfiguration" || configuration.APIVersion != "apiserver.config.k8s.io/v1" {
		return Encryption{}, fmt.Errorf("encryption configuration: %s %s is another kind", quote(configuration.APIVersion), quote(configuration.Kind))
	}
	var e Encryption
	for _, group := range configuration.Resources {
		encrypted := len(group.Providers) > 0 && group.Providers[0].Identity == nil
		if encrypted {
			e.Resources = append(e.Resources, group.Resources...)
		}
		for _, provider := range group.Providers {
			if err := e.parseProvider(provider, encrypted); err != nil {
				return Encryption{}, err
			}
		}
	}
	if e.Provider == "" {
		return Encryption{}, errors.New("encryption configuration: no provider that encrypts")
	}
	return e, e.Validate()
}

// parseProvider adds one provider; the first that encrypts is the writer.
func (e *Encryption) parseProvider(p apiserverv1.ProviderConfiguration, encrypted bool) error {
	keys := func(provider EncryptionProvider, keys []apiserverv1.Key) {
		setDefault(&e.Provider, provider)
		for _, upstream := range keys {
			key := EncryptionKey{Name: upstream.Name, Secret: upstream.Secret}
			if provider != e.Provider {
				key.Provider = provider
			}
			if !slices.Contains(e.Keys, key) {
				e.Keys = append(e.Keys, key)
			}
		}
	}
	switch {
	case p.Secretbox != nil:
		keys(EncryptionSecretbox, p.Secretbox.Keys)
	case p.AESCBC != nil:
		keys(EncryptionAESCBC, p.AESCBC.Keys)
	case p.KMS != nil:
		setDefault(&e.Provider, EncryptionKMS)
		kms := KMS{Name: p.KMS.Name, Endpoint: p.KMS.Endpoint, TimeoutSeconds: defaultKMSTimeout}
		if p.KMS.Timeout != nil {
			kms.TimeoutSeconds = int(p.KMS.Timeout.Seconds())
		}
		if p.KMS.APIVersion != "v2" {
			return fmt.Errorf("encryption configuration: the plugin %s speaks %s, not v2", quote(kms.Name), quote(p.KMS.APIVersion))
		}
		if e.KMS != nil && *e.KMS != kms {
			return fmt.Errorf("encryption configuration: two KMS plugins, %s and %s", quote(e.KMS.Name), quote(kms.Name))
		}
		e.KMS = &kms
	case p.Identity != nil:
		e.ReadPlaintext = e.ReadPlaintext || encrypted
	default:
		return errors.New("encryption configuration: a provider that is none of secretbox, aescbc, kms and identity")
	}
	return nil
}
