package hostconfig

import (
	"fmt"
	"slices"
	"strings"
)

// Apply records that a server was restarted with the state's configuration.
func (r EncryptionRotation) Apply(server string) (EncryptionRotation, error) {
	r = r.withDefaults()
	if err := r.Validate(); err != nil {
		return r, err
	}
	if !slices.Contains(r.Servers, server) {
		return r, fieldError("rotation.applied", quote(server)+" is not an API server of this rotation", "name one of "+strings.Join(r.Servers, ", "))
	}
	if !slices.Contains(r.Applied, server) {
		r.Applied = append(slices.Clone(r.Applied), server)
	}
	return r, nil
}

// Rewrite records that every object of a resource was written again. It is
// refused before every server writes with the new key: an object that another
// one wrote in between would still have the old key.
func (r EncryptionRotation) Rewrite(resource string) (EncryptionRotation, error) {
	r = r.withDefaults()
	if err := r.Validate(); err != nil {
		return r, err
	}
	if r.State != EncryptionRewrite {
		return r, fieldError("rotation.rewritten", fmt.Sprintf("nothing counts as rewritten in the state %s", r.State),
			"advance to rewrite, and write every object again there")
	}
	if !slices.Contains(r.To.Resources, resource) {
		return r, fieldError("rotation.rewritten", quote(resource)+" is not an entry of the encrypted resources",
			"name one of "+strings.Join(r.To.Resources, ", "))
	}
	if !slices.Contains(r.Rewritten, resource) {
		r.Rewritten = append(slices.Clone(r.Rewritten), resource)
	}
	return r, nil
}

// Advance enters the next state. It refuses to skip one, to go back, to go on
// while a server lags behind, and to retire a key while an object may need it.
func (r EncryptionRotation) Advance(to EncryptionState) (EncryptionRotation, error) {
	r = r.withDefaults()
	if err := r.Validate(); err != nil {
		return r, err
	}
	current := slices.Index(encryptionStates, r.State)
	if current == len(encryptionStates)-1 {
		return r, fieldError("rotation.state", "is the last one", "begin another rotation")
	}
	next := encryptionStates[current+1]
	if to != next {
		return r, fieldError("rotation.state", fmt.Sprintf("%s does not follow %s", quote(string(to)), r.State),
			fmt.Sprintf("advance to %s: a state that is skipped leaves objects that some API server cannot read", next))
	}
	if r.State != EncryptionBefore && !r.applied() {
		return r, fieldError("rotation.applied", fmt.Sprintf("%s still lack the configuration of %s", strings.Join(r.missing(r.Servers, r.Applied), ", "), r.State),
			"restart them with it first")
	}
	if to == EncryptionRetire && !r.rewritten() {
		return r, fieldError("rotation.rewritten", "lacks "+strings.Join(r.missing(r.To.Resources, r.Rewritten), ", "),
			"write every object again first: what only the old key can read would be lost")
	}
	// The rewrite needs no restart: its configuration is that of promote.
	if to != EncryptionRewrite {
		r.Applied = nil
	}
	r.State = to
	return r, nil
}

// Done tells whether every server runs with the new keys alone.
func (r EncryptionRotation) Done() bool {
	return r.State == EncryptionRetire && r.applied() && r.Validate() == nil
}

// ResumeEncryptionRotation finds the state of a rotation from the configuration
// that each API server runs, by its name. That objects were rewritten cannot be
// seen there: unless a server runs without the old keys already, the rewrite
// begins anew, which does no harm.
func ResumeEncryptionRotation(from, to Encryption, running map[string]string) (EncryptionRotation, error) {
	r := EncryptionRotation{From: from, To: to}.withDefaults()
	for server := range running {
		r.Servers = append(r.Servers, server)
	}
	slices.Sort(r.Servers)
	if err := r.Validate(); err != nil {
		return r, err
	}
	// Where two states have one configuration the earlier counts, so that
	// nothing is taken for done that was not.
	restarts := []EncryptionState{EncryptionBefore, EncryptionAdd, EncryptionPromote, EncryptionRetire}
	at := map[string]int{}
	earliest, latest := len(restarts), 0
	for _, server := range r.Servers {
		found := -1
		for i, state := range restarts {
			document, err := r.ConfigurationIn(state)
			if err != nil {
				return r, err
			}
			if document == running[server] {
				found = i
				break
			}
		}
		if found < 0 {
			return r, fieldError("rotation.servers", quote(server)+" runs a configuration of no state of this rotation",
				"restore the one that it had before, or read it with ParseEncryption and begin a rotation from there")
		}
		at[server] = found
		earliest, latest = min(earliest, found), max(latest, found)
	}
	if latest-earliest > 1 {
		return r, fieldError("rotation.servers", fmt.Sprintf("some run %s and some run %s: a state was skipped", restarts[earliest], restarts[latest]),
			fmt.Sprintf("restart those of %s with the configuration of %s", restarts[latest], restarts[latest-1]))
	}
	r.State = restarts[latest]
	if r.State == EncryptionRetire {
		r.Rewritten = slices.Clone(r.To.Resources)
	}
	for _, server := range r.Servers {
		if at[server] == latest {
			r.Applied = append(r.Applied, server)
		}
	}
	return r, nil
}
