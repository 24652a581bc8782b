package stacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"sigs.k8s.io/yaml"
)

// namespace is the configuration namespace of every setting.
const namespace = "redoubt"

// reader reads settings and collects what is wrong with them, so that a user
// sees everything at once.
type reader struct {
	ctx      *pulumi.Context
	known    []string
	problems []error
}

func (r *reader) problem(key, format string, values ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%s: %s", namespace, key, fmt.Sprintf(format, values...)))
}

// text reads a string setting.
func (r *reader) text(key, otherwise string) string {
	r.known = append(r.known, key)
	if value := config.Get(r.ctx, namespace+":"+key); value != "" {
		return value
	}
	return otherwise
}

// number reads an integer setting and says whether it was set.
func (r *reader) number(key string, otherwise int) (int, bool) {
	text := r.text(key, "")
	if text == "" {
		return otherwise, false
	}
	var n int
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		r.problem(key, "%q is not a whole number", text)
	}
	return n, true
}

// object reads a structured setting strictly: a name that does not exist is an
// error, because a misspelt setting would otherwise leave its default in force.
func (r *reader) object(key string, into any) {
	text := r.text(key, "")
	if text == "" {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		r.problem(key, "%s", explain(err))
	}
}

func explain(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return fmt.Sprintf("%s must be a %s, not a %s", wrongType.Field, wrongType.Type, wrongType.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// refuseUnknown reports settings of the environment's file that nothing reads:
// the file in stacks/, or the copy below REDOUBT_SETTINGS_DIR that a driver of
// the engine works with.
func (r *reader) refuseUnknown(root string) {
	name := "Pulumi." + r.ctx.Stack() + ".yaml"
	path := filepath.Join(root, "stacks", name)
	if dir := os.Getenv("REDOUBT_SETTINGS_DIR"); dir != "" {
		path = filepath.Join(dir, r.ctx.Stack(), name)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return // set by command line alone
	}
	var file struct {
		Config map[string]any `json:"config"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return // the engine has reported it
	}
	for key := range file.Config {
		name, ours := strings.CutPrefix(key, namespace+":")
		if ours && !slices.Contains(r.known, name) {
			slices.Sort(r.known)
			r.problem(name, "there is no such setting; there are %s", strings.Join(r.known, ", "))
		}
	}
}
