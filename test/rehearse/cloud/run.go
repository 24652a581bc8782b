package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redoubt-dev/redoubt/policies/controls"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// takeDownTime bounds what is still done after an interrupt: removing a cluster takes seconds.
const takeDownTime = 3 * time.Minute

// run is a rehearsal under way.
type run struct {
	Rehearsal
	cloud    *simcloud.Cloud
	before   map[string]bool // what a new account has
	redirect map[string]string
	report   *Report
	seen     []controls.Observation // by the probes
	// What has been begun, whether it succeeded or not.
	environmentUp, baselineUp, clusterUp bool
}

// Directory is where a rehearsal leaves its report and its logs, and keeps its state.
func (r Rehearsal) Directory() string {
	return filepath.Join(r.Repository, ".state", "rehearsal", r.Environment)
}

func (r Rehearsal) state() string { return filepath.Join(r.Directory(), "state") }

// ReportFile is where the report is left as JSON.
func (r Rehearsal) ReportFile() string { return filepath.Join(r.Directory(), "report.json") }

// Run rehearses. The error is of what kept the rehearsal from beginning; what it found is in the report. After an
// interrupt the report says so, and nothing is left up.
func (r Rehearsal) Run(ctx context.Context) (*Report, error) {
	release, err := r.begin()
	if err != nil {
		return nil, err
	}
	defer release()
	started := time.Now()
	x := &run{Rehearsal: r, report: &Report{Environment: r.Environment, Cloud: r.Cloud}, redirect: map[string]string{}, before: map[string]bool{}}
	fmt.Fprintf(r.Output, "rehearsal of %s: the real engine, a simulated %s, no account\n", r.Environment, r.Cloud)
	if err := x.clear(ctx); err != nil {
		return nil, err
	}
	_ = os.RemoveAll(filepath.Join(r.Directory(), "log"))
	if err := x.prepare(ctx); err != nil {
		return nil, err
	}
	if err := x.adapt(); err != nil {
		return nil, err
	}
	options := simcloud.Options{VirtualTime: true}
	if r.Keep {
		options.Journal = filepath.Join(r.state(), "cloud.journal")
	}
	if x.cloud, err = r.Open(options); err != nil {
		return nil, err
	}
	defer x.cloud.Close()
	if err := x.given(); err != nil {
		return nil, err
	}
	for _, o := range x.cloud.Objects() {
		x.before[o.Key()] = true
	}
	x.rehearse(ctx)
	if r.Keep && ctx.Err() == nil {
		x.keep()
		x.hold(ctx)
	}
	if !r.Keep || ctx.Err() != nil {
		x.takeDown(ctx)
		x.report.Interrupted = ctx.Err() != nil
	}
	x.report.Duration = time.Since(started)
	x.report.Passed = !x.report.Interrupted && count(x.report.Findings, Error) == 0
	return x.report, x.report.write(r.ReportFile())
}

// Clear removes what an earlier rehearsal kept, or was killed over.
func (r Rehearsal) Clear(ctx context.Context) error {
	release, err := r.begin()
	if err != nil {
		return err
	}
	defer release()
	return (&run{Rehearsal: r, report: &Report{}}).clear(ctx)
}

// begin checks and takes the environment's rehearsal for this process.
func (r *Rehearsal) begin() (release func(), err error) {
	if r.Repository, err = filepath.Abs(r.Repository); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if r.Output == nil {
		r.Output = io.Discard
	}
	// The program runs in this process: it reads the settings that the driver has written, overrides included.
	for name, value := range map[string]string{"REDOUBT_ROOT": r.Repository, "REDOUBT_SETTINGS_DIR": rehearse.SettingsDirectory(r.state())} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(r.Directory(), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(r.Directory(), "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("environment %s is being rehearsed by another run: wait until it ends, or interrupt it", r.Environment)
	}
	return func() {
		_ = syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
		_ = lock.Close()
	}, nil
}

// clear removes what an earlier run left: its cluster is real and is destroyed, its cloud is gone and its stacks are
// forgotten.
func (x *run) clear(ctx context.Context) error {
	if _, err := os.Stat(x.state()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return x.announced("clear what the last run left", func() (string, error) {
		log, done := x.log("clear")
		defer done()
		if x.Cluster != nil {
			if err := x.Cluster.Destroy(ctx, log); err != nil {
				return "", fmt.Errorf("the cluster of an earlier run is still there: %w", err)
			}
		}
		for _, name := range []string{x.Baseline, x.Environment} {
			if name == "" {
				continue
			}
			if err := rehearse.New(x.stack(name, io.Discard)).Forget(ctx); err != nil {
				return "", err
			}
		}
		return "nothing is left", os.RemoveAll(x.state())
	})
}

// announced does something with a line before and its outcome after.
func (x *run) announced(name string, do func() (string, error)) error {
	fmt.Fprintf(x.Output, "  %-45s ", name+" ...")
	started := time.Now()
	outcome, err := do()
	takes := time.Since(started)
	if err != nil {
		outcome = "failed"
	}
	fmt.Fprintf(x.Output, "%-64s %6s\n", outcome, seconds(takes))
	x.report.Steps = append(x.report.Steps, Step{Name: name, Outcome: outcome, Failed: err != nil, Duration: takes})
	return err
}

// step does one part of the rehearsal, unless it was interrupted. What fails is a finding.
func (x *run) step(ctx context.Context, name string, do func(log io.Writer) (string, error)) bool {
	if ctx.Err() != nil {
		return false
	}
	log, done := x.log(name)
	defer done()
	err := x.announced(name, func() (string, error) {
		outcome, err := do(log)
		if err != nil && ctx.Err() != nil {
			return "interrupted", nil
		}
		return outcome, err
	})
	if err != nil {
		x.failed(name, err)
	}
	return err == nil && ctx.Err() == nil
}

// find records findings of a step.
func (x *run) find(step string, findings ...Finding) {
	for _, f := range findings {
		f.Step = step
		x.report.Findings = append(x.report.Findings, f)
	}
}

// failed records what kept a step from its end: each resource once where the engine tells.
func (x *run) failed(step string, err error) {
	remedy := "the engine's own words are in " + x.logFile(step)
	var failure *rehearse.Failure
	if !errors.As(err, &failure) {
		x.find(step, Finding{Level: Error, Problem: err.Error()})
		return
	}
	for _, p := range failure.Problems {
		x.find(step, Finding{Level: Error, Subject: subject(p.URN), Problem: p.Message, Remedy: remedy})
		remedy = ""
	}
}

// subject is "ec2.Vpc net" of a URN, "" of a stack's own.
func subject(urn string) string {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return ""
	}
	types := strings.Split(parts[2], "$")
	if kind := types[len(types)-1]; kind != "pulumi:pulumi:Stack" {
		return short(kind) + " " + parts[3]
	}
	return ""
}

func (r Rehearsal) logFile(step string) string {
	name := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(step))
	return filepath.Join(r.Directory(), "log", name+".log")
}

// log takes what the engine says during a step. Losing it fails nothing.
func (x *run) log(step string) (io.Writer, func()) {
	log := &logFile{path: x.logFile(step)}
	return log, log.close
}

// logFile is a file that is there once there is something in it.
type logFile struct {
	path string
	file *os.File
}

func (l *logFile) Write(data []byte) (int, error) {
	if l.file == nil {
		_ = os.MkdirAll(filepath.Dir(l.path), 0o700)
		var err error
		if l.file, err = os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return len(data), nil
		}
	}
	_, _ = l.file.Write(data)
	return len(data), nil
}

func (l *logFile) close() {
	if l.file != nil {
		_ = l.file.Close()
	}
}
