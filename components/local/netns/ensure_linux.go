package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// passes is how often Ensure looks again: once for each stage of inspect, once
// to see that nothing is left, and twice more for what others disturb.
const passes = 6

// Ensure makes the network, or repairs what differs from the Topology, and
// changes nothing when nothing does. Machines that are no longer in the
// Topology lose their namespaces once nothing runs in them.
func Ensure(ctx context.Context, t Topology) error {
	if err := t.Validate(); err != nil {
		return err
	}
	if err := t.mayClaim(); err != nil {
		return err
	}
	var left []finding
	for range passes {
		var err error
		if left, err = inspect(ctx, t); err != nil {
			return err // before the claim: a refused network leaves nothing
		}
		if err := t.claim(); err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		for _, f := range left {
			if err := f.repair(ctx); err != nil {
				return fmt.Errorf("%s: %w", f.words, err)
			}
		}
	}
	return fmt.Errorf("the network does not stay as it should; something else changes it: %s", strings.Join(words(left), "; "))
}

// Check tells, in words, how the network differs from the Topology, and
// changes nothing. What is told may hide more: without a namespace there is
// nothing to say about its interfaces.
func Check(ctx context.Context, t Topology) ([]string, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	found, err := inspect(ctx, t)
	return words(found), err
}

func words(all []finding) []string {
	var said []string
	for _, f := range all {
		said = append(said, f.words)
	}
	return said
}

// Remove takes the network away, with machines that only its ports know of.
// What is not there is no error. The machines must have been stopped: the
// kernel keeps a namespace for as long as a process is in it.
func Remove(ctx context.Context, t Topology) error {
	if !label.MatchString(t.Environment) {
		return fmt.Errorf("environment: %q must be lower case letters, digits and dashes", t.Environment)
	}
	if foreign, _, err := t.foreign(); err != nil || foreign {
		return err // nothing of this owner is there
	}
	hub := Switch(t.Environment)
	names := []string{}
	for _, m := range t.Members {
		names = append(names, Namespace(t.Environment, m.Machine))
	}
	if exists(hub) {
		all, err := links(ctx, hub)
		if err != nil {
			return err
		}
		for _, l := range all {
			if machine, ours := strings.CutPrefix(l.Alias, cable{}.alias(t.Environment)); ours && machine != "" {
				names = append(names, Namespace(t.Environment, machine))
			}
		}
	}
	var errs []error
	// The interface on the host goes first and at once; with its namespace it
	// would go when the kernel gets to it.
	if host, err := links(ctx, ""); err != nil {
		errs = append(errs, err)
	} else if host[HostInterface(t.Environment)] != nil {
		errs = append(errs, unlink(ctx, "", HostInterface(t.Environment)))
	}
	// The switch goes last: its ports are what a second try finds the rest by.
	for _, name := range append(names, hub) {
		errs = append(errs, destroy(ctx, name))
	}
	tidy()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return t.release()
}

// RemoveMachine takes away the namespace of one machine, which has stopped, and
// with it what connects it.
func RemoveMachine(ctx context.Context, environment, machine string) error {
	return destroy(ctx, Namespace(environment, machine))
}

// busy tells whether a process is in a namespace: then the kernel keeps it,
// whatever becomes of its name.
func busy(namespace string) bool {
	named, err := os.Stat(filepath.Join(directory, namespace))
	if err != nil {
		return false
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	return slices.ContainsFunc(processes, func(path string) bool {
		own, err := os.Stat(path)
		return err == nil && os.SameFile(named, own)
	})
}

func create(ctx context.Context, name string) error {
	// What a crash in the middle of an earlier try left is no namespace, and
	// in the way of one.
	if err := destroy(ctx, name); err != nil {
		return err
	}
	return ip(ctx, "", "netns", "add", name)
}

func destroy(ctx context.Context, name string) error {
	path := filepath.Join(directory, name)
	if exists(name) {
		return ip(ctx, "", "netns", "delete", name)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// tidy removes the directory of named namespaces, which ip(8) makes, and
// mounts on itself, with the first of them. Not when any is left, whoever's.
func tidy() {
	entries, err := os.ReadDir(directory)
	if err != nil || len(entries) > 0 {
		return
	}
	// Without force: another program that makes a namespace now keeps it busy.
	_ = unix.Unmount(directory, 0)
	_ = os.Remove(directory)
}
