package hostconfig

import (
	"fmt"
	"slices"
	"strings"
)

// EncryptionState is one state of a rotation.
type EncryptionState string

// The states of a rotation, in their order, after
// https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#rotating-a-decryption-key
const (
	// EncryptionBefore: the earlier keys alone.
	EncryptionBefore EncryptionState = "before"
	// EncryptionAdd: the earlier key writes, the new one can be read. Until every
	// API server is here, none may write with the new key: the others would
	// answer reads of what it wrote with an error.
	EncryptionAdd EncryptionState = "add"
	// EncryptionPromote: the new key writes, the earlier ones can be read.
	EncryptionPromote EncryptionState = "promote"
	// EncryptionRewrite: the same configuration; every stored object is written
	// again, with the new key.
	EncryptionRewrite EncryptionState = "rewrite"
	// EncryptionRetire: the new key alone. What was not rewritten is lost.
	EncryptionRetire EncryptionState = "retire"
)

var encryptionStates = []EncryptionState{EncryptionBefore, EncryptionAdd, EncryptionPromote, EncryptionRewrite, EncryptionRetire}

// EncryptionRotation is a change of key, of provider, or of what is encrypted,
// as plain data: it can be kept between two steps and continued by somebody
// else. It holds keys and is therefore a secret.
//
// It is a value: every step gives the rotation after it, and leaves the
// receiver as it was. In each of the states [EncryptionRotation.Configuration]
// is what every API server must run before the next one may be entered.
type EncryptionRotation struct {
	// From is what the API servers ran before, To what they run in the end.
	From Encryption `json:"from"`
	To   Encryption `json:"to"`
	// Servers are the names of all API servers. At least one.
	Servers []string `json:"servers"`
	// State is EncryptionBefore by default.
	State EncryptionState `json:"state,omitempty"`
	// Applied are the servers that run the state's configuration.
	Applied []string `json:"applied,omitempty"`
	// Rewritten are the entries of To.Resources whose objects were all written
	// again since every server writes with the new key.
	Rewritten []string `json:"rewritten,omitempty"`
}

func (r EncryptionRotation) withDefaults() EncryptionRotation {
	r.From, r.To = r.From.WithDefaults(), r.To.WithDefaults()
	setDefault(&r.State, EncryptionBefore)
	return r
}

// Validate reports everything that is wrong with the rotation, as joined
// [FieldError] values.
func (r EncryptionRotation) Validate() error {
	r = r.withDefaults()
	var p problems
	p.encryption("rotation.from", r.From, true)
	p.encryption("rotation.to", r.To, true)
	p.rotationChange(r)
	if len(r.Servers) == 0 {
		p.add("rotation.servers", "is empty", "name every API server")
	}
	for i, server := range r.Servers {
		if server == "" || slices.Contains(r.Servers[:i], server) {
			p.add(fmt.Sprintf("rotation.servers[%d]", i), quote(server)+" is empty or repeated", "name every API server once")
		}
	}
	p.rotationProgress(r)
	return p.join()
}

// rotationChange wants a change in which nothing becomes unreadable.
func (p *problems) rotationChange(r EncryptionRotation) {
	for i, key := range r.To.Keys {
		at := fmt.Sprintf("rotation.to.keys[%d]", i)
		for _, earlier := range r.From.Keys {
			sameName := key.Name == earlier.Name && key.provider(r.To.Provider) == earlier.provider(r.From.Provider)
			switch {
			case sameName && key.Secret != earlier.Secret:
				p.add(at+".name", quote(key.Name)+" names another key in what was before", "give the new key a new name, or what the old one wrote cannot be read")
			case !sameName && key.Secret == earlier.Secret:
				p.add(at+".secret", "is the secret of an earlier key", "generate a new one: rotating to the same secret rotates nothing")
			}
		}
	}
	if r.From.KMS != nil && r.To.KMS != nil && r.From.KMS.Name != r.To.KMS.Name {
		p.add("rotation.to.kms.name", fmt.Sprintf("%q replaces the plugin %q", r.To.KMS.Name, r.From.KMS.Name),
			"go through a local key: rotate to secretbox first, then to the new plugin")
	}
	for _, resource := range r.From.Resources {
		if !coveredBy(resource, r.To.Resources) {
			p.add("rotation.to.resources", quote(resource)+" is no longer encrypted (CIS-1.2.27), and what is stored could not be read", "keep it")
		}
	}
	// The API server wants every plugin's name once, so that there cannot be a
	// second list of providers for what is not encrypted yet.
	if (r.From.KMS != nil || r.To.KMS != nil) && len(r.Servers) > 1 && len(r.pending()) > 0 {
		p.add("rotation.to.resources", "adds "+strings.Join(r.pending(), ", ")+" while several API servers use a KMS plugin",
			"rotate to a local key, add the resources there, and rotate back")
	}
	if from, err := r.From.Configuration(); err == nil {
		if to, err := r.To.Configuration(); err == nil && from == to {
			p.add("rotation.to", "is what was before", "write a new key first, and keep the old one out")
		}
	}
}

// rotationProgress wants a state that the steps could have reached.
func (p *problems) rotationProgress(r EncryptionRotation) {
	if !slices.Contains(encryptionStates, r.State) {
		p.add("rotation.state", quote(string(r.State))+" is not a state", "write before, add, promote, rewrite or retire")
	}
	for _, server := range r.Applied {
		if !slices.Contains(r.Servers, server) {
			p.add("rotation.applied", quote(server)+" is not an API server of this rotation", "name one of rotation.servers")
		}
	}
	if len(r.Rewritten) > 0 && r.State != EncryptionRewrite && r.State != EncryptionRetire {
		p.add("rotation.rewritten", fmt.Sprintf("is filled in the state %s, before any object was written with the new key", r.State),
			"leave it empty until the state rewrite, or what only the old key can read would be lost")
	}
	if r.State == EncryptionRewrite && !r.applied() {
		p.add("rotation.applied", "lacks "+strings.Join(r.missing(r.Servers, r.Applied), ", "), "every API server writes with the new key before the rewrite begins")
	}
	if r.State == EncryptionRetire && !r.rewritten() {
		p.add("rotation.rewritten", "lacks "+strings.Join(r.missing(r.To.Resources, r.Rewritten), ", "), "rewrite every object before the old key goes")
	}
}

// pending are the resources that the rotation begins to encrypt.
func (r EncryptionRotation) pending() []string {
	return slices.DeleteFunc(slices.Clone(r.To.Resources), func(resource string) bool { return coveredBy(resource, r.From.Resources) })
}

func (r EncryptionRotation) missing(wanted, have []string) []string {
	return slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return slices.Contains(have, name) })
}

func (r EncryptionRotation) applied() bool { return len(r.missing(r.Servers, r.Applied)) == 0 }

func (r EncryptionRotation) rewritten() bool {
	return len(r.missing(r.To.Resources, r.Rewritten)) == 0
}

// Retiring names the keys and the plugin that the rotation removes, quoted.
func (r EncryptionRotation) Retiring() []string {
	r = r.withDefaults()
	var names []string
	for _, key := range r.From.Keys {
		if _, kept := r.To.find(key, r.From.Provider); !kept {
			names = append(names, quote(key.Name))
		}
	}
	if r.From.KMS != nil && r.To.KMS == nil {
		names = append(names, quote(r.From.KMS.Name))
	}
	return names
}

// Configuration renders the EncryptionConfiguration of the rotation's state,
// which is a secret.
func (r EncryptionRotation) Configuration() (string, error) {
	r = r.withDefaults()
	if err := r.Validate(); err != nil {
		return "", err
	}
	return r.ConfigurationIn(r.State)
}

// ConfigurationIn renders the EncryptionConfiguration of any state. A single API
// server, which is stopped for every change, may go to promote at once: nobody
// else reads what it writes.
func (r EncryptionRotation) ConfigurationIn(state EncryptionState) (string, error) {
	r = r.withDefaults()
	r.State, r.Applied, r.Rewritten = state, r.Servers, nil
	if state == EncryptionRewrite || state == EncryptionRetire {
		r.Rewritten = r.To.Resources
	}
	if err := r.Validate(); err != nil {
		return "", err
	}
	switch state {
	case EncryptionBefore:
		return r.From.Configuration()
	case EncryptionRetire:
		return r.To.Configuration()
	case EncryptionAdd:
		var plaintext []string
		if r.From.KMS == nil && r.To.KMS == nil {
			// Another server may soon write these with the new key, so that this
			// one must be able to read them, while it goes on writing plaintext.
			plaintext = r.pending()
		}
		return r.From.reading(r.To).render(plaintext)
	}
	promoted := r.To.reading(r.From)
	promoted.ReadPlaintext = promoted.ReadPlaintext || r.From.ReadPlaintext || len(r.pending()) > 0
	return promoted.render(nil)
}

// find looks a key of another encryption up by what is stored beside values:
// its provider and its name.
func (e Encryption) find(key EncryptionKey, configured EncryptionProvider) (EncryptionKey, bool) {
	for _, have := range e.Keys {
		if have.Name == key.Name && have.provider(e.Provider) == key.provider(configured) {
			return have, true
		}
	}
	return EncryptionKey{}, false
}

// reading adds every key and the plugin of another encryption, for reading only.
func (e Encryption) reading(other Encryption) Encryption {
	e.Keys = slices.Clone(e.Keys)
	for _, key := range other.Keys {
		if _, known := e.find(key, other.Provider); known {
			continue
		}
		key.Provider = key.provider(other.Provider)
		if key.Provider == e.Provider {
			key.Provider = ""
		}
		e.Keys = append(e.Keys, key)
	}
	if e.KMS == nil {
		e.KMS = other.KMS
	}
	return e
}
