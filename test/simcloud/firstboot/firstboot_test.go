package firstboot_test

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/test/simcloud/firstboot"
)

const (
	object  = "gs://store/workers/general/config.ign"
	program = "gs://store/bin/redoubt-node"
)

func sum(text string) string {
	of := sha512.Sum512([]byte(text))
	return "sha512-" + hex.EncodeToString(of[:])
}

// configuration has a file of its own and one that is fetched.
func configuration(hash string) string {
	return fmt.Sprintf(`{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/etc/motd","contents":{"source":"data:,hello%%0A"}},
		{"path":"/opt/redoubt-node","contents":{"source":%q,"verification":{"hash":%q}}}]}}`, program, hash)
}

func pointer(t *testing.T, document string) []byte {
	t.Helper()
	out, err := flatcar.Pointer(flatcar.Butane11, object, []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// store is what a machine may fetch.
func store(objects map[string]string) firstboot.Fetch {
	return func(source string) ([]byte, error) {
		if strings.HasPrefix(source, "https://") {
			return nil, firstboot.ErrElsewhere
		}
		contents, ok := objects[source]
		if !ok {
			return nil, errors.New("403 forbidden")
		}
		return []byte(contents), nil
	}
}

// The pointer of package flatcar leads to the object, and what that names is fetched.
func TestAMachineBoots(t *testing.T) {
	good := configuration(sum("program"))
	m, err := firstboot.Boot(pointer(t, good), store(map[string]string{object: good, program: "program"}))
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Document) != good || len(m.Config.Storage.Files) != 2 || !slices.Equal(m.Sources, []string{object, program}) {
		t.Errorf("%+v", m)
	}
	elsewhere := strings.ReplaceAll(good, program, "https://example.com/redoubt-node")
	if _, err := firstboot.Boot([]byte(elsewhere), store(nil)); err != nil {
		t.Errorf("a file of somebody else's website: %v", err)
	}
}

func TestAMachineThatDoesNotBootSaysWhy(t *testing.T) {
	good := configuration(sum("program"))
	all := map[string]string{object: good, program: "program"}
	without := func(name, value string) map[string]string {
		out := map[string]string{}
		for k, v := range all {
			out[k] = v
		}
		delete(out, name)
		if value != "" {
			out[name] = value
		}
		return out
	}
	endless := fmt.Sprintf(`{"ignition":{"version":"3.4.0","config":{"replace":{"source":"data:,","verification":{"hash":%q}}}}}`, sum(""))
	for name, test := range map[string]struct {
		userData []byte
		objects  map[string]string
		want     string
	}{
		"no Ignition":     {[]byte("#cloud-config\n"), all, "Ignition does not read it"},
		"old version":     {[]byte(`{"ignition":{"version":"2.3.0"}}`), all, "Ignition does not read it"},
		"relative path":   {[]byte(`{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"etc/motd"}]}}`), all, "Ignition does not read it"},
		"no object":       {pointer(t, good), without(object, ""), "403 forbidden"},
		"another object":  {pointer(t, good), without(object, good+" "), "has not the hash that is expected"},
		"no hash":         {[]byte(`{"ignition":{"version":"3.4.0","config":{"replace":{"source":"` + object + `"}}}}`), all, "has no hash"},
		"no program":      {pointer(t, good), without(program, ""), "/opt/redoubt-node: " + program},
		"another program": {pointer(t, good), without(program, "x"), "has not the hash that is expected"},
		"no end":          {[]byte(endless), all, "Ignition does not read it"},
		"website, no hash": {[]byte(`{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"/a","contents":{"source":"https://example.com/a"}}]}}`), all,
			"it is elsewhere"},
	} {
		if _, err := firstboot.Boot(test.userData, store(test.objects)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want %q, got %v", name, test.want, err)
		}
	}
}
