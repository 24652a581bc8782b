// Package schema describes the settings of environments as JSON Schema, for editors and for whoever writes them by
// program. It is derived from the types that the programs read: names, kinds, comments and defaults stand there alone.
package schema

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// here is this package, from which the sources are found.
const here = "github.com/redoubt-dev/redoubt/test/schema"

// Document is the schema of a stack's file with the settings of a platform. The value holds their defaults; sources are
// the directories, relative to this one, of the packages whose comments describe them.
func Document(platform string, value any, sources ...string) ([]byte, error) {
	reflector := &jsonschema.Reflector{ExpandedStruct: true, Anonymous: true, RequiredFromJSONSchemaTags: true, Namer: name}
	for _, source := range sources {
		if err := reflector.AddGoComments(here, source, jsonschema.WithFullComment()); err != nil {
			return nil, err
		}
	}
	for name, text := range reflector.CommentMap {
		reflector.CommentMap[name] = strings.Join(strings.Fields(text), " ")
	}
	described := reflector.Reflect(value)
	if err := fill(described, described.Definitions, value); err != nil {
		return nil, err
	}
	if of, there := described.Properties.Get("platform"); there {
		of.Const = platform
	}
	config := map[string]any{}
	for pair := described.Properties.Oldest(); pair != nil; pair = pair.Next() {
		config[settings.Namespace+":"+pair.Key] = pair.Value
	}
	var required []string
	for _, name := range described.Required {
		required = append(required, settings.Namespace+":"+name)
	}
	return json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   fmt.Sprintf("A stack with %s:platform %s", settings.Namespace, platform),
		"type":    "object", "$defs": described.Definitions, "required": []string{"config"},
		"properties": map[string]any{"config": map[string]any{
			"type": "object", "properties": config, "required": required,
			// Settings of others, such as aws:region, are theirs to describe.
			"patternProperties": map[string]any{"^(aws|gcp|kubernetes|pulumi)[a-z-]*:": true}, "additionalProperties": false,
		}},
	}, "", "  ")
}

// name tells types of one name apart by their packages.
func name(t reflect.Type) string {
	if t.Name() == "" {
		return ""
	}
	return path.Base(t.PkgPath()) + "." + t.Name()
}

// fill writes the defaults into the schema.
func fill(schema *jsonschema.Schema, definitions jsonschema.Definitions, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	var given map[string]json.RawMessage
	if err := json.Unmarshal(text, &given); err != nil {
		return nil //nolint:nilerr // no structure: its default stands where it is used
	}
	for pair := schema.Properties.Oldest(); pair != nil; pair = pair.Next() {
		raw, set := given[pair.Key]
		if !set || string(raw) == `""` || string(raw) == "null" {
			continue
		}
		if inner := definitions[strings.TrimPrefix(pair.Value.Ref, "#/$defs/")]; inner != nil && inner.Properties != nil {
			if err := fill(inner, definitions, raw); err != nil {
				return err
			}
			continue
		}
		pair.Value.Default = raw
	}
	return nil
}
