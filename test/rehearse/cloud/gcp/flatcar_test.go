package gcp

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
)

// A cluster that runs itself is rehearsed: every machine boots with what its own account may read, nothing is found wrong,
// and nothing is left (M02, M12, M43).
func TestSelfManaged(t *testing.T) {
	r := prepare(t, "gcp-flatcar")
	r.WithoutKubernetes = true
	program := filepath.Join(t.TempDir(), "redoubt-node")
	if err := os.WriteFile(program, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Set = map[string]string{"redoubt:nodeProgram": program}
	var shown bytes.Buffer
	r.Output = &shown
	report, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	report.Print(&shown)
	t.Log("\n" + shown.String())
	if !report.Passed || len(report.Machines) != 5 {
		t.Errorf("passed %t, %d machines", report.Passed, len(report.Machines))
	}
	for _, f := range report.Findings {
		if f.Level == cloud.Error {
			t.Errorf("%s: %s: %s", f.Step, f.Subject, f.Problem)
		}
	}
}
