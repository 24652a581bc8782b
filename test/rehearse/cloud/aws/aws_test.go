package aws

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
)

// prepare gives the rehearsal of an environment of this repository, with its settings in a directory of the test.
func prepare(t *testing.T, environment string, change func(settings string) string) cloud.Rehearsal {
	t.Helper()
	t.Setenv("REDOUBT_ROOT", "")
	root, err := redoubt.Root()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("REDOUBT_BIN_DIR") == "" {
		t.Setenv("REDOUBT_BIN_DIR", filepath.Join(root, "bin"))
	}
	if _, err := os.Stat(filepath.Join(os.Getenv("REDOUBT_BIN_DIR"), "pulumi")); err != nil {
		t.Skipf("%v: run `make tools` first", err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "stacks"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Pulumi.yaml", "stacks/Pulumi." + environment + ".yaml", "stacks/Pulumi." + environment + "-baseline.yaml"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			data = []byte(change(string(data)))
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Rehearsal(dir, environment)
	if err != nil {
		t.Fatal(err)
	}
	var id [3]byte
	_, _ = rand.Read(id[:])
	if r.Cluster, err = r.ThisMachine("it-" + hex.EncodeToString(id[:])); err != nil {
		t.Fatal(err)
	}
	return r
}

// M43, M45: an environment as it is in the repository, from its settings to an attacked cluster and back to nothing.
// Without root its cluster is a control plane alone.
func TestProduction(t *testing.T) {
	r := prepare(t, "aws-prod", nil)
	if testing.Short() {
		r.WithoutKubernetes = true
	}
	var shown bytes.Buffer
	r.Output = &shown
	report, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	report.Print(&shown)
	t.Log("\n" + shown.String())
	if !report.Passed || len(report.Machines) == 0 {
		t.Error("it did not pass")
	}
	for _, f := range report.Findings {
		if f.Level != cloud.Note {
			t.Errorf("%s: %s: %s", f.Step, f.Subject, f.Problem)
		}
	}
	if !r.WithoutKubernetes && (len(report.Resources) != 2 || !strings.Contains(shown.String(), "privileged pods refused")) {
		t.Error("the baseline was not rehearsed")
	}
	if len(report.Evidence.Open) > 0 {
		t.Errorf("controls are open: %q", report.Evidence.Open)
	}
	if _, err := os.Stat(filepath.Join(r.Directory(), "state")); err == nil {
		t.Error("state is left")
	}
	if report.Duration > 3*time.Minute { // a quarter of that on two cores
		t.Errorf("it took %s", report.Duration)
	}
}

// Another account is rehearsed as the simulated one, wherever its number stands.
func TestAnotherAccount(t *testing.T) {
	r := prepare(t, "aws-dev", func(settings string) string { return strings.ReplaceAll(settings, "111122223333", "444455556666") })
	r.WithoutKubernetes = true
	report, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for _, f := range report.Findings {
		said = said || strings.Contains(f.Problem, "444455556666 is rehearsed as 111122223333")
	}
	if !report.Passed || !said {
		t.Errorf("%+v", report.Findings)
	}
}

// What would fail in an account fails here: a setting that is wrong in itself, and one that only AWS can judge.
func TestWrongSettings(t *testing.T) {
	for words, change := range map[string]func(string) string{
		"redoubt:kubernetesVersion": func(s string) string {
			return strings.Replace(s, "redoubt:kubernetesVersion: v1.35.4", "redoubt:kubernetesVersion: v1.9.0", 1)
		},
		"eu-central-1d": func(s string) string { return strings.ReplaceAll(s, "eu-central-1c", "eu-central-1d") },
	} {
		r := prepare(t, "aws-prod", change)
		r.WithoutKubernetes = true
		report, err := r.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, f := range report.Findings {
			found = found || f.Level == cloud.Error && strings.Contains(f.Problem, words)
		}
		if report.Passed || !found {
			t.Errorf("%s: %+v", words, report.Findings)
		}
	}
}

// What make says of an environment that is elsewhere is said before anything is built.
func TestMakeSaysTheWay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("make is for Unix")
	}
	t.Setenv("REDOUBT_ROOT", "")
	root, err := redoubt.Root()
	if err != nil {
		t.Fatal(err)
	}
	for arguments, words := range map[string]string{
		"up ENV=aws-prod":                "aws-prod needs an account: pulumi up -s aws-prod, or make rehearse ENV=aws-prod without one\n",
		"down ENV=aws-prod":              "aws-prod needs an account",
		"up ENV=aws-prod-baseline":       "or make rehearse ENV=aws-prod without one",
		"rehearse ENV=local":             "local is real and needs no account: make up",
		"rehearse ENV=aws-prod-baseline": "make rehearse ENV=aws-prod\n",
		"rehearse ENV=nowhere":           "there is no environment nowhere: write stacks/Pulumi.nowhere.yaml, or name one: ",
	} {
		command := exec.Command("make", append([]string{"-s", "-C", root, "BIN=" + t.TempDir()}, strings.Fields(arguments)...)...)
		out, err := command.CombinedOutput()
		if err == nil || !strings.Contains(string(out), words) || strings.Contains(string(out), "building") {
			t.Errorf("make %s: %v\n%s", arguments, err, out)
		}
	}
}
