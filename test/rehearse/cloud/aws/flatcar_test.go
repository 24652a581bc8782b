package aws

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
)

// M12, M43: a cluster that runs itself, from its settings to what each of its machines boots from, and back to nothing.
func TestFlatcar(t *testing.T) {
	r := prepare(t, "aws-flatcar", nil)
	r.WithoutKubernetes = true
	node := filepath.Join(t.TempDir(), "redoubt-node")
	if err := os.WriteFile(node, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Set = map[string]string{"redoubt:nodeProgram": node}
	var shown bytes.Buffer
	r.Output = &shown
	report, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	report.Print(&shown)
	t.Log("\n" + shown.String())
	for _, f := range report.Findings {
		if f.Level != cloud.Note {
			t.Errorf("%s: %s: %s", f.Step, f.Subject, f.Problem)
		}
	}
	if !report.Passed || len(report.Machines) != 5 { // three of the control plane, two pools
		t.Errorf("passed %v, %d machines", report.Passed, len(report.Machines))
	}
	for _, m := range report.Machines {
		if m.Bytes == 0 || m.Bytes > 1024 || !strings.Contains(strings.Join(m.Settings, "\n"), "s3://aws-flatcar-store-") {
			t.Errorf("%s: %d bytes, %v", m.Pool, m.Bytes, m.Settings)
		}
	}
}
