package cloud

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

func TestWrongUseIsExplained(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte("name: toys\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDOUBT_ROOT", dir)
	of := func(root, environment string) (Rehearsal, error) {
		return Rehearsal{Environment: environment, Repository: root, Platform: "sky", Open: func(simcloud.Options) (*simcloud.Cloud, error) {
			return nil, errors.New("a cloud was opened")
		}}, nil
	}
	for _, c := range []struct {
		arguments []string
		words     string
	}{
		{nil, flag.ErrHelp.Error()},
		{[]string{"--help"}, flag.ErrHelp.Error()},
		{[]string{"--env", "a", "--kep"}, "not defined: -kep; --help shows the usage"},
		{[]string{"--env", "a", "b"}, `"b" is no flag`},
		{[]string{"--env", "a", "--set", "workers"}, "<namespace>:<key>=<value>"},
		{[]string{"--env", "a"}, "there is no environment a"},
		{[]string{"--env", "../a"}, "lower-case letters"},
		{[]string{"--env", "a", "--clear"}, "there is no environment a"},
	} {
		var out bytes.Buffer
		_, err := command(context.Background(), c.arguments, of, &out, &out)
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%v: %v", c.arguments, err)
		}
	}
}

func TestClusterNames(t *testing.T) {
	seen := map[string]bool{}
	for environment, want := range map[string]string{
		"aws-prod":                         "aws-prod-rehearsal",
		strings.Repeat("a", 22):            strings.Repeat("a", 22) + "-rehearsal",
		strings.Repeat("a", 31) + "b":      "",
		strings.Repeat("a", 31) + "c":      "",
		"a234567890123456-890123456789012": "",
	} {
		name := clusterName(environment)
		if want != "" && name != want || len(name) > 32 || seen[name] || strings.Contains(name, "--") || !strings.HasSuffix(name, "-rehearsal") {
			t.Errorf("%s: %s", environment, name)
		}
		seen[name] = true
	}
}
