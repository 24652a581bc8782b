package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/stacks/aws"
	"github.com/redoubt-dev/redoubt/stacks/gcp"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/test/schema"
)

var update = flag.Bool("update", false, "write the schemas anew")

const stacks = "../../stacks"

// schemas are those of the platforms, and the environments that they describe.
var schemas = map[string]struct {
	value        any
	environments []string
}{
	aws.Platform:                {aws.Defaults(), []string{"aws-dev", "aws-prod"}},
	aws.BaselinePlatform:        {aws.BaselineEnvironment{}, []string{"aws-dev-baseline", "aws-prod-baseline"}},
	aws.FlatcarPlatform:         {aws.FlatcarDefaults(), []string{"aws-flatcar"}},
	aws.FlatcarBaselinePlatform: {incluster.SelfManagedEnvironment{}, []string{"aws-flatcar-baseline"}},
	gcp.Platform:                {gcp.Defaults(), []string{"gcp-dev", "gcp-prod"}},
	gcp.BaselinePlatform:        {gcp.BaselineEnvironment{}, []string{"gcp-dev-baseline", "gcp-prod-baseline"}},
	gcp.FlatcarPlatform:         {gcp.FlatcarDefaults(), []string{"gcp-flatcar"}},
	gcp.FlatcarBaselinePlatform: {incluster.SelfManagedEnvironment{}, []string{"gcp-flatcar-baseline"}},
}

// sources have the comments of settings.
var sources = []string{"../../stacks/aws", "../../stacks/gcp", "../../hostconfig", "../../hostconfig/selfmanaged", "../../hostconfig/nodeconfig", "../../hostconfig/flatcar", "../../hostconfig/kubeadm", "../../hostconfig/systemd", "../../policies/baseline"}

func TestSchemas(t *testing.T) {
	for platform, each := range schemas {
		t.Run(platform, func(t *testing.T) {
			made, err := schema.Document(platform, each.value, sources...)
			if err != nil {
				t.Fatal(err)
			}
			made = append(made, '\n')
			file := filepath.Join(stacks, "schema", platform+".json")
			kept, err := os.ReadFile(file)
			switch {
			case *update:
				if err := os.WriteFile(file, made, 0o600); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(made, kept) {
					t.Errorf("%s was written anew: read it and run again without -update", file)
				}
			case err != nil || !bytes.Equal(made, kept):
				t.Errorf("%s is not what the settings say: go test ./schema -update", file)
			}
			compiled, err := jsonschema.CompileString(platform, string(made))
			if err != nil {
				t.Fatal(err)
			}
			for _, environment := range each.environments {
				judge(t, compiled, environment)
			}
		})
	}
}

// judge holds an environment against the schema, and then with a misspelt setting, which the schema must refuse.
func judge(t *testing.T, compiled *jsonschema.Schema, environment string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(stacks, "Pulumi."+environment+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(text string) any {
		encoded, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(encoded, &value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	if err := compiled.Validate(read(string(text))); err != nil {
		t.Errorf("%s: %#v", environment, err)
	}
	for right, wrong := range map[string]string{
		"redoubt:addonVersions:": "redoubt:addonVersion:", "redoubt:platform: ": "redoubt:platform: x", "minSize: ": "minsize: ", "redoubt:tenants:\n    - name:": "redoubt:tenants:\n    - nam:",
	} {
		if changed := strings.Replace(string(text), right, wrong, 1); changed != string(text) && compiled.Validate(read(changed)) == nil {
			t.Errorf("%s: %q is taken for %q", environment, wrong, right)
		}
	}
}
