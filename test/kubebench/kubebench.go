// Package kubebench reads what kube-bench says of a cluster, and compares it with a
// reviewed list of what may fail.
package kubebench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// benchmarks are kube-bench's profiles of the CIS Kubernetes benchmark that
// suit this version of Kubernetes, the newest first.
var benchmarks = []string{"cis-1.12", "cis-1.11", "cis-1.10"}

// Finding is one check of kube-bench.
type Finding struct {
	ID     string `json:"test_number"`
	Text   string `json:"test_desc"`
	Status string `json:"status"`
	Actual string `json:"actual_value"`
	Reason string `json:"reason"`
}

// report is kube-bench's JSON.
type report struct {
	Controls []struct {
		Type   string `json:"node_type"`
		Groups []struct {
			Checks []Finding `json:"results"`
		} `json:"tests"`
	} `json:"Controls"`
}

// Parse reads kube-bench's output into findings by id.
func Parse(data []byte) (map[string]Finding, error) {
	var report report
	// kube-bench may say something before the JSON.
	if start := bytes.IndexByte(data, '{'); start > 0 {
		data = data[start:]
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return nil, fmt.Errorf("kube-bench's output is no report: %w: %.200s", err, data)
	}
	findings := map[string]Finding{}
	for _, control := range report.Controls {
		for _, group := range control.Groups {
			for _, check := range group.Checks {
				findings[check.ID] = check
			}
		}
	}
	if len(findings) == 0 {
		return nil, errors.New("kube-bench ran no check")
	}
	return findings, nil
}

// Exception is a FAIL that was reviewed and accepted.
type Exception struct {
	ID string `json:"id"`
	// Reason says why the check cannot pass here and what holds instead.
	Reason string `json:"reason"`
	// Reviewed is when somebody last looked at it, as YYYY-MM-DD.
	Reviewed string `json:"reviewed"`
}

// ReadExceptions reads the reviewed list and refuses an entry without reason
// or date.
func ReadExceptions(path string) (map[string]Exception, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Exceptions []Exception `json:"exceptions"`
	}
	if err := yaml.UnmarshalStrict(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	exceptions := map[string]Exception{}
	for i, e := range file.Exceptions {
		if _, err := time.Parse(time.DateOnly, e.Reviewed); err != nil || e.ID == "" || len(e.Reason) < 20 {
			return nil, fmt.Errorf("%s: exceptions[%d] (%s): write id, a reason of at least a sentence, and reviewed as YYYY-MM-DD", path, i, e.ID)
		}
		if _, twice := exceptions[e.ID]; twice {
			return nil, fmt.Errorf("%s: %s is listed twice", path, e.ID)
		}
		exceptions[e.ID] = e
	}
	return exceptions, nil
}

// Judge compares findings with the reviewed list. A FAIL that is not on it and
// an entry that no longer fails are both wrong: the list says what is true.
func Judge(findings map[string]Finding, exceptions map[string]Exception) error {
	var faults []error
	for id, f := range findings {
		_, accepted := exceptions[id]
		switch {
		case f.Status == "FAIL" && !accepted:
			faults = append(faults, fmt.Errorf("FAIL %s %s: %s %s", id, f.Text, f.Reason, f.Actual))
		case f.Status != "FAIL" && accepted:
			faults = append(faults, fmt.Errorf("%s %s is listed as an exception and does not fail: remove it from the list", f.Status, id))
		}
	}
	sort.Slice(faults, func(i, j int) bool { return faults[i].Error() < faults[j].Error() })
	return errors.Join(faults...)
}

// Totals counts findings by status.
func Totals(findings map[string]Finding) map[string]int {
	count := map[string]int{}
	for _, f := range findings {
		count[f.Status]++
	}
	return count
}

// ConfigDir finds kube-bench's profiles in its module, whose version the
// tool's go.mod pins, and the newest profile among them.
func ConfigDir(root string) (dir, benchmark string, err error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aquasecurity/kube-bench")
	list.Dir = filepath.Join(root, "test", "tools", "kube-bench")
	list.Env = append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		return "", "", fmt.Errorf("finding kube-bench's module: %w", err)
	}
	dir = filepath.Join(strings.TrimSpace(string(out)), "cfg")
	for _, benchmark := range benchmarks {
		if _, err := os.Stat(filepath.Join(dir, benchmark)); err == nil {
			return dir, benchmark, nil
		}
	}
	return "", "", fmt.Errorf("%s has none of %v", dir, benchmarks)
}

// CopyTree copies files; the copies are writable, which the module cache is not.
func CopyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		return CopyFile(path, target, 0o600)
	})
}

// CopyFile copies a file into a directory that is made for it.
func CopyFile(from, to string, mode os.FileMode) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, data, mode)
}
