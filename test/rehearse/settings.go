package rehearse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// writeSettings copies the settings file, with the overrides, to where the engine reads it. The file itself is never
// written to: the engine puts its encryption salt into the copy, which keeps it from run to run.
// What does not run the program can do with the settings of the last run.
func (d *Driver) writeSettings(operation Operation) error {
	data, err := os.ReadFile(d.options.ConfigFile)
	if errors.Is(err, os.ErrNotExist) && operation != Up && operation != Preview {
		if _, err := os.Stat(d.settings()); err == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("the settings of environment %s: %w; write that file, or name another with --config-file", d.options.Environment, err)
	}
	settings := map[string]any{}
	if err := yaml.Unmarshal(data, &settings); err != nil {
		return fmt.Errorf("%s: %w", d.options.ConfigFile, err)
	}
	config, ok := settings["config"].(map[string]any)
	if settings["config"] != nil && !ok {
		return fmt.Errorf("%s: config must be a map of settings", d.options.ConfigFile)
	}
	if config == nil {
		config = map[string]any{}
	}
	settings["config"] = config
	keys := make([]string, 0, len(d.options.Set))
	for key := range d.options.Set {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		if err := override(config, key, d.options.Set[key]); err != nil {
			return err
		}
	}
	if settings["encryptionsalt"] == nil && settings["secretsprovider"] == nil {
		previous := map[string]any{}
		if data, err := os.ReadFile(d.settings()); err == nil {
			_ = yaml.Unmarshal(data, &previous)
		}
		if salt := previous["encryptionsalt"]; salt != nil {
			settings["encryptionsalt"] = salt
		}
	}
	out, err := yaml.Marshal(settings)
	if err != nil {
		return err
	}
	return replaceFile(d.settings(), out)
}

// override sets one setting. "a:b" takes the text as it is, or YAML where it starts a list or a map; "a:b.c" sets a
// value inside a structured setting and reads the text as YAML does.
func override(config map[string]any, key, text string) error {
	namespace, rest, ok := strings.Cut(key, ":")
	if !ok || namespace == "" || rest == "" {
		return fmt.Errorf("setting %q: write <namespace>:<key>=<value>, such as redoubt:workers=2", key)
	}
	if strings.ContainsAny(rest, "[]") {
		return fmt.Errorf("setting %q: an entry of a list cannot be set alone: write the whole list, such as redoubt:tenants='[{name: demo}]'", key)
	}
	path := strings.Split(rest, ".")
	var value any = text
	if len(path) > 1 || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return fmt.Errorf("setting %s: %w", key, err)
		}
	}
	at, step := config, namespace+":"+path[0]
	for _, next := range path[1:] {
		inner, ok := at[step].(map[string]any)
		if at[step] != nil && !ok {
			return fmt.Errorf("setting %s: %s is not a map", key, step)
		}
		if inner == nil {
			inner = map[string]any{}
		}
		at[step] = inner
		at, step = inner, next
	}
	at[step] = value
	return nil
}

// writeProject gives the engine the project of the repository, without what only the ordinary CLI needs: where the
// program's source and the plugins are. It returns the project's name.
func (d *Driver) writeProject() (string, error) {
	project, err := d.readProject()
	if err != nil {
		return "", err
	}
	for _, key := range []string{"main", "stackConfigDir", "plugins", "backend", "packages"} {
		delete(project, key)
	}
	project["runtime"] = "go"
	out, err := yaml.Marshal(project)
	if err != nil {
		return "", err
	}
	return project["name"].(string), replaceFile(filepath.Join(d.work(), "Pulumi.yaml"), out)
}

// readProject reads Pulumi.yaml; the project has a name.
func (d *Driver) readProject() (map[string]any, error) {
	path := filepath.Join(d.options.Repository, "Pulumi.yaml")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: is %s the repository?", err, d.options.Repository)
	}
	project := map[string]any{}
	if err := yaml.Unmarshal(data, &project); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if name, _ := project["name"].(string); name == "" {
		return nil, fmt.Errorf("%s: name is missing", path)
	}
	return project, nil
}

func (d *Driver) projectName() (string, error) {
	project, err := d.readProject()
	if err != nil {
		return "", err
	}
	return project["name"].(string), nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
