package cloud

import (
	"errors"
	"fmt"
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
	return filepath.Join(r.Repository, "stacks", "Pulumi."+environment+".yaml")
}

// check says what is wrong before anything is done.
func (r Rehearsal) check() error {
	if err := rehearse.CheckName(r.Environment); err != nil {
		return err
	}
	platform, err := platformOf(r.file(r.Environment))
	switch {
	case errors.Is(err, os.ErrNotExist):
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
	if r.Baseline == "" {
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
