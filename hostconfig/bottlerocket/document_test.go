package bottlerocket

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func roundTrip(t *testing.T, document []byte) {
	t.Helper()
	settings, err := Decode(document)
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	again, err := Encode(settings)
	if err != nil || !bytes.Equal(document, again) {
		t.Fatalf("renders differently again (%v):\n%s\n%s", err, document, again)
	}
}

func TestSize(t *testing.T) {
	spec := selfManaged(t)
	spec.Settings.Motd = pointer(strings.Repeat("notice ", 4000))
	data, err := spec.Render()
	if err != nil || !data.Compressed || !bytes.HasPrefix(data.Bytes, []byte{0x1f, 0x8b}) {
		t.Fatalf("compressed %v: %v", data.Compressed, err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(data.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := io.ReadAll(reader); !bytes.Equal(plain, data.TOML) {
		t.Error("decompresses to something else")
	}
	random := rand.New(rand.NewPCG(1, 2))
	var noise strings.Builder
	for range 5000 {
		fmt.Fprintf(&noise, "%x", random.Uint32())
	}
	spec.Settings.Motd = pointer(noise.String())
	_, err = spec.Render()
	refused(t, err, "userData", "settings.motd")
	// A managed group leaves room for what EKS merges in: its labels are counted.
	spec = managed(t)
	plain, err := spec.Render()
	if err != nil {
		t.Fatal(err)
	}
	room := MaximumUserData - ManagedGroupReserve - len(plain.TOML)
	spec.Settings.Motd = pointer(strings.Repeat("x", room-1000))
	if data, err = spec.Render(); err != nil || data.Compressed {
		t.Fatalf("compressed %v: %v", data.Compressed, err)
	}
	for i := range 20 {
		spec.Node.Labels[fmt.Sprintf("example.org/label-%d", i)] = strings.Repeat("x", 60)
	}
	_, err = spec.Render()
	refused(t, err, "userData", "settings.motd")
	spec = managed(t)
	spec.Settings.Motd = pointer(strings.Repeat("x", room))
	_, err = spec.Render()
	refused(t, err, "userData", "settings.motd")
}

func TestDecodeRefusesWhatTheNodeRefuses(t *testing.T) {
	for _, document := range []string{"[settings.kubernetes]\nunknown = 1", "[settings.kubernetes]\nmax-pods = \"9\"", "x = 1", "[settings",
		"[settings.kernel.hugepages.static.4Mi]\ncount = '1'", "[settings.kubernetes]\nstandalone = true",
		"[settings.image-verifier-plugins.x]\nother = ''", "[settings.image-verifier-plugins.x.y]\ntrustpolicy = ''",
		"[settings.image-verifier-plugins.x]\ntrustpolicy = 'e30='\n[settings.kernel]\nunknown = 1"} {
		if _, err := Decode([]byte(document)); err == nil {
			t.Errorf("accepted: %s", document)
		}
	}
}
