package stacks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

type noResources struct{ t *testing.T }

func (n noResources) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	n.t.Errorf("%s was registered while settings were wrong", args.TypeToken)
	return args.Name, args.Inputs, nil
}

func (noResources) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// read reads the settings of a stack.
func read(t *testing.T, stack string, settings map[string]string) (env Environment, err error) {
	t.Helper()
	encoded, marshalErr := json.Marshal(settings)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	t.Setenv("PULUMI_CONFIG", string(encoded))
	if os.Getenv("REDOUBT_ROOT") == "" {
		t.Setenv("REDOUBT_ROOT", t.TempDir())
	}
	runErr := pulumi.RunErr(func(ctx *pulumi.Context) error {
		env, err = ReadEnvironment(ctx)
		return nil
	}, pulumi.WithMocks("redoubt", stack, noResources{t}))
	if runErr != nil {
		t.Fatal(runErr)
	}
	return env, err
}

func TestDefaults(t *testing.T) {
	env, err := read(t, "local", map[string]string{"redoubt:platform": "local"})
	if err != nil {
		t.Fatal(err)
	}
	if env.Workers != nil || env.KubernetesVersion != "v1.35.4" || env.StateDirectory != filepath.Join(env.Root, ".state", "local") {
		t.Errorf("defaults = %+v", env)
	}
}

// A misspelt setting would leave its default in force without a word.
func TestRefusals(t *testing.T) {
	for want, settings := range map[string]map[string]string{
		`redoubt:network: unknown field "nodeCIRD"`:            {"redoubt:network": `{"nodeCIRD": "10.80.0.0/24"}`},
		"redoubt:workers: \"two\" is not a whole number":       {"redoubt:workers": "two"},
		"redoubt:network: nodeCIDR must be a string":           {"redoubt:network": `{"nodeCIDR": 10}`},
		"redoubt:tenants[0]: name: \"Team A\"":                 {"redoubt:tenants": `[{"name": "Team A"}]`},
		"redoubt:tenants[0]: name: namespace kube-system":      {"redoubt:tenants": `[{"name": "kube-system"}]`},
		"pod-security.kubernetes.io/enforce is set by Redoubt": {"redoubt:tenants": `[{"name": "a", "labels": {"pod-security.kubernetes.io/enforce": "privileged"}}]`},
		"redoubt:tenants[0]: quota.pods: \"many\"":             {"redoubt:tenants": `[{"name": "a", "quota": {"pods": "many"}}]`},
	} {
		if _, err := read(t, "local", settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := read(t, "Local_1", nil); err == nil || !strings.Contains(err.Error(), "lower-case letters") {
		t.Errorf("stack name: %v", err)
	}
	_, err := read(t, "local", map[string]string{"redoubt:workers": "x", "redoubt:network": `{"a": 1}`})
	if err == nil || len(strings.Split(err.Error(), "\n")) != 2 {
		t.Errorf("want both problems at once, got %v", err)
	}
}

func TestUnknownSettingsOfTheFile(t *testing.T) {
	root := t.TempDir()
	t.Setenv("REDOUBT_ROOT", root)
	if err := os.MkdirAll(filepath.Join(root, "stacks"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := "config:\n  redoubt:platform: local\n  redoubt:wokers: \"3\"\n  aws:region: eu-west-1\n"
	if err := os.WriteFile(filepath.Join(root, "stacks", "Pulumi.local.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := read(t, "local", nil)
	if err == nil || !strings.Contains(err.Error(), "redoubt:wokers: there is no such setting; there are ") || strings.Contains(err.Error(), "aws:region") {
		t.Errorf("err = %v", err)
	}
}
