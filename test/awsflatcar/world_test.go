package awsflatcar_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// world is the environment once it is up, made once for the tests that only look at it.
type world struct {
	environment
	result rehearse.Result
	// state is that of the stack, without what is marked as a secret in it, and secrets how many there are.
	state   string
	secrets int
}

var (
	once sync.Once
	made world
)

func up(t *testing.T) world {
	t.Helper()
	once.Do(func() {
		made.environment = prepare(t, simcloud.Options{})
		made.result = made.mustUp()
		state, err := made.Export()
		if err != nil {
			t.Fatal(err)
		}
		var all any
		if err := json.Unmarshal(state, &all); err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal(made.hide(all))
		if err != nil {
			t.Fatal(err)
		}
		made.state = string(shown)
	})
	if made.state == "" {
		t.Skip("the environment did not come up in another test")
	}
	return made
}

// signature marks a secret in a state, whose plain value an export shows to whoever has the passphrase.
const signature = "4dabf18193072939515e22adb298388d"

// hide takes the secrets out of a state, and counts them.
func (w *world) hide(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		if _, secret := v[signature]; secret {
			w.secrets++
			return "[secret]"
		}
		for name := range v {
			v[name] = w.hide(v[name])
		}
	case []any:
		for i := range v {
			v[i] = w.hide(v[i])
		}
	}
	return tree
}

// No key is in the state of the stack, in an output or in user data unless it is marked as a secret, and every file of
// the control plane that has one is found, so that this test sees what it looks for (decision 8 of the design, M18).
func TestNoKeyIsShown(t *testing.T) {
	w := up(t)
	keys := 0
	for _, o := range w.Cloud.Objects(objects) {
		content := o.State.String("content")
		block, _ := pem.Decode([]byte(content))
		if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		keys++
		if !strings.Contains(o.ID, "/control-plane/pki/") {
			t.Errorf("%s holds a key", o.ID)
		}
		for _, telling := range []string{base64.StdEncoding.EncodeToString(block.Bytes)[8:48], base64.StdEncoding.EncodeToString([]byte(content))[8:48], strings.Split(content, "\n")[1][8:40]} {
			if strings.Contains(w.state, telling) {
				t.Errorf("the key %s is in the state as it is", o.ID)
			}
		}
	}
	if keys != 4 { // three authorities, and the tokens of service accounts
		t.Errorf("%d keys in the store", keys)
	}
	if strings.Contains(w.state, "PRIVATE KEY") {
		t.Error("the state shows a key")
	}
	if w.secrets < 8 || len(w.state) < 100_000 {
		t.Errorf("%d secrets in %d bytes of state: this test looks at nothing", w.secrets, len(w.state))
	}
	for output, value := range w.result.Outputs {
		text, err := json.Marshal(value.Value)
		if err != nil {
			t.Fatal(err)
		}
		if !value.Secret && regexp.MustCompile(`PRIVATE KEY|client-key|token|password`).Match(text) {
			t.Errorf("the output %s shows %s", output, text)
		}
	}
	for _, o := range w.Cloud.Objects(instances, templates) {
		text := o.State.String("userData")
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			text = string(decoded)
		}
		if !strings.Contains(text, "s3://"+name+"-store-") || len(text) > 1024 {
			t.Errorf("%s has %d bytes of user data, which name no object", o.ID, len(text))
		}
	}
}
