package cloud

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Report is what a rehearsal did and found.
type Report struct {
	Environment string `json:"environment"`
	Cloud       string `json:"cloud"`
	// Passed tells that nothing of level error was found.
	Passed      bool `json:"passed"`
	Interrupted bool `json:"interrupted,omitempty"`
	// Duration is that of the rehearsal on this machine.
	Duration  time.Duration `json:"duration"`
	Steps     []Step        `json:"steps"`
	Resources []*Resource   `json:"resources"`
	Machines  []Machine     `json:"machines"`
	Schedule  *Schedule     `json:"schedule,omitempty"`
	Costs     *Costs        `json:"costs,omitempty"`
	Evidence  *Evidence     `json:"evidence,omitempty"`
	Findings  []Finding     `json:"findings"`
	// Kept is what stays up, and how to use it.
	Kept []string `json:"kept,omitempty"`
}

// Step is one part of a rehearsal.
type Step struct {
	Name     string        `json:"name"`
	Outcome  string        `json:"outcome"`
	Failed   bool          `json:"failed,omitempty"`
	Duration time.Duration `json:"duration"`
}

// write leaves the report as JSON in a file. Durations are nanoseconds.
func (r *Report) write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
