package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/pki"
)

// TestShareCertificate: in each step of a rotation a machine and a control plane
// that are one step apart have an authority in common, and strangers never have.
func TestShareCertificate(t *testing.T) {
	authority := func(name string) []byte {
		certificate, _, err := pki.NewAuthority(name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	old, next, other := authority("kubernetes"), authority("kubernetes"), authority("kubernetes")
	steps := [][]byte{old, slices.Concat(old, next), slices.Concat(next, old), next}
	for i, step := range steps {
		if !shareCertificate(step, step) || shareCertificate(step, other) || shareCertificate(other, step) {
			t.Errorf("step %d: strangers share an authority, or it has none", i)
		}
		if i > 0 && (!shareCertificate(step, steps[i-1]) || !shareCertificate(steps[i-1], step)) {
			t.Errorf("a machine of step %d does not join in step %d", i-1, i)
		}
	}
	if shareCertificate(steps[0], steps[3]) {
		t.Error("an authority that was forgotten is trusted")
	}
	for name, bundle := range map[string][]byte{"nothing": nil, "text": []byte("x"), "text behind it": slices.Concat(old, []byte("x")),
		"a key beside it": slices.Concat(old, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))} {
		if shareCertificate(bundle, old) || shareCertificate(old, bundle) {
			t.Errorf("%s is taken", name)
		}
	}
}
