package provider

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hostPath is where a path of the machine lies on the host: through the bind
// with the longest target above it, otherwise in the machine's own directory.
func (m Machine) hostPath(path string) string {
	if !m.Isolated {
		return path // hostconfig has put the prefix in
	}
	target, source := "/", m.Directory
	for _, b := range append([]Bind{{Source: m.LogDirectory, Target: "/var/log"}}, m.Binds...) {
		if len(b.Target) > len(target) && (path == b.Target || strings.HasPrefix(path, b.Target+"/")) {
			target, source = b.Target, b.Source
		}
	}
	return filepath.Join(source, strings.TrimPrefix(path, target))
}

// ownerID is the numeric owner of a file; "root" and unknown names in plain
// mode are whoever runs the machine.
func (m Machine) ownerID(owner string) (int, error) {
	if !m.Isolated || owner == "" {
		return os.Getuid(), nil
	}
	if owner == "root" {
		return 0, nil
	}
	id, ok := m.Users[owner]
	if !ok {
		return 0, fmt.Errorf("machine %s: a file belongs to user %q, which users does not define", m.Name, owner)
	}
	return id, nil
}

// fileDrift names the files that differ from the declaration in contents,
// mode or owner. Contents are never part of the answer.
func (m Machine) fileDrift(files []File) []string {
	var drift []string
	for _, f := range files {
		path := m.hostPath(f.Path)
		info, err := os.Lstat(path)
		if err != nil {
			drift = append(drift, fmt.Sprintf("%s: file %s is missing", m.Name, f.Path))
			continue
		}
		if info.Mode().Perm() != os.FileMode(f.Mode) {
			drift = append(drift, fmt.Sprintf("%s: file %s has mode %04o, not %04o", m.Name, f.Path, info.Mode().Perm(), f.Mode))
		}
		if want, err := m.ownerID(f.Owner); err == nil && owner(info) >= 0 && owner(info) != want {
			drift = append(drift, fmt.Sprintf("%s: file %s belongs to user %d, not %d", m.Name, f.Path, owner(info), want))
		}
		if contents, err := os.ReadFile(path); err != nil || string(contents) != f.Contents {
			drift = append(drift, fmt.Sprintf("%s: file %s has other contents", m.Name, f.Path))
		}
	}
	return drift
}

// writeFiles writes each file that differs, atomically, and removes files of
// the previous declaration that this one no longer has.
func (m Machine) writeFiles(previous []File) error {
	if err := m.linkLogs(); err != nil {
		return fmt.Errorf("machine %s: %w", m.Name, err)
	}
	for _, d := range m.Directories {
		if err := m.makeDirectory(d); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	declared := map[string]bool{}
	for _, f := range m.Files {
		declared[f.Path] = true
		if len(m.fileDrift([]File{f})) == 0 {
			continue
		}
		id, err := m.ownerID(f.Owner)
		if err != nil {
			return err
		}
		if err := writeFile(m.hostPath(f.Path), f.Contents, os.FileMode(f.Mode), id); err != nil {
			return fmt.Errorf("machine %s: %w", m.Name, err)
		}
	}
	for _, f := range previous {
		if !declared[f.Path] {
			if err := os.Remove(m.hostPath(f.Path)); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("machine %s: removing %s, which the settings no longer have: %w", m.Name, f.Path, err)
			}
		}
	}
	return nil
}

// linkLogs makes /var/log of a plain machine the log directory, as a mount does
// for an isolated one.
func (m Machine) linkLogs() error {
	if m.Isolated {
		return nil
	}
	if err := os.MkdirAll(m.LogDirectory, 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(m.Directory, "var"), 0o755); err != nil {
		return err
	}
	err := os.Symlink(m.LogDirectory, filepath.Join(m.Directory, "var", "log"))
	if os.IsExist(err) {
		return nil
	}
	return err
}

func (m Machine) makeDirectory(d Directory) error {
	id, err := m.ownerID(d.Owner)
	if err != nil {
		return err
	}
	path := m.hostPath(d.Path)
	if err := os.MkdirAll(path, os.FileMode(d.Mode)); err != nil {
		return err
	}
	if id != os.Getuid() {
		if err := os.Chown(path, id, id); err != nil {
			return err
		}
	}
	return os.Chmod(path, os.FileMode(d.Mode))
}

// directoryDrift names the directories whose mode or owner is not the declared one.
func (m Machine) directoryDrift() []string {
	var drift []string
	for _, d := range m.Directories {
		info, err := os.Stat(m.hostPath(d.Path))
		want, idErr := m.ownerID(d.Owner)
		switch {
		case err != nil:
			drift = append(drift, fmt.Sprintf("%s: directory %s is missing", m.Name, d.Path))
		case info.Mode().Perm() != os.FileMode(d.Mode):
			drift = append(drift, fmt.Sprintf("%s: directory %s has mode %04o, not %04o", m.Name, d.Path, info.Mode().Perm(), d.Mode))
		case idErr == nil && owner(info) >= 0 && owner(info) != want:
			drift = append(drift, fmt.Sprintf("%s: directory %s belongs to user %d, not %d", m.Name, d.Path, owner(info), want))
		}
	}
	return drift
}

// writeFile replaces a file atomically, so that a reader sees the old or the
// new contents and never half of them. The file is never more readable than
// its mode says, not even for a moment.
func writeFile(path, contents string, mode os.FileMode, owner int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(contents)
	if err == nil && owner != os.Getuid() {
		err = temporary.Chown(owner, owner)
	}
	if err == nil {
		err = temporary.Chmod(mode)
	}
	if err == nil {
		err = temporary.Sync()
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(temporary.Name(), path)
}
