package simtest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"strings"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// signature marks a secret in a state, whose plain value an export shows to whoever has the passphrase.
const signature = "4dabf18193072939515e22adb298388d"

// Shown is the state of the stack without what is marked as a secret in it, and how many secrets there are.
func (e *Engine) Shown() (state string, secrets int) {
	e.T.Helper()
	exported, err := e.Export()
	if err != nil {
		e.T.Fatal(err)
	}
	var all any
	if err := json.Unmarshal(exported, &all); err != nil {
		e.T.Fatal(err)
	}
	shown, err := json.Marshal(hide(all, &secrets))
	if err != nil {
		e.T.Fatal(err)
	}
	return string(shown), secrets
}

func hide(tree any, secrets *int) any {
	switch v := tree.(type) {
	case map[string]any:
		if _, secret := v[signature]; secret {
			*secrets++
			return "[secret]"
		}
		for name := range v {
			v[name] = hide(v[name], secrets)
		}
	case []any:
		for i := range v {
			v[i] = hide(v[i], secrets)
		}
	}
	return tree
}

// PrivateKey tells whether a document holds a private key, and gives texts that only who shows the key has.
func PrivateKey(document string) (telling []string, is bool) {
	block, _ := pem.Decode([]byte(document))
	if block == nil || !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, false
	}
	return []string{base64.StdEncoding.EncodeToString(block.Bytes)[8:48], base64.StdEncoding.EncodeToString([]byte(document))[8:48], strings.Split(document, "\n")[1][8:40]}, true
}

var secretive = regexp.MustCompile(`PRIVATE KEY|client-key|token|password`)

// Telling are the outputs that look like a secret and are not marked as one.
func Telling(result rehearse.Result) (names []string) {
	for name, value := range result.Outputs {
		if text, err := json.Marshal(value.Value); err != nil || !value.Secret && secretive.Match(text) {
			names = append(names, name)
		}
	}
	return names
}
