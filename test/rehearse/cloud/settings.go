package cloud

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// BaselineSuffix ends the name of the environment that holds what is in a cluster.
const BaselineSuffix = "-baseline"

// file is where the settings of an environment are.
func (r Rehearsal) file(environment string) string {
	if environment == r.Environment && r.ConfigFile != "" {
		return r.ConfigFile
	}
	return filepath.Join(r.Repository, "stacks", "Pulumi."+environment+".yaml")
}

// adapted is where the settings of a stack are as the rehearsal uses them.
func (r Rehearsal) adapted(environment string) string {
	return filepath.Join(r.state(), "settings", environment+".yaml")
}

// adapt writes them.
func (x *run) adapt() error {
	settings, err := os.ReadFile(x.file(x.Environment))
	if err != nil {
		return err
	}
	replace := map[string]string{}
	if x.Replace != nil {
		replace = x.Replace(settings)
	}
	for _, was := range slices.Sorted(maps.Keys(replace)) {
		x.find("settings", Finding{Level: Note, Problem: was + " is rehearsed as " + replace[was]})
	}
	for _, environment := range []string{x.Environment, x.Baseline} {
		if environment == "" || environment == x.Baseline && x.WithoutKubernetes {
			continue
		}
		data, err := os.ReadFile(x.file(environment))
		if err != nil {
			return err
		}
		for was, is := range replace {
			data = bytes.ReplaceAll(data, []byte(was), []byte(is))
		}
		if err := os.MkdirAll(filepath.Dir(x.adapted(environment)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(x.adapted(environment), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// given makes what the settings take as given.
func (x *run) given() error {
	if x.Given == nil {
		return nil
	}
	settings, err := os.ReadFile(x.adapted(x.Environment))
	if err != nil {
		return err
	}
	names, err := x.Given(x.cloud, string(settings))
	if len(names) > 0 {
		x.find("settings", Finding{Level: Note, Subject: strings.Join(names, ", "), Problem: "taken as given: the account must have it before the environment comes"})
	}
	return err
}

// check says what is wrong before anything is done.
func (r Rehearsal) check() error {
	if err := rehearse.CheckName(r.Environment); err != nil {
		return err
	}
	platform, err := platformOf(r.file(r.Environment))
	switch {
	case errors.Is(err, os.ErrNotExist) && r.ConfigFile == "":
		return fmt.Errorf("there is no environment %s: write stacks/Pulumi.%s.yaml, or name one of %s", r.Environment, r.Environment, r.others())
	case err != nil:
		return err
	case platform == "local":
		return fmt.Errorf("environment %s is real and needs no account: make up ENV=%s", r.Environment, r.Environment)
	case platform == r.Platform+BaselineSuffix:
		return fmt.Errorf("%s is the baseline of an environment: rehearse that one, and its baseline comes along", r.Environment)
	case platform != r.Platform:
		return fmt.Errorf("environment %s is of platform %q, and this rehearses %q: name one of %s", r.Environment, platform, r.Platform, r.others())
	}
	if r.Baseline == "" || r.WithoutKubernetes {
		return nil
	}
	if _, err := platformOf(r.file(r.Baseline)); err != nil {
		return fmt.Errorf("the baseline of environment %s: %w", r.Environment, err)
	}
	return nil
}

// others are the environments that there are of the platform.
func (r Rehearsal) others() string {
	var names []string
	files, _ := filepath.Glob(r.file("*"))
	for _, file := range files {
		if platform, err := platformOf(file); err == nil && platform == r.Platform {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "Pulumi."), ".yaml"))
		}
	}
	if len(names) == 0 {
		return "none: no settings say redoubt:platform: " + r.Platform
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// PlatformOf gives the platform of an environment of the repository at root, "" when there is no such environment.
func PlatformOf(root, environment string) string {
	platform, err := platformOf(Rehearsal{Repository: root}.file(environment))
	if err != nil {
		return "" // which is said when it is rehearsed
	}
	return platform
}

// platformOf reads the platform of an environment's settings.
func platformOf(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var settings struct {
		Config map[string]any `yaml:"config"`
	}
	if err := yaml.Unmarshal(data, &settings); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	platform, _ := settings.Config["redoubt:platform"].(string)
	return platform, nil
}
