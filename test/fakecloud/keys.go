package fakecloud

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Key is a symmetric key of the key service.
type Key struct {
	// ID is a UUID on AWS, "RING/NAME" on GCP.
	ID string
	// Policy is AWS's key policy.
	Policy string
	// Grants are GCP's bindings on the key.
	Grants []Grant
	// Disabled keys refuse every use.
	Disabled bool
}

type key struct {
	Key
	statements []statement
	grants     []grant
	versions   []cipher.AEAD // the newest last
	disabled   map[int]bool  // versions, from 1
}

// AddKey adds a key.
func (c *Cloud) AddKey(k Key) error {
	made := &key{Key: k}
	if c.provider == AWS {
		statements, err := parsePolicy(k.Policy, true)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.ID, err)
		}
		made.statements = statements
	}
	for _, each := range k.Grants {
		compiled, err := compileGrant(each)
		if err != nil {
			return fmt.Errorf("key %s: %w", k.ID, err)
		}
		made.grants = append(made.grants, compiled)
	}
	made.rotate()
	c.lock.Lock()
	defer c.lock.Unlock()
	c.keys[k.ID] = made
	return nil
}

// RotateKey gives a key a new version, with which it encrypts from now on.
func (c *Cloud) RotateKey(id string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.keys[id].rotate()
}

// DisableKey turns a key off or on.
func (c *Cloud) DisableKey(id string, disabled bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.keys[id].Disabled = disabled
}

// DisableVersion turns one version of a key of GCP off, from 1: what it encrypted
// cannot be decrypted.
func (c *Cloud) DisableVersion(id string, version int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	k := c.keys[id]
	if k.disabled == nil {
		k.disabled = map[int]bool{}
	}
	k.disabled[version] = true
}

// KeyID finds a key by what [Cloud.KeyName] gives.
func (c *Cloud) KeyID(name string) (id string, found bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	for id, k := range c.keys {
		if c.keyName(k) == name {
			return id, true
		}
	}
	return "", false
}

func (k *key) rotate() {
	material := make([]byte, 32)
	_, _ = rand.Read(material) // never fails (crypto/rand)
	block, err := aes.NewCipher(material)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			k.versions = append(k.versions, aead)
		}
	}
	if err != nil {
		panic(err) // 32 bytes are a key of AES
	}
}

// KeyName is the key's ARN on AWS, its resource name on GCP.
func (c *Cloud) KeyName(id string) string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.keyName(c.keys[id])
}

func (c *Cloud) keyName(k *key) string {
	if c.provider == AWS {
		return "arn:aws:kms:" + c.region + ":" + c.account + ":key/" + k.ID
	}
	ring, name := "ring", k.ID
	for i := range k.ID {
		if k.ID[i] == '/' {
			ring, name = k.ID[:i], k.ID[i+1:]
		}
	}
	return "projects/" + c.account + "/locations/" + c.region + "/keyRings/" + ring + "/cryptoKeys/" + name
}

// blob is a ciphertext: which key and version made it, and what they made.
type blob struct {
	Key     string
	Version int
	Data    []byte
}

// seal encrypts under the newest version; context must be given again to open.
func (k *key) seal(plain, context []byte) (data []byte, version int) {
	version = len(k.versions) - 1
	data, err := json.Marshal(blob{k.ID, version, k.versions[version].Seal(nil, nil, plain, context)})
	if err != nil {
		panic(err) // strings and bytes
	}
	return data, version
}

func (k *key) open(data, context []byte) ([]byte, error) {
	var b blob
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, err
	}
	if b.Key != k.ID || b.Version < 0 || b.Version >= len(k.versions) {
		return nil, errors.New("another key made it: version " + strconv.Itoa(b.Version) + " of " + b.Key)
	}
	if k.disabled[b.Version+1] {
		return nil, errors.New("version " + strconv.Itoa(b.Version+1) + " of " + b.Key + " is disabled")
	}
	return k.versions[b.Version].Open(nil, nil, b.Data, context)
}
