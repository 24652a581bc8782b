package cloud_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

func run(t *testing.T, r cloud.Rehearsal) *cloud.Report {
	t.Helper()
	report, err := r.Run(context.Background())
	must(t, err)
	return report
}

// said tells whether there is a finding of the level whose parts, put together, contain the words.
func said(report *cloud.Report, level cloud.Level, words string) bool {
	for _, f := range report.Findings {
		if f.Level == level && strings.Contains(f.Step+": "+f.Subject+": "+f.Problem, words) {
			return true
		}
	}
	return false
}

// clean checks that nothing is left but the report and logs.
func clean(t *testing.T, r cloud.Rehearsal) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(r.Directory(), "state")); err == nil {
		t.Error("state is left")
	}
}

func TestAWholeLife(t *testing.T) {
	r, _ := toy(t, "[a, b, protected]")
	r.Open = sky
	var shown bytes.Buffer
	r.Output = &shown
	r.Machines = func(c *simcloud.Cloud) ([]cloud.Machine, []cloud.Finding) {
		return []cloud.Machine{{Pool: "all", Bytes: len(c.Objects(machineToken)), Limit: 9}}, nil
	}
	r.Checks = []cloud.Check{{Name: "a check", Run: func(c *simcloud.Cloud) []cloud.Finding {
		return []cloud.Finding{{Level: cloud.Warning, Subject: "sky", Problem: "it is grey"}}
	}}}
	price := 12.0
	r.Costs = func(c *simcloud.Cloud) *cloud.Costs {
		return &cloud.Costs{Basis: "prices of the sky", Monthly: 36, Lines: []cloud.CostLine{{Thing: "machine", Count: len(c.Objects(machineToken)), Monthly: &price, Price: "12 a month"}, {Thing: "cloud", Count: 1}}, Volumes: []string{"rain"}}
	}
	report := run(t, r)
	if !report.Passed {
		t.Errorf("%+v", report.Findings)
	}
	clean(t, r)
	if !said(report, cloud.Note, "index.Machine machine-2") || !said(report, cloud.Warning, "a check: sky: it is grey") || len(report.Findings) != 2 {
		t.Errorf("findings %+v", report.Findings)
	}
	if len(report.Resources) != 1 || report.Resources[0].All != 4 || report.Resources[0].Children[0].Counts[machineToken] != 3 {
		t.Errorf("resources %+v", report.Resources)
	}
	var text bytes.Buffer
	report.Print(&text)
	for _, words := range []string{"toy-prod: preview ...", "toy-prod: up again ...", "5 unchanged", "5 deleted", "what is left in the cloud ...", "group  sky.Group, 3", "3 index.Machine",
		"all: 3 of 9 bytes", "1:00 with 32 operations at a time; 1:00 is the longest chain, below which nothing gets; 3:00 one after another", "0:00     1:00  index.Machine machine-", "12     3 × machine", "?     1 × cloud", "36  USD a month, and what has no price here", "rain", "1 warning, 1 note", "passed, in"} {
		if !strings.Contains(shown.String()+text.String(), words) {
			t.Errorf("%q is not shown:\n%s%s", words, shown.String(), text.String())
		}
	}
	for _, line := range strings.Split(shown.String()+text.String(), "\n") {
		if len([]rune(line)) > 120 && !strings.Contains(line, "/") {
			t.Errorf("a line of %d: %s", len(line), line)
		}
	}
	data, err := os.ReadFile(r.ReportFile())
	must(t, err)
	var again cloud.Report
	must(t, json.Unmarshal(data, &again))
	if !again.Passed || len(again.Steps) != len(report.Steps) {
		t.Errorf("the file says %s", data)
	}
}

func TestWhatIsWrongIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		documents, words string
		change           func(*cloud.Rehearsal)
	}{
		"settings":                               {"[refused]", "toy-prod: preview: : redoubt:documents: refused is no document", nil},
		"the cloud says no":                      {"[a, broken]", "index.Machine machine-1: ", nil},
		"a second up":                            {"[changing]", "toy-prod: up again: index.Machine machine-0: a second up, with the same settings, does: update", nil},
		"a preview that promises something else": {"[a, surprise]", "the preview promised", nil},
		"left behind":                            {"[logs]", "what is left in the cloud: index.Log log-", nil},
		"no endpoint": {"[a]", "the output nowhere is missing", func(r *cloud.Rehearsal) {
			r.WithoutKubernetes, r.Endpoint = false, "nowhere"
		}},
		"machines": {"[a]", "pool: bad document", func(r *cloud.Rehearsal) {
			r.Machines = func(*simcloud.Cloud) ([]cloud.Machine, []cloud.Finding) {
				return nil, []cloud.Finding{{Level: cloud.Error, Subject: "pool", Problem: "bad document"}}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := toy(t, c.documents)
			if c.change != nil {
				c.change(&r)
			}
			report := run(t, r)
			if report.Passed || !said(report, cloud.Error, c.words) {
				t.Errorf("passed %v, %+v", report.Passed, report.Findings)
			}
			clean(t, r)
		})
	}
}

func TestWhatTheCloudKeepsIsNoFault(t *testing.T) {
	r, _ := toy(t, "[logs]")
	r.Keeps = func(_ *simcloud.Cloud, o simcloud.Object) string {
		if o.Type == logToken {
			return "logs are kept"
		}
		return ""
	}
	if report := run(t, r); !report.Passed || !said(report, cloud.Note, "stays: logs are kept") {
		t.Errorf("%+v", report.Findings)
	}
}

func TestKeepAndClear(t *testing.T) {
	r, c := toy(t, "[a, slow]")
	r.Keep = true
	report := run(t, r)
	if !report.Passed || !strings.Contains(strings.Join(report.Kept, "\n"), "ARGS=--clear") {
		t.Errorf("%+v", report)
	}
	journal, err := os.ReadFile(filepath.Join(r.Directory(), "state", "cloud.journal"))
	if err != nil || !strings.Contains(string(journal), "machine-1") {
		t.Errorf("the cloud was not kept: %v", err)
	}
	if c.gone != 0 {
		t.Error("the cluster was destroyed")
	}
	report = run(t, r) // begins anew: it does not meet what the first one kept
	if !report.Passed || c.gone != 1 || report.Steps[0].Name != "clear what the last run left" {
		t.Errorf("%+v", report)
	}
	must(t, r.Clear(context.Background()))
	clean(t, r)
	if c.gone != 2 {
		t.Error("the cluster was not destroyed")
	}
	must(t, r.Clear(context.Background())) // nothing there
}

func TestInterrupted(t *testing.T) {
	r, c := toy(t, "[a]")
	ctx, cancel := context.WithCancel(context.Background())
	half := make(chan struct{})
	c.hang, r.WithoutKubernetes, r.Keep = half, false, true
	go func() { <-half; cancel() }()
	report, err := r.Run(ctx)
	must(t, err)
	if !report.Interrupted || report.Passed || c.gone != 1 {
		t.Errorf("gone %d, %+v", c.gone, report)
	}
	clean(t, r)
}

// An interrupt while things are taken down is no pass: what the destroys would have found is not known.
func TestInterruptedAtTheEnd(t *testing.T) {
	r, _ := toy(t, "[a, b]")
	ctx, cancel := context.WithCancel(context.Background())
	r.Output = writer(func(line string) {
		if strings.Contains(line, "toy-prod: destroy") {
			cancel()
		}
	})
	report, err := r.Run(ctx)
	must(t, err)
	if !report.Interrupted || report.Passed {
		t.Errorf("%+v", report)
	}
	var text bytes.Buffer
	report.Print(&text)
	if strings.TrimSpace(text.String()) != "The rehearsal of toy-prod was interrupted. Nothing is left up; run the same command again: it begins anew." {
		t.Errorf("says %q", text.String())
	}
	clean(t, r)
}

type writer func(string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

func TestOneAtATime(t *testing.T) {
	r, c := toy(t, "[a]")
	half := make(chan struct{}, 2) // also for a second one, which must not be
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c.hang, r.WithoutKubernetes = half, false
	ended := make(chan error, 1)
	go func() { _, err := r.Run(ctx); ended <- err }()
	<-half
	briefly, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	if _, err := r.Run(briefly); err == nil || !strings.Contains(err.Error(), "is being rehearsed by another run") {
		t.Errorf("%v", err)
	}
	if err := r.Clear(ctx); err == nil {
		t.Error("cleared under a run")
	}
	cancel()
	must(t, <-ended)
}

func TestWhatCannotBeRehearsed(t *testing.T) {
	r, _ := toy(t, "[a]")
	for environment, words := range map[string]string{
		"nowhere":           "there is no environment nowhere: write stacks/Pulumi.nowhere.yaml, or name one of toy-prod",
		"local":             "is real and needs no account: make up ENV=local",
		"toy-prod-baseline": "rehearse that one",
		"No Name":           "lower-case letters",
	} {
		r.Environment = environment
		if _, err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", environment, err)
		}
	}
	r.Environment = "toy-prod"
	r.WithoutKubernetes = false
	must(t, os.Remove(filepath.Join(r.Repository, "stacks", "Pulumi.toy-prod-baseline.yaml")))
	if _, err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "the baseline of environment toy-prod") {
		t.Errorf("%v", err)
	}
	r.Platform = "sea"
	if _, err := r.Run(context.Background()); err == nil || !strings.Contains(err.Error(), `of platform "sky", and this rehearses "sea"`) {
		t.Errorf("%v", err)
	}
}
