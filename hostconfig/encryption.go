package hostconfig

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
)

// EncryptionProvider names how the API server encrypts what it stores.
type EncryptionProvider string

// Providers of encryption at rest that CIS Kubernetes 1.2.28 accepts.
const (
	// EncryptionSecretbox is XSalsa20 and Poly1305 with a local key.
	EncryptionSecretbox EncryptionProvider = "secretbox"
	// EncryptionAESCBC is AES-CBC with a local key.
	EncryptionAESCBC EncryptionProvider = "aescbc"
	// EncryptionKMS is envelope encryption by a KMS v2 plugin.
	EncryptionKMS EncryptionProvider = "kms"
)

// Encryption says which resources the API server encrypts in etcd, and how.
//
// A change of key, provider or resources is an [EncryptionRotation].
type Encryption struct {
	// Provider encrypts what is written; secretbox by default.
	Provider EncryptionProvider `json:"provider,omitempty"`
	// Keys are the local keys: the first of the Provider writes, all read.
	Keys []EncryptionKey `json:"keys,omitempty"`
	// Resources are what is encrypted, as resource or resource.group; secrets by
	// default, and always among them.
	Resources []string `json:"resources,omitempty"`
	// KMS is the plugin: the writer when Provider is "kms", otherwise a reader.
	KMS *KMS `json:"kms,omitempty"`
	// ReadPlaintext is an explicit state of a migration: what was stored before
	// encryption began can still be read. Nothing is ever written in plaintext.
	ReadPlaintext bool `json:"readPlaintext,omitempty"`
}

// EncryptionKey is one local key.
type EncryptionKey struct {
	// Name is stored beside what the key encrypted: never reuse it for another key.
	Name string `json:"name"`
	// Secret is 32 bytes in base64.
	Secret string `json:"secret"`
	// Provider is set on a key that another provider used, and that now only reads.
	Provider EncryptionProvider `json:"provider,omitempty"`
}

// KMS is a KMS v2 plugin.
type KMS struct {
	// Name is stored beside what the plugin encrypted.
	Name string `json:"name"`
	// Endpoint is the plugin's socket, as "unix:///path".
	Endpoint string `json:"endpoint"`
	// TimeoutSeconds bounds a call to the plugin; 3 by default.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
}

const (
	// encryptionKeyBytes is the only size that secretbox has and the largest of AES.
	encryptionKeyBytes = 32
	// defaultKMSTimeout is upstream's default, in seconds.
	defaultKMSTimeout = 3
)

// WithDefaults gives a copy in which what was left empty has its default.
func (e Encryption) WithDefaults() Encryption {
	setDefault(&e.Provider, EncryptionSecretbox)
	if len(e.Resources) == 0 {
		e.Resources = []string{"secrets"}
	}
	if e.KMS != nil {
		kms := *e.KMS
		setDefault(&kms.TimeoutSeconds, defaultKMSTimeout)
		e.KMS = &kms
	}
	return e
}

// Validate reports everything that is wrong, a missing key included.
func (e Encryption) Validate() error {
	var p problems
	p.encryption("encryption", e.WithDefaults(), true)
	return p.join()
}

// Configuration renders the EncryptionConfiguration. It is a secret. What does
// not validate is not rendered.
func (e Encryption) Configuration() (string, error) {
	return e.render(nil)
}

// render gives the configuration, and a second list for resources that are
// still written in plaintext while other API servers may encrypt them already.
func (e Encryption) render(plaintext []string) (string, error) {
	e = e.WithDefaults()
	if err := e.Validate(); err != nil {
		return "", err
	}
	local := e.localProviders()
	identity := apiserverv1.ProviderConfiguration{Identity: &apiserverv1.IdentityConfiguration{}}
	var providers []apiserverv1.ProviderConfiguration
	// The first provider is the one that writes.
	if e.Provider == EncryptionKMS {
		providers = append([]apiserverv1.ProviderConfiguration{e.kmsProvider()}, local...)
	} else {
		providers = local
		if e.KMS != nil {
			providers = append(providers, e.kmsProvider())
		}
	}
	if e.ReadPlaintext {
		providers = append(providers, identity)
	}
	resources := []apiserverv1.ResourceConfiguration{{Resources: e.Resources, Providers: providers}}
	if len(plaintext) > 0 {
		resources = append(resources, apiserverv1.ResourceConfiguration{
			Resources: plaintext, Providers: append([]apiserverv1.ProviderConfiguration{identity}, local...),
		})
	}
	rendered, err := renderYAML(apiserverv1.EncryptionConfiguration{
		TypeMeta:  metav1.TypeMeta{APIVersion: "apiserver.config.k8s.io/v1", Kind: "EncryptionConfiguration"},
		Resources: resources,
	})
	if err != nil {
		// The upstream error may quote what it failed to encode.
		return "", errors.New("encryption configuration: cannot be encoded")
	}
	return rendered, nil
}

// localProviders gives one entry for each provider that has keys, the writing
// provider first.
func (e Encryption) localProviders() []apiserverv1.ProviderConfiguration {
	var secretbox, aescbc []apiserverv1.Key
	for _, key := range e.Keys {
		upstream := apiserverv1.Key{Name: key.Name, Secret: key.Secret}
		if key.provider(e.Provider) == EncryptionAESCBC {
			aescbc = append(aescbc, upstream)
		} else {
			secretbox = append(secretbox, upstream)
		}
	}
	var providers []apiserverv1.ProviderConfiguration
	if len(secretbox) > 0 {
		providers = append(providers, apiserverv1.ProviderConfiguration{Secretbox: &apiserverv1.SecretboxConfiguration{Keys: secretbox}})
	}
	if len(aescbc) > 0 {
		providers = append(providers, apiserverv1.ProviderConfiguration{AESCBC: &apiserverv1.AESConfiguration{Keys: aescbc}})
	}
	if e.Provider == EncryptionAESCBC {
		slices.Reverse(providers)
	}
	return providers
}

func (k EncryptionKey) provider(configured EncryptionProvider) EncryptionProvider {
	if k.Provider != "" {
		return k.Provider
	}
	return configured
}

func (e Encryption) kmsProvider() apiserverv1.ProviderConfiguration {
	return apiserverv1.ProviderConfiguration{KMS: &apiserverv1.KMSConfiguration{
		APIVersion: "v2", // v1 is off by default and has no key rotation
		Name:       e.KMS.Name,
		Endpoint:   e.KMS.Endpoint,
		Timeout:    &metav1.Duration{Duration: secondsOf(e.KMS.TimeoutSeconds)},
	}}
}

func (p *problems) encryption(field string, e Encryption, withKeys bool) {
	switch e.Provider {
	case EncryptionSecretbox, EncryptionAESCBC:
		writer := slices.ContainsFunc(e.Keys, func(k EncryptionKey) bool { return k.provider(e.Provider) == e.Provider })
		if withKeys && !writer {
			p.add(field+".keys", fmt.Sprintf("no key for %s", e.Provider), "write a key: 32 random bytes in base64")
		}
	case EncryptionKMS:
		if e.KMS == nil {
			p.add(field+".kms", "is missing", "write the name and the socket of the KMS plugin")
		}
	default:
		p.add(field+".provider", fmt.Sprintf("%q does not encrypt (CIS-1.2.28)", e.Provider), "write secretbox, aescbc or kms")
	}
	p.encryptionKeys(field+".keys", e)
	if !coveredBy("secrets", e.Resources) {
		p.add(field+".resources", "secrets are not among them (CIS-1.2.27)", "add secrets")
	}
	p.encryptionResources(field+".resources", e.Resources)
	if e.KMS != nil {
		p.kms(field+".kms", *e.KMS)
	}
}

// encryptionKeys checks the keys without ever quoting a secret.
func (p *problems) encryptionKeys(field string, e Encryption) {
	type id struct {
		provider EncryptionProvider
		name     string
	}
	names, secrets := map[id]bool{}, map[string]bool{}
	for i, key := range e.Keys {
		at := fmt.Sprintf("%s[%d]", field, i)
		provider := key.provider(e.Provider)
		if provider != EncryptionSecretbox && provider != EncryptionAESCBC {
			p.add(at+".provider", fmt.Sprintf("%q has no local keys", provider), "write secretbox or aescbc")
		}
		if key.Name == "" || strings.ContainsAny(key.Name, ": \n") {
			p.add(at+".name", quote(key.Name)+" is not a key name", "write letters, digits and dashes: it is stored before each value, with colons around it")
		}
		if names[id{provider, key.Name}] {
			p.add(at+".name", quote(key.Name)+" names an earlier key", "give a new key a new name, or what the old one wrote cannot be read")
		}
		names[id{provider, key.Name}] = true
		secret, err := base64.StdEncoding.DecodeString(key.Secret)
		// One spelling of each secret: the decoder skips line breaks and spare bits.
		if err != nil || len(secret) != encryptionKeyBytes || base64.StdEncoding.EncodeToString(secret) != key.Secret {
			p.add(at+".secret", "is not 32 bytes in base64", "generate one: head -c 32 /dev/urandom | base64")
		} else if secrets[string(secret)] {
			p.add(at+".secret", "is the secret of an earlier key", "generate a new one: rotating to the same secret rotates nothing")
		}
		secrets[string(secret)] = true
	}
}

func (p *problems) kms(field string, kms KMS) {
	if kms.Name == "" || strings.ContainsAny(kms.Name, ": \n") {
		p.add(field+".name", quote(kms.Name)+" is not a plugin name", "write a name without colons or spaces")
	}
	endpoint, err := url.Parse(kms.Endpoint)
	if err != nil || endpoint.Scheme != "unix" || !strings.HasPrefix(kms.Endpoint, "unix:///") || strings.ContainsAny(kms.Endpoint, " \n") {
		p.add(field+".endpoint", quote(kms.Endpoint)+" is not a local socket", "write unix:///path/of/the/socket")
	}
	if kms.TimeoutSeconds < 1 || kms.TimeoutSeconds > 60 {
		p.add(field+".timeoutSeconds", fmt.Sprintf("%d seconds is no bound", kms.TimeoutSeconds), "write 1 to 60")
	}
}
