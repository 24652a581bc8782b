package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settingName is a sysctl name as sysctl(8) writes it.
var settingName = regexp.MustCompile(`^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$`)

// kernelStore is where claims on the kernel's settings are kept. Settings are
// the whole host's, and several environments may want the same ones: the first
// claim records the original value, the last release restores it.
type kernelStore struct {
	// dir holds kernel.json and the lock while there are claims. It is below
	// /run, so a restart of the host, which resets the settings, forgets them.
	dir string
	// sys is where the kernel shows its settings.
	sys string
}

var hostKernel = kernelStore{dir: "/run/redoubt", sys: "/proc/sys"}

// held is one setting with those who want it.
type held struct {
	Original string `json:"original"`
	Value    string `json:"value"`
	// Claims are the state directories of the machines that want it.
	Claims []string `json:"claims"`
}

// ClaimKernelSettings sets kernel settings for the machine whose state is in
// dir. A value ">=N" is met by any value of at least N. Claiming again is
// harmless, and gives up what is no longer in settings. It fails when another
// machine holds a different value or when the kernel refuses, and then names
// the setting and the remedy.
func ClaimKernelSettings(ctx context.Context, dir string, settings map[string]string) error {
	return hostKernel.claim(ctx, dir, settings)
}

// ReleaseKernelSettings gives up all claims of a machine. A setting that
// nobody claims any more gets its original value back, unless somebody else
// has changed it since: then it is left as found.
func ReleaseKernelSettings(ctx context.Context, dir string) error {
	return hostKernel.claim(ctx, dir, nil)
}

func (k kernelStore) claim(ctx context.Context, dir string, settings map[string]string) error {
	file := filepath.Join(k.dir, "kernel.json")
	if _, err := os.ReadFile(file); len(settings) == 0 && err != nil && (errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission)) {
		// There are no claims, or only root's: who cannot read the record
		// cannot have made one.
		return nil
	}
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	table := map[string]*held{}
	if err := readJSON(file, &table); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the record of kernel settings is damaged (restore the settings by hand, then remove it): %w", err)
	}
	for _, entry := range table {
		// A machine whose state is gone was deleted without Stop: its claim
		// would otherwise hold for ever.
		entry.Claims = slices.DeleteFunc(entry.Claims, func(claim string) bool {
			return claim == dir || !exists(claim)
		})
	}
	var errs []error
	for name, value := range settings {
		errs = append(errs, k.take(table, dir, name, value))
	}
	// The record is on disk before the kernel is touched: a crash in between
	// leaves a value that the record knows how to restore.
	if err := k.store(file, table); err != nil {
		return err
	}
	for name, entry := range table {
		if len(entry.Claims) > 0 {
			errs = append(errs, k.write(name, entry.Value))
			continue
		}
		if now, err := k.read(name); err == nil && now == entry.Value && now != entry.Original {
			if err := k.write(name, entry.Original); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		delete(table, name)
	}
	return errors.Join(append(errs, k.store(file, table))...)
}

// take enters one claim into the table.
func (k kernelStore) take(table map[string]*held, dir, name, value string) error {
	now, err := k.read(name)
	if err != nil {
		return fmt.Errorf("kernelSettings.%s: this kernel does not have the setting: %w", name, err)
	}
	entry := table[name]
	if entry == nil {
		table[name] = &held{Original: now, Value: wanted(value, now), Claims: []string{dir}}
		return nil
	}
	want := wanted(value, entry.Value)
	if want != entry.Value && len(entry.Claims) > 0 {
		return fmt.Errorf("kernelSettings.%s: must be %s, but %s needs %s: one kernel serves all machines, so give both the same value or stop the other",
			name, value, strings.Join(entry.Claims, ", "), entry.Value)
	}
	entry.Value = want
	entry.Claims = append(entry.Claims, dir)
	return nil
}

// wanted is the value that meets a wish where another value stands.
func wanted(wish, now string) string {
	minimum, atLeast := strings.CutPrefix(wish, ">=")
	if !atLeast {
		return wish
	}
	least, _ := strconv.Atoi(minimum)
	if value, err := strconv.Atoi(now); err == nil && value >= least {
		return now
	}
	return minimum
}

func (k kernelStore) path(name string) string {
	return filepath.Join(k.sys, strings.ReplaceAll(name, ".", "/"))
}

func (k kernelStore) read(name string) (string, error) {
	data, err := os.ReadFile(k.path(name))
	return strings.Join(strings.Fields(string(data)), " "), err
}

func (k kernelStore) write(name, value string) error {
	if now, err := k.read(name); err == nil && now == value {
		return nil
	}
	if err := os.WriteFile(k.path(name), []byte(value), 0o644); err != nil {
		return fmt.Errorf("kernelSettings.%s: cannot be set to %s: %w: run `sysctl -w %s=%s` as root on the host, outside any container, then try again",
			name, value, err, name, value)
	}
	return nil
}

func (k kernelStore) store(file string, table map[string]*held) error {
	if len(table) > 0 {
		return writeJSON(file, table)
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// lockPatience bounds the wait for other callers, each of which is done in
// milliseconds unless the host is very busy; the kernel unlocks for the dead.
const lockPatience = time.Minute

// lock keeps other callers out. The returned function unlocks, and removes the
// directory when nothing is claimed any more.
func (k kernelStore) lock(ctx context.Context) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	path := filepath.Join(k.dir, "kernel.lock")
	for {
		if err := os.MkdirAll(k.dir, 0o755); err != nil {
			return nil, err
		}
		file, err := waitLock(ctx, path)
		if errors.Is(err, os.ErrNotExist) {
			continue // The last holder removed the directory meanwhile.
		}
		if err != nil {
			return nil, err
		}
		return func() {
			if !exists(filepath.Join(k.dir, "kernel.json")) {
				os.Remove(path)
				os.Remove(k.dir)
			}
			file.Close()
		}, nil
	}
}

// checkSetting tells what is wrong with a wish.
func checkSetting(name, value string) error {
	if !settingName.MatchString(name) {
		return fmt.Errorf("%q is not the name of a kernel setting such as vm.overcommit_memory", name)
	}
	if strings.HasPrefix(name, "net.") {
		return errors.New("network settings belong to a network namespace, not to the host: package netns sets them")
	}
	if minimum, atLeast := strings.CutPrefix(value, ">="); atLeast {
		if _, err := strconv.Atoi(minimum); err != nil {
			return fmt.Errorf("%q: a number must follow >=", value)
		}
	}
	if value == "" || strings.ContainsAny(value, "\n\x00") {
		return fmt.Errorf("%q is not a value", value)
	}
	return nil
}
