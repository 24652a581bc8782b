package bottlerocket

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

const verifiersTable = "image-verifier-plugins"

// builtInVerifiers are the keys that stand beside custom verifiers.
var builtInVerifiers = []string{"digestion", "enabled", "notation"}

// Encode gives the document, sorted by key.
func Encode(settings Settings) ([]byte, error) {
	plugins := settings.ImageVerifierPlugins
	if plugins == nil || len(plugins.Custom) == 0 {
		return toml.Marshal(Document{settings})
	}
	rest := *plugins
	rest.Custom = nil
	if rest.Enabled == nil {
		return nil, errors.New("custom image verifiers without enabled: containerd would not ask them")
	}
	settings.ImageVerifierPlugins = &rest
	document, err := toml.Marshal(Document{settings})
	if err != nil {
		return nil, err
	}
	return insertVerifiers(document, plugins.Custom)
}

// insertVerifiers writes custom verifiers among the built-in ones. A value never
// spans lines, so a line led by a bracket is a table's header.
func insertVerifiers(document []byte, custom map[string]TrustPolicy) ([]byte, error) {
	var tables []string
	for line := range strings.Lines(string(document)) {
		if strings.HasPrefix(line, "[") || len(tables) == 0 {
			tables = append(tables, "")
		}
		tables[len(tables)-1] += line
	}
	header := func(name string) string { return "[settings." + verifiersTable + "." + name + "]\n" }
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		if slices.Contains(builtInVerifiers, name) || !identifier.accepts(name) {
			return nil, fmt.Errorf("%q cannot name a custom image verifier", name)
		}
		body, err := toml.Marshal(custom[name])
		if err != nil {
			return nil, err
		}
		at := 1 + slices.IndexFunc(tables, func(t string) bool { return strings.HasPrefix(t, "[settings."+verifiersTable+"]") })
		for at < len(tables) && strings.HasPrefix(tables[at], "[settings."+verifiersTable+".") && tables[at] < header(name) {
			at++
		}
		tables = slices.Insert(tables, at, header(name)+string(body)+"\n")
	}
	return []byte(strings.TrimRight(strings.Join(tables, ""), "\n") + "\n"), nil
}

// Decode reads a document strictly: an unknown key, a wrong type or bad TOML is
// an error, as it is on the node. It does not judge values.
func Decode(document []byte) (Settings, error) {
	document, custom, err := takeVerifiers(document)
	if err != nil {
		return Settings{}, err
	}
	var decoded Document
	err = toml.NewDecoder(bytes.NewReader(document)).DisallowUnknownFields().Decode(&decoded)
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		return Settings{}, fmt.Errorf("settings that Bottlerocket does not know:\n%s", unknown.String())
	}
	if len(custom) > 0 && err == nil {
		if decoded.Settings.ImageVerifierPlugins == nil {
			decoded.Settings.ImageVerifierPlugins = &ImageVerifierPlugins{}
		}
		decoded.Settings.ImageVerifierPlugins.Custom = custom
	}
	return decoded.Settings, err
}

// takeVerifiers takes the custom verifiers out of a document. One that has none
// stays as it is, so that errors quote the lines that the reader knows.
func takeVerifiers(document []byte) ([]byte, map[string]TrustPolicy, error) {
	if !bytes.Contains(document, []byte(verifiersTable)) {
		return document, nil, nil
	}
	var tree map[string]any
	if err := toml.Unmarshal(document, &tree); err != nil {
		return nil, nil, err
	}
	settings, _ := tree["settings"].(map[string]any)
	plugins, _ := settings[verifiersTable].(map[string]any)
	custom := map[string]TrustPolicy{}
	for _, name := range slices.Sorted(maps.Keys(plugins)) {
		if slices.Contains(builtInVerifiers, name) {
			continue
		}
		table, isTable := plugins[name].(map[string]any)
		policy, isText := table["trustpolicy"].(string)
		if !isTable || !isText || len(table) != 1 || !identifier.accepts(name) {
			return nil, nil, fmt.Errorf("settings.%s.%s is not a verifier: it needs a name of letters, digits and dashes, and trustpolicy alone", verifiersTable, name)
		}
		custom[name] = TrustPolicy{&policy}
		delete(plugins, name)
	}
	if len(custom) == 0 {
		return document, nil, nil
	}
	if len(plugins) == 0 {
		delete(settings, verifiersTable)
	}
	document, err := toml.Marshal(tree)
	return document, custom, err
}
