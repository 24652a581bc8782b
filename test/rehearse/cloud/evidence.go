package cloud

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/controls"
	"github.com/redoubt-dev/redoubt/test/simcloud/judge"
)

// Demands are the controls that an environment must uphold.
type Demands struct {
	// Benchmark begins the ids of the benchmark's recommendations, such as "CIS-GKE-".
	Benchmark string
	Catalogue []controls.Control
	// Checks judge what the cloud holds.
	Checks []judge.Check
	// Limits are what the cloud's provider cannot say.
	Limits []controls.Limit
}

// Evidence is where the evidence of a rehearsal is, and what it comes to.
type Evidence struct {
	Summary string `json:"summary"`
	// Page is for people, Data for programs.
	Page string `json:"page"`
	Data string `json:"data"`
	// Open are the controls that are not upheld, and why.
	Open []string `json:"open,omitempty"`
}

// evidence judges every control by what the simulated cloud holds and by what the probes have seen, and leaves a report.
func (x *run) evidence(ctx context.Context) {
	if x.Demands == nil {
		return
	}
	x.step(ctx, "evidence", func(io.Writer) (string, error) {
		seen := x.seen
		for _, check := range x.Demands.Checks {
			seen = append(seen, controls.Observation{Controls: check.IDs, About: check.About, Level: controls.Resources, Wrong: check.Wrong(x.cloud.Objects())})
		}
		exceptions, err := exceptionsOf(x.adapted(x.Environment))
		if err != nil {
			return "", err
		}
		report := controls.Report{
			Environment: x.Environment, Collected: time.Now().UTC().Truncate(time.Second), Limits: x.Demands.Limits, Exceptions: exceptions,
			Scope: fmt.Sprintf("A rehearsal: what the program registers, as a simulated %s holds it, and what a real Kubernetes API server answers with the baseline in it. Nothing here was seen in an account.", x.Cloud),
		}.Judge(x.Demands.Catalogue, seen)
		x.report.Evidence, err = leave(report, x.Directory())
		return report.Summary(), err
	})
}

// leave writes the report in both forms.
func leave(report controls.Report, directory string) (*Evidence, error) {
	left := &Evidence{Summary: report.Summary(), Page: filepath.Join(directory, "evidence.html"), Data: filepath.Join(directory, "evidence.json")}
	for file, render := range map[string]func() ([]byte, error){left.Page: report.HTML, left.Data: report.JSON} {
		data, err := render()
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return nil, err
		}
	}
	for _, each := range report.ByState() {
		if each.State == controls.Failed || each.State == controls.Accepted {
			left.Open = append(left.Open, openLine(each))
		}
	}
	return left, nil
}

// openLine says what is open about a control.
func openLine(r controls.Result) string {
	var why []string
	for _, o := range r.Observations {
		if len(o.Wrong) > 0 {
			why = append(why, "not so: "+o.About)
		}
	}
	if r.Why != "" {
		why = append(why, r.Why)
	}
	return fmt.Sprintf("%s (%s) %s: %s", r.ID, r.State, r.Title, strings.Join(why, "; "))
}

// exceptionsOf reads the exceptions of an environment's settings.
func exceptionsOf(file string) ([]hostconfig.Exception, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var settings struct {
		Config struct {
			Exceptions []hostconfig.Exception `yaml:"redoubt:exceptions"`
		} `yaml:"config"`
	}
	return settings.Config.Exceptions, yaml.Unmarshal(data, &settings)
}
