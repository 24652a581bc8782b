// Package settings reads the settings of a stack, strictly: a name that nobody
// reads and a value of another type are errors, because a misspelt setting would
// leave its default in force without a word. Everything that is wrong is said at
// once. It knows no platform.
package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Namespace is the configuration namespace of every setting.
const Namespace = "redoubt"

// Reader reads settings and collects what is wrong with them.
type Reader struct {
	ctx      *pulumi.Context
	known    []string
	problems []error
}

// New begins to read the settings of a stack.
func New(ctx *pulumi.Context) *Reader { return &Reader{ctx: ctx} }

// Problem reports something that is wrong with a setting, in words.
func (r *Reader) Problem(key, format string, values ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%s: %s", Namespace, key, fmt.Sprintf(format, values...)))
}

// Report adds what a component found, under the setting whose value it was
// given; an empty key for fields that are settings themselves. Fields that are
// renamed, with all below them, stand under that setting instead, or are left out
// where it is empty, because somebody else reports them.
func (r *Reader) Report(key string, err error, renamed map[string]string) {
	for _, each := range flatten(err) {
		var field *hostconfig.FieldError
		if !errors.As(each, &field) {
			r.problems = append(r.problems, fmt.Errorf("%s:%s: %w", Namespace, key, each))
			continue
		}
		at := strings.TrimPrefix(field.Field, Namespace+":")
		switch from := renaming(at, renamed); {
		case from != "" && renamed[from] == "":
			continue
		case from != "":
			at = renamed[from] + strings.TrimPrefix(at, from)
		case key != "":
			at = key + "." + at
		}
		r.Add(at, field.Problem, field.Remedy)
	}
}

// renaming is the longest of some names at or above a field, "" for none.
func renaming(field string, renamed map[string]string) string {
	longest := ""
	for name := range renamed {
		rest, below := strings.CutPrefix(field, name)
		if below && (rest == "" || rest[0] == '.' || rest[0] == '[') && len(name) > len(longest) {
			longest = name
		}
	}
	return longest
}

// Add reports a field of the settings.
func (r *Reader) Add(field, problem, remedy string) {
	r.problems = append(r.problems, &hostconfig.FieldError{Field: Namespace + ":" + field, Problem: problem, Remedy: remedy})
}

// flatten gives the errors that were joined.
func flatten(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, each := range joined.Unwrap() {
			all = append(all, flatten(each)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Err is everything that was found so far, each once.
func (r *Reader) Err() error {
	said := map[string]bool{}
	return errors.Join(slices.DeleteFunc(slices.Clone(r.problems), func(err error) bool {
		again := said[err.Error()]
		said[err.Error()] = true
		return again
	})...)
}

var environmentName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// Environment is the stack's name, which names the cluster: at most 32
// lower-case letters, digits and dashes.
func (r *Reader) Environment() string {
	name := r.ctx.Stack()
	if !environmentName.MatchString(name) {
		r.problems = append(r.problems, fmt.Errorf("the stack is named %q: use at most 32 lower-case letters, digits and dashes, beginning with a letter", name))
	}
	return name
}

// Text reads a string setting.
func (r *Reader) Text(key, otherwise string) string {
	r.known = append(r.known, key)
	if value := config.Get(r.ctx, Namespace+":"+key); value != "" {
		return value
	}
	return otherwise
}

// Number reads an integer setting and says whether it was set.
func (r *Reader) Number(key string, otherwise int) (int, bool) {
	text := r.Text(key, "")
	if text == "" {
		return otherwise, false
	}
	var n int
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		r.Problem(key, "%q is not a whole number", text)
	}
	return n, true
}

// Object reads a structured setting.
func (r *Reader) Object(key string, into any) {
	text := r.Text(key, "")
	if text == "" {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		r.Problem(key, "%s", explain(err))
	}
}

// Struct reads every setting that a struct has a field for, by the names of its
// JSON tags. What the fields hold before stays where nothing is set.
func (r *Reader) Struct(into any) {
	value := reflect.ValueOf(into).Elem()
	for i := range value.NumField() {
		key, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		field := value.Field(i)
		if key == "" || key == "-" {
			continue
		}
		if field.Kind() == reflect.String {
			field.SetString(r.Text(key, field.String()))
			continue
		}
		r.Object(key, field.Addr().Interface())
	}
}

func explain(err error) string {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return fmt.Sprintf("%s must be a %s, not a %s", wrongType.Field, wrongType.Type, wrongType.Value)
	}
	if errors.As(err, &wrongType) {
		return fmt.Sprintf("must be a %s, not a %s", wrongType.Type, wrongType.Value)
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// RefuseUnknown reports settings of the environment's file that nothing reads:
// the file in stacks/, or the copy below REDOUBT_SETTINGS_DIR that a driver of
// the engine works with.
func (r *Reader) RefuseUnknown() {
	name := "Pulumi." + r.ctx.Stack() + ".yaml"
	path := filepath.Join(Root(r.ctx), "stacks", name)
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
		name, ours := strings.CutPrefix(key, Namespace+":")
		if ours && !slices.Contains(r.known, name) {
			slices.Sort(r.known)
			r.Problem(name, "there is no such setting; there are %s", strings.Join(r.known, ", "))
		}
	}
}

// Root is the directory of Pulumi.yaml. REDOUBT_ROOT replaces it where a program
// drives the engine from elsewhere.
func Root(ctx *pulumi.Context) string {
	if root := os.Getenv("REDOUBT_ROOT"); root != "" {
		return root
	}
	return ctx.RootDirectory()
}
