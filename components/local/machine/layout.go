package machine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// layout is where the files of one machine are.
type layout string

func (l layout) spec() string   { return filepath.Join(string(l), "machine.json") }
func (l layout) status() string { return filepath.Join(string(l), "status.json") }

// lock is held by the guard for as long as it lives.
func (l layout) lock() string { return filepath.Join(string(l), "lock") }

func (l layout) etc() string    { return filepath.Join(string(l), "etc") }
func (l layout) varDir() string { return filepath.Join(string(l), "var") }

// run holds what concerns the running machine only; Stop removes it.
func (l layout) run(name ...string) string {
	return filepath.Join(append([]string{string(l), "run"}, name...)...)
}

// watchLock is held by the watcher for as long as it lives.
func (l layout) watchLock() string { return l.run("watch.lock") }

// control is held while a caller starts, changes or stops the machine.
func (l layout) control() string { return filepath.Join(string(l), "control.lock") }

func (l layout) guard() string   { return l.run("guard.json") }
func (l layout) watcher() string { return l.run("watcher.json") }
func (l layout) init() string    { return l.run("init.json") }

// failure holds, in words, why the last boot failed.
func (l layout) failure() string { return l.run("failure") }

// unit holds the name of the systemd unit, when the guard is one.
func (l layout) unit() string { return l.run("unit") }

// stop exists when the machine is meant to be down: guard and watcher then end
// instead of restarting each other.
func (l layout) stop() string { return l.run("stop") }

// stopping also holds when somebody deleted the state of a running machine,
// which would otherwise be out of anybody's reach.
func (l layout) stopping() bool { return exists(l.stop()) || !exists(l.spec()) }

// readSpec reads the Spec that Start or Apply stored.
func (l layout) readSpec() (Spec, error) {
	var spec Spec
	err := readJSON(l.spec(), &spec)
	return spec, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func readJSON(path string, value any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := decode(data, value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// decode refuses what it does not know: a field that an older program ignored
// in silence could be one that hardens the machine.
func decode(data []byte, value any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(value)
}

// writeJSON stores a value so that a reader, or a crash, sees the old contents
// or the new and never a part.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'), 0o600)
}

func writeFile(path string, data []byte, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}
