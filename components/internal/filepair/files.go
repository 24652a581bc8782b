// Package filepair writes files that other programs read while they change: one
// file in a single step, and a certificate with its key so that nobody pairs the
// new certificate with the old key.
package filepair

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

const (
	certificateMode fs.FileMode = 0o644 // CIS 1.1.20
	keyMode         fs.FileMode = 0o600 // CIS 1.1.21
)

// Owner is who a file must belong to. The zero value leaves ownership alone.
type Owner struct {
	name     string
	uid, gid int
}

// LookupOwner finds the user and its primary group in the machine's own
// /etc/passwd. An empty name means whoever runs the agent.
func LookupOwner(name string) (Owner, error) {
	if name == "" {
		return Owner{}, nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return Owner{}, fmt.Errorf("owner %q: %w: add the user to this machine or leave the owner empty", name, err)
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return Owner{}, fmt.Errorf("owner %q: user id %q: %w", name, account.Uid, err)
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return Owner{}, fmt.Errorf("owner %q: group id %q: %w", name, account.Gid, err)
	}
	return Owner{name: name, uid: uid, gid: gid}, nil
}

// Enforce gives an existing pair the owner and modes it must have, and touches
// nothing that has them already.
func (o Owner) Enforce(certFile, keyFile string) error {
	for _, file := range []struct {
		path string
		mode fs.FileMode
	}{{certFile, certificateMode}, {keyFile, keyMode}} {
		info, err := os.Lstat(file.path)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file: remove it", file.path)
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && o.name != "" && (int(stat.Uid) != o.uid || int(stat.Gid) != o.gid) {
			if err := os.Lchown(file.path, o.uid, o.gid); err != nil {
				return fmt.Errorf("giving %s to %s: %w", file.path, o.name, err)
			}
		}
		if info.Mode().Perm() != file.mode {
			if err := os.Chmod(file.path, file.mode); err != nil {
				return err
			}
		}
	}
	return nil
}

// WritePair replaces a certificate and its key. Both are complete and on disk
// before either name changes; then the key changes first and the certificate right
// after, so that nobody pairs the new certificate with the old key. Two files
// cannot change in one step: a reader in between sees a pair that does not match,
// which Kubernetes and etcd answer by keeping what they have and reading again. A
// crash in between is found by the next pass.
func WritePair(certFile, keyFile string, certPEM, keyPEM []byte, o Owner) error {
	// 0755: certificates are public, and keys are protected by their own mode.
	if err := os.MkdirAll(filepath.Dir(certFile), 0o755); err != nil {
		return err
	}
	newKey, err := stage(keyFile, keyPEM, keyMode, o)
	if err != nil {
		return err
	}
	defer os.Remove(newKey) // no effect once it is renamed
	newCert, err := stage(certFile, certPEM, certificateMode, o)
	if err != nil {
		return err
	}
	defer os.Remove(newCert)
	if err := os.Rename(newKey, keyFile); err != nil {
		return err
	}
	if err := os.Rename(newCert, certFile); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(certFile))
}

// stage writes a temporary file beside its destination. It also removes what an
// earlier, killed attempt left there.
func stage(path string, contents []byte, mode fs.FileMode, o Owner) (name string, err error) {
	directory, pattern := filepath.Dir(path), "."+filepath.Base(path)+".new-*"
	stale, err := filepath.Glob(filepath.Join(directory, pattern))
	if err != nil {
		return "", err
	}
	for _, left := range stale {
		if err := os.Remove(left); err != nil {
			return "", err
		}
	}
	file, err := os.CreateTemp(directory, pattern) // mode 0600 from the start
	if err != nil {
		return "", err
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
		if err != nil {
			os.Remove(file.Name())
			err = fmt.Errorf("writing %s: %w", path, err)
		}
	}()
	if _, err := file.Write(contents); err != nil {
		return "", err
	}
	if o.name != "" {
		if err := file.Chown(o.uid, o.gid); err != nil {
			return "", fmt.Errorf("giving it to %s: %w", o.name, err)
		}
	}
	if err := file.Chmod(mode); err != nil {
		return "", err
	}
	return file.Name(), file.Sync()
}

// Write replaces one file in a single step.
func Write(path string, contents []byte, mode fs.FileMode) error {
	staged, err := stage(path, contents, mode, Owner{})
	if err != nil {
		return err
	}
	if err := os.Rename(staged, path); err != nil {
		os.Remove(staged)
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Sync()
}
