package cloud

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// keep says what stays up.
func (x *run) keep() {
	x.report.Kept = append(x.report.Kept,
		"export PULUMI_BACKEND_URL=file://"+filepath.Join(x.state(), "pulumi"),
		"export PULUMI_CONFIG_PASSPHRASE_FILE="+filepath.Join(x.state(), "passphrase"),
		"make rehearse ENV="+x.Environment+" ARGS=--clear    # remove it; the next rehearsal does so too")
}

// takeDown removes everything, in the order of a real environment. After an interrupt only what is real is removed
// step by step.
func (x *run) takeDown(interrupted context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(interrupted), takeDownTime)
	defer cancel()
	x.report.Kept = nil
	if x.baselineUp && interrupted.Err() == nil {
		x.destroy(interrupted, x.Baseline)
	}
	gone := true
	if x.clusterUp {
		gone = x.step(ctx, "the cluster on this machine: destroy", func(log io.Writer) (string, error) {
			return "gone", x.Cluster.Destroy(ctx, log)
		})
	}
	if x.environmentUp && interrupted.Err() == nil && x.destroy(interrupted, x.Environment) {
		x.leftovers(interrupted)
	}
	if !gone {
		x.report.Kept = []string{"run again with --clear, or rehearse again: either removes what is left of the cluster"}
		return
	}
	if err := os.RemoveAll(x.state()); err != nil {
		x.find("clear", Finding{Level: Error, Problem: err.Error()})
	}
}

// destroy removes a stack. What the settings protect is lifted first, as people must.
func (x *run) destroy(ctx context.Context, name string) bool {
	step := name + ": destroy"
	return x.step(ctx, step, func(log io.Writer) (string, error) {
		options := x.stack(name, log)
		protected, err := rehearse.New(options).Protected()
		if err != nil {
			return "", err
		}
		if len(protected) > 0 {
			x.find(step, Finding{Level: Note, Problem: "protected, and destroyed only after an up with " + joined(x.Lift) + ": " + strings.Join(topmost(protected), ", ")})
			options.Set = maps.Clone(options.Set)
			if options.Set == nil {
				options.Set = map[string]string{}
			}
			maps.Copy(options.Set, x.Lift)
			if _, err := rehearse.New(options).Up(ctx); err != nil {
				return "", err
			}
		}
		result, err := rehearse.New(options).Destroy(ctx)
		return fmt.Sprintf("%d deleted", result.Deletes()), err
	})
}

// joined are settings in words.
func joined(settings map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		out = append(out, key+": "+settings[key])
	}
	return strings.Join(out, ", ")
}

// topmost names what does not lie in something that is among them: protection of a component is that of its parts.
func topmost(urns []string) []string {
	types := map[string]bool{}
	kind := func(urn string) string { return strings.Split(urn, "::")[2] } // with those of its parents before it
	for _, urn := range urns {
		types[kind(urn)] = true
	}
	var names []string
	for _, urn := range urns {
		if i := strings.LastIndex(kind(urn), "$"); i < 0 || !types[kind(urn)[:i]] {
			names = append(names, subject(urn))
		}
	}
	slices.Sort(names)
	return names
}

// leftovers compares what the cloud holds with what it held at the beginning.
func (x *run) leftovers(ctx context.Context) {
	const step = "what is left in the cloud"
	x.step(ctx, step, func(io.Writer) (string, error) {
		left, kept := 0, map[string][]string{}
		var reasons []string
		for _, o := range x.cloud.Objects() {
			if x.before[o.Key()] {
				continue
			}
			what, reason := short(o.Type)+" "+o.ID, ""
			if x.Keeps != nil {
				reason = x.Keeps(x.cloud, o)
			}
			if reason == "" {
				left++
				x.find(step, Finding{Level: Error, Subject: what, Problem: "is still there after everything was destroyed",
					Remedy: "let the program own it: it costs money, and may stand in the way of the next environment of that name"})
				continue
			}
			if kept[reason] == nil {
				reasons = append(reasons, reason)
			}
			kept[reason] = append(kept[reason], what)
		}
		for _, reason := range reasons {
			x.find(step, Finding{Level: Note, Subject: strings.Join(kept[reason], ", "), Problem: "stays: " + reason})
		}
		switch {
		case left > 0:
			return fmt.Sprintf("%d left behind", left), nil
		case len(reasons) > 0:
			return "what the cloud itself keeps", nil
		}
		return "nothing", nil
	})
}
