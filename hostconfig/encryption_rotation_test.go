package hostconfig

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func rotations() map[string]EncryptionRotation {
	plugin := &KMS{Name: "vault", Endpoint: "unix:///run/kms/vault.sock"}
	old, next := key("old", 'a', ""), key("new", 'b', "")
	one, two := []string{"a"}, []string{"a", "b"}
	return map[string]EncryptionRotation{
		"secretbox":           {From: Encryption{Keys: []EncryptionKey{old}}, To: Encryption{Keys: []EncryptionKey{next}}, Servers: two},
		"secretbox-to-aescbc": {From: Encryption{Keys: []EncryptionKey{old}}, To: Encryption{Provider: EncryptionAESCBC, Keys: []EncryptionKey{next}}, Servers: two},
		"secretbox-to-kms":    {From: Encryption{Keys: []EncryptionKey{old}}, To: Encryption{Provider: EncryptionKMS, KMS: plugin}, Servers: one},
		"kms-to-secretbox":    {From: Encryption{Provider: EncryptionKMS, KMS: plugin}, To: Encryption{Keys: []EncryptionKey{next}}, Servers: two},
		"more-resources": {From: Encryption{Keys: []EncryptionKey{old}},
			To: Encryption{Keys: []EncryptionKey{next}, Resources: []string{"secrets", "configmaps"}}, Servers: two},
		"no-more-plaintext": {From: Encryption{Keys: []EncryptionKey{old}, ReadPlaintext: true}, To: Encryption{Keys: []EncryptionKey{old}}, Servers: one},
	}
}

// walk takes a rotation through all states, and visits each with its document.
func walk(t *testing.T, r EncryptionRotation, visit func(EncryptionRotation, string)) {
	t.Helper()
	must := func(next EncryptionRotation, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		r = next
	}
	r.State = EncryptionBefore
	for i, state := range encryptionStates {
		if i > 0 {
			must(r.Advance(state))
		}
		document, err := r.Configuration()
		if err != nil {
			t.Fatal(err)
		}
		visit(r, document)
		for _, server := range r.Servers {
			must(r.Apply(server))
		}
		if state == EncryptionRewrite {
			for _, resource := range r.To.Resources {
				must(r.Rewrite(resource))
			}
		}
	}
	if !r.Done() {
		t.Error("it is not done at its end")
	}
	if _, err := r.Advance(EncryptionBefore); err == nil {
		t.Error("it goes on after its end")
	}
}

func TestRotationStates(t *testing.T) {
	for name, r := range rotations() {
		t.Run(name, func(t *testing.T) {
			var all strings.Builder
			walk(t, r, func(r EncryptionRotation, document string) {
				all.WriteString("# " + string(r.State) + "\n" + document)
				upstreamEncryption(t, document)
				parsed, err := ParseEncryption(document)
				if err != nil {
					t.Errorf("%s cannot be read back: %v", r.State, err)
				} else if again, err := parsed.Configuration(); err != nil || again != document && len(r.pending()) == 0 {
					t.Errorf("%s changes when it is read back: %v\n%s", r.State, err, again)
				}
			})
			golden.Compare(t, "encryption/rotation/"+name+".yaml", all.String())
		})
	}
}

// TestRotationRefusesToSkip: from each state only the next may be entered, and
// only when every server follows and every object is rewritten.
func TestRotationRefusesToSkip(t *testing.T) {
	for name, r := range rotations() {
		walk(t, r, func(r EncryptionRotation, _ string) {
			for i, to := range encryptionStates {
				ready := r
				ready.Applied = ready.Servers
				follows := i == 1+indexOf(r.State)
				if _, err := ready.Advance(to); follows && to != EncryptionRetire {
					accepted(t, err)
				} else if !follows {
					refused(t, err, "rotation.state", "")
				} else {
					refused(t, err, "rotation.rewritten", "lacks")
				}
				if _, err := r.Advance(to); follows && r.State != EncryptionBefore && r.State != EncryptionRewrite {
					refused(t, err, "rotation.applied", "still lack")
				}
			}
			if _, err := r.Rewrite("secrets"); (err == nil) != (r.State == EncryptionRewrite) {
				t.Errorf("%s: a rewrite in %s: %v", name, r.State, err)
			}
			_, err := r.Apply("nobody")
			refused(t, err, "rotation.applied", "not an API server")
		})
	}
}

func indexOf(state EncryptionState) int {
	for i, each := range encryptionStates {
		if each == state {
			return i
		}
	}
	return -1
}

// TestRotationResumes: kept as data or read from the servers, a rotation goes on
// where it stopped, and never further.
func TestRotationResumes(t *testing.T) {
	for name, r := range rotations() {
		earlier := map[string]string{}
		walk(t, r, func(r EncryptionRotation, document string) {
			kept, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var again EncryptionRotation
			if err := json.Unmarshal(kept, &again); err != nil {
				t.Fatal(err)
			}
			if got, err := again.Configuration(); err != nil || got != document {
				t.Errorf("%s: %s differs after it was kept: %v", name, r.State, err)
			}
			// The first server is a state ahead of the others.
			running := map[string]string{}
			for i, server := range r.Servers {
				running[server] = document
				if i > 0 && earlier[server] != "" {
					running[server] = earlier[server]
				}
			}
			resumed, err := ResumeEncryptionRotation(r.From, r.To, running)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, r.State, err)
			}
			if indexOf(resumed.State) > indexOf(r.State) {
				t.Errorf("%s: %s is taken for %s", name, r.State, resumed.State)
			}
			if got, _ := resumed.Configuration(); got != document {
				t.Errorf("%s: %s resumes with another configuration, that of %s", name, r.State, resumed.State)
			}
			for _, server := range r.Servers {
				earlier[server] = document
			}
		})
	}
	r := rotations()["secretbox"]
	documents := map[EncryptionState]string{}
	walk(t, r, func(r EncryptionRotation, document string) { documents[r.State] = document })
	_, err := ResumeEncryptionRotation(r.From, r.To, map[string]string{"a": documents[EncryptionPromote], "b": documents[EncryptionBefore]})
	refused(t, err, "rotation.servers", "skipped")
	_, err = ResumeEncryptionRotation(r.From, r.To, map[string]string{"a": documents[EncryptionRetire], "b": documents[EncryptionAdd]})
	refused(t, err, "rotation.servers", "skipped")
	_, err = ResumeEncryptionRotation(r.From, r.To, map[string]string{"a": "kind: Other\n"})
	refused(t, err, "rotation.servers", "no state")
}

func TestRotationRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*EncryptionRotation)
		field, text string
	}{
		"nothing changes": {func(r *EncryptionRotation) { r.To = r.From }, "rotation.to", "what was before"},
		"name reused":     {func(r *EncryptionRotation) { r.To.Keys = []EncryptionKey{key("old", 'c', "")} }, "rotation.to.keys[0].name", "another key"},
		"secret reused":   {func(r *EncryptionRotation) { r.To.Keys = []EncryptionKey{key("new", 'a', "")} }, "rotation.to.keys[0].secret", "earlier"},
		"provider only":   {func(r *EncryptionRotation) { r.To = r.From; r.To.Provider = EncryptionAESCBC }, "rotation.to.keys[0].secret", "earlier"},
		"to nothing":      {func(r *EncryptionRotation) { r.To = Encryption{} }, "rotation.to.keys", "no key"},
		"to identity":     {func(r *EncryptionRotation) { r.To.Provider = "identity" }, "rotation.to.provider", "does not encrypt"},
		"fewer resources": {func(r *EncryptionRotation) { r.From.Resources = []string{"secrets", "configmaps"} }, "rotation.to.resources", "configmaps"},
		"no server":       {func(r *EncryptionRotation) { r.Servers = nil }, "rotation.servers", "empty"},
		"server twice":    {func(r *EncryptionRotation) { r.Servers = []string{"a", "a"} }, "rotation.servers[1]", "repeated"},
		"unknown state":   {func(r *EncryptionRotation) { r.State = "done" }, "rotation.state", "not a state"},
		"forged rewrite":  {func(r *EncryptionRotation) { r.State = EncryptionRewrite }, "rotation.applied", "lacks a, b"},
		"forged end":      {func(r *EncryptionRotation) { r.State = EncryptionRetire }, "rotation.rewritten", "lacks secrets"},
		"plugin to plugin": {func(r *EncryptionRotation) {
			r.From.KMS = &KMS{Name: "x", Endpoint: "unix:///x"}
			r.To.KMS = &KMS{Name: "y", Endpoint: "unix:///y"}
		}, "rotation.to.kms.name", "replaces"},
		"plugin and resources": {func(r *EncryptionRotation) {
			r.To.KMS = &KMS{Name: "y", Endpoint: "unix:///y"}
			r.To.Resources = []string{"*.*"}
		}, "rotation.to.resources", "several API servers"},
	} {
		t.Run(name, func(t *testing.T) {
			r := rotations()["secretbox"]
			each.change(&r)
			err := r.Validate()
			refused(t, err, each.field, each.text)
			for _, secret := range []string{key("", 'a', "").Secret, key("", 'b', "").Secret, key("", 'c', "").Secret} {
				if strings.Contains(err.Error(), secret) {
					t.Error("the error shows a secret")
				}
			}
			if document, err := r.Configuration(); err == nil || document != "" {
				t.Error("it is rendered nevertheless")
			}
		})
	}
}

// TestRotationProgressCannotBeInvented: what was noted before the new key wrote
// anything would retire the old key with everything that it wrote.
func TestRotationProgressCannotBeInvented(t *testing.T) {
	for _, state := range []EncryptionState{EncryptionBefore, EncryptionAdd, EncryptionPromote} {
		r := rotations()["secretbox"]
		r.State, r.Rewritten = state, []string{"secrets"}
		refused(t, r.Validate(), "rotation.rewritten", "before any object")
		if _, err := r.Apply("a"); err == nil {
			t.Errorf("%s: the rotation goes on", state)
		}
	}
	resumed, err := ResumeEncryptionRotation(rotations()["secretbox"].From, rotations()["secretbox"].To, map[string]string{"a": must(t, rotations()["secretbox"], EncryptionRetire)})
	if err != nil || resumed.State != EncryptionRetire {
		t.Fatal(resumed.State, err)
	}
	// One secret has one spelling.
	respelt := rotations()["secretbox"]
	secret := respelt.From.Keys[0].Secret
	respelt.To.Keys = []EncryptionKey{{Name: "new", Secret: secret[:8] + "\n" + secret[8:]}}
	refused(t, respelt.Validate(), "rotation.to.keys[0].secret", "32 bytes")
}

func must(t *testing.T, r EncryptionRotation, state EncryptionState) string {
	t.Helper()
	document, err := r.ConfigurationIn(state)
	if err != nil {
		t.Fatal(err)
	}
	return document
}
