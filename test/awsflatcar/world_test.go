package awsflatcar_test

import (
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
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
		made.state, made.secrets = made.Shown()
	})
	if made.state == "" {
		t.Fatal("the environment did not come up: see the test that brought it up")
	}
	return made
}

// No key is in the state of the stack, in an output or in user data unless it is marked as a secret, and every file of
// the control plane that has one is found, so that this test sees what it looks for (decision 8 of the design, M18).
func TestNoKeyIsShown(t *testing.T) {
	w := up(t)
	keys := 0
	for _, o := range w.Cloud.Objects(objects) {
		telling, is := simtest.PrivateKey(o.State.String("content"))
		if !is {
			continue
		}
		keys++
		if !strings.Contains(o.ID, "/control-plane/pki/") {
			t.Errorf("%s holds a key", o.ID)
		}
		for _, each := range telling {
			if strings.Contains(w.state, each) {
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
	for _, output := range simtest.Telling(w.result) {
		t.Errorf("the output %s shows a secret", output)
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
