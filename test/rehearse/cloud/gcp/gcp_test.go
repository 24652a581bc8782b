package gcp

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	components "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/policies/controls"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/rehearse/redoubt"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// prepare gives the rehearsal of an environment of this repository, with its settings in a directory of the test.
func prepare(t *testing.T, environment string) cloud.Rehearsal {
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

// Production is rehearsed whole: nothing is found wrong, and nothing is left (M07, M11, M43, M47).
func TestProduction(t *testing.T) {
	r := prepare(t, "gcp-prod")
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
	if !report.Passed || len(report.Machines) != 3 {
		t.Errorf("passed %t, %d machines", report.Passed, len(report.Machines))
	}
	for _, f := range report.Findings {
		if f.Level != cloud.Note {
			t.Errorf("%s: %s: %s", f.Step, f.Subject, f.Problem)
		}
	}
	if !r.WithoutKubernetes && (len(report.Resources) != 2 || !strings.Contains(shown.String(), "privileged pods refused")) {
		t.Error("the baseline was not rehearsed")
	}
	proven(t, report, r.WithoutKubernetes)
}

// proven reads the evidence as a reader would: what nobody upholds is said, and so is everything that the provider cannot
// say, with what is done instead (M37).
func proven(t *testing.T, report *cloud.Report, withoutKubernetes bool) {
	t.Helper()
	page, err := os.ReadFile(report.Evidence.Page)
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range components.Limits() {
		for _, text := range []string{limit.Field, limit.Consequence, limit.Compensation} {
			if !strings.Contains(html.UnescapeString(string(page)), text) {
				t.Errorf("the page does not say %q", text)
			}
		}
	}
	// What only a cluster shows is open where there was none.
	open := []string{}
	if withoutKubernetes {
		open = []string{"CIS-GKE-5.7.2 (failed)"}
	}
	if !slices.EqualFunc(report.Evidence.Open, open, strings.HasPrefix) {
		t.Errorf("open: %q", report.Evidence.Open)
	}
	var evidence controls.Report
	data, err := os.ReadFile(report.Evidence.Data)
	if err != nil || json.Unmarshal(data, &evidence) != nil {
		t.Fatal(err, string(data))
	}
	want := map[string]controls.State{"CIS-GKE-5.4.1": controls.Satisfied, "CIS-GKE-4.1.9": controls.NotTested, "CIS-GKE-3.2.4": controls.ProviderOwned, "CIS-GKE-4.2.1": controls.Satisfied, "CIS-GKE-5.7.2": controls.Satisfied}
	if withoutKubernetes {
		want["CIS-GKE-4.2.1"], want["CIS-GKE-5.7.2"] = controls.NotTested, controls.Failed
	}
	for _, each := range evidence.Results {
		if state := want[each.ID]; state != "" && state != each.State {
			t.Errorf("%s is %s, not %s", each.ID, each.State, state)
		}
		delete(want, each.ID)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

// good are a pool and a machine as production has them, in what is judged.
func good() (pool, machine simcloud.Values) {
	return simcloud.Values{"name": "general", "nodeConfig": map[string]any{
			"imageType": "COS_CONTAINERD", "serviceAccount": "nodes@p.iam.gserviceaccount.com", "bootDiskKmsKey": "k",
			"shieldedInstanceConfig": map[string]any{"enableSecureBoot": true, "enableIntegrityMonitoring": true},
			"workloadMetadataConfig": map[string]any{"mode": "GKE_METADATA"}}},
		simcloud.Values{"name": "entry", "metadata": map[string]any{"user-data": "#cloud-config\nruncmd:\n- true\n"}}
}

// What a machine must not boot with is found.
func TestMachinesThatAreWrong(t *testing.T) {
	pool, machine := good()
	if _, found := node(simcloud.Object{State: pool}); len(found) > 0 {
		t.Errorf("a good pool: %+v", found)
	}
	if _, found := document(simcloud.Object{State: machine}); len(found) > 0 {
		t.Errorf("a good machine: %+v", found)
	}
	for want, change := range map[string]func(config map[string]any){
		"CIS-GKE-5.5.1": func(c map[string]any) { c["imageType"] = "UBUNTU_CONTAINERD" },
		"CIS-GKE-5.5.7": func(c map[string]any) { c["shieldedInstanceConfig"].(map[string]any)["enableSecureBoot"] = false },
		"CIS-GKE-5.5.6": func(c map[string]any) {
			c["shieldedInstanceConfig"].(map[string]any)["enableIntegrityMonitoring"] = false
		},
		"CIS-GKE-5.4.1": func(c map[string]any) { delete(c, "workloadMetadataConfig") },
		"CIS-GKE-5.9.1": func(c map[string]any) { delete(c, "bootDiskKmsKey") },
		"CIS-GKE-5.2.1": func(c map[string]any) { c["serviceAccount"] = "default" },
	} {
		pool, _ := good()
		change(pool["nodeConfig"].(map[string]any))
		if _, found := node(simcloud.Object{State: pool}); len(found) != 1 || !strings.Contains(found[0].Problem, want) {
			t.Errorf("%s: %+v", want, found)
		}
	}
	for want, metadata := range map[string]map[string]any{
		"does not begin": {"user-data": "runcmd: []"}, "cloud-init would not read": {"user-data": cloudConfig + "runcmd: {"},
		"larger than": {"user-data": cloudConfig + "runcmd: []\n# " + strings.Repeat("x", metadataLimit)}, "SSH keys": {"user-data": cloudConfig + "runcmd: []", "ssh-keys": "me:ssh-ed25519 x"},
	} {
		if _, found := document(simcloud.Object{State: simcloud.Values{"metadata": metadata}}); len(found) != 1 || !strings.Contains(found[0].Problem, want) {
			t.Errorf("%s: %+v", want, found)
		}
	}
}
