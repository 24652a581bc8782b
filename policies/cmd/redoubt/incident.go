package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/redoubt-dev/redoubt/policies/incident"
	"github.com/redoubt-dev/redoubt/policies/incident/evidence"
)

// list is a flag that may stand several times.
type list []string

func (l *list) String() string     { return fmt.Sprint(*l) }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// runQuarantine isolates a target.
func runQuarantine(ctx context.Context, arguments []string, out io.Writer) error {
	return isolation("quarantine", arguments, func(where cluster, target incident.Target, reason string) error {
		client, err := where.client()
		if err != nil {
			return err
		}
		done, err := incident.Impose(ctx, client, target, incident.Notice{Reason: reason, Now: time.Now()})
		return report(out, "under quarantine", target, done, err)
	})
}

// runRelease lifts the isolation of a target.
func runRelease(ctx context.Context, arguments []string, out io.Writer) error {
	return isolation("release", arguments, func(where cluster, target incident.Target, _ string) error {
		client, err := where.client()
		if err != nil {
			return err
		}
		done, err := incident.Release(ctx, client, target)
		return report(out, "released", target, done, err)
	})
}

func isolation(name string, arguments []string, do func(cluster, incident.Target, string) error) error {
	var where cluster
	var text, reason string
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	where.flags(set)
	set.StringVar(&text, "target", "", "")
	set.StringVar(&reason, "reason", "", "")
	if err := parse(set, arguments); err != nil {
		return err
	}
	target, err := incident.ParseTarget(text)
	if err != nil {
		return err
	}
	return do(where, target, reason)
}

func report(out io.Writer, what string, target incident.Target, done []incident.Target, err error) error {
	for _, each := range done {
		fmt.Fprintf(out, "%s: %s\n", what, each)
	}
	if err == nil && len(done) == 0 {
		fmt.Fprintf(out, "%s already: %s\n", what, target)
	}
	return err
}

// runEvidence collects evidence about a target into an archive.
func runEvidence(ctx context.Context, arguments []string, out io.Writer) error {
	var (
		where                    cluster
		text, reason, dir, state string
		audits                   list
	)
	set := flag.NewFlagSet("evidence", flag.ContinueOnError)
	where.flags(set)
	set.StringVar(&text, "target", "", "")
	set.StringVar(&reason, "reason", "", "")
	set.StringVar(&dir, "out", "evidence", "")
	set.StringVar(&state, "node-state", "", "")
	set.Var(&audits, "audit", "")
	if err := parse(set, arguments); err != nil {
		return err
	}
	target, err := incident.ParseTarget(text)
	if err != nil {
		return err
	}
	config, err := where.config()
	if err != nil {
		return err
	}
	var logs []string
	for _, pattern := range audits {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("--audit %s: %w", pattern, err)
		}
		logs = append(logs, found...)
	}
	path, digest, about, err := evidence.Save(ctx, config, dir, evidence.Options{Target: target, Now: time.Now(), Reason: reason, AuditLogs: logs, NodeState: state})
	if err != nil {
		return err
	}
	removed := 0
	for _, count := range about.Removed {
		removed += count
	}
	fmt.Fprintf(out, "archive  %s\nsha256   %s\nrecord   %s\nremoved  %d that looked like credentials\n", path, digest, evidence.RecordOf(path), removed)
	for _, each := range about.Missing {
		fmt.Fprintf(out, "missing  %s\n", each)
	}
	_, err = fmt.Fprintln(out, "Write the sha256 into the ticket of the incident: whoever changes the archive cannot change it there.")
	return err
}

// runCustody verifies an archive with its record, or adds that it was handed over.
func runCustody(_ context.Context, arguments []string, out io.Writer) error {
	var archive, to, who, note string
	set := flag.NewFlagSet("custody", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.StringVar(&archive, "archive", "", "")
	set.StringVar(&to, "to", "", "")
	set.StringVar(&who, "who", "", "")
	set.StringVar(&note, "note", "", "")
	if err := parse(set, arguments); err != nil {
		return err
	}
	if archive == "" || (to == "") != (who == "") {
		return errors.New("which archive, and from whom to whom? write --archive FILE, and to hand it over --who NAME --to NAME")
	}
	entries, last, err := evidence.Verify(archive)
	if err != nil {
		return fmt.Errorf("%s is not what was collected:\n%w", archive, err)
	}
	if to != "" {
		entry := evidence.Custody{Time: time.Now(), Who: who, Action: "handed over", SHA256: entries[0].SHA256, To: to, Note: note}
		if last, err = evidence.Append(archive, entry); err != nil {
			return err
		}
		entries = append(entries, entry)
	}
	for _, e := range entries {
		fmt.Fprintf(out, "%s  %s  by %s", e.Time.UTC().Format(time.RFC3339), e.Action, e.Who)
		if e.To != "" {
			fmt.Fprintf(out, "  to %s", e.To)
		}
		fmt.Fprintln(out)
	}
	_, err = fmt.Fprintf(out, "sha256   %s, as collected\nrecord   %s\n", entries[0].SHA256, last)
	return err
}
