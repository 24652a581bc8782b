package boot

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// artifactPrograms are those that artifacts are made of.
var artifactPrograms = []string{"kubelet", "kubeadm", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
	"etcd", "coredns", "containerd-2", "ctr-2", ".built/programs/pause", ".built/programs/hello"}

// made calls make when the cache was made of other programs, with nobody else at
// the same time.
func made(cache, bin string, make func() error) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(cache+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	var key strings.Builder
	var missing []string
	for _, name := range artifactPrograms {
		info, err := os.Stat(filepath.Join(bin, name))
		if err != nil {
			missing = append(missing, name)
			continue
		}
		fmt.Fprintln(&key, name, info.Size(), info.ModTime().UnixNano())
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("bin lacks %s: run make tools-all", strings.Join(missing, ", "))
	}
	stamp := filepath.Join(cache, "stamp")
	if found, err := os.ReadFile(stamp); err == nil && string(found) == key.String() {
		return nil
	}
	if err := errors.Join(os.RemoveAll(cache), os.MkdirAll(cache, 0o755)); err != nil {
		return err
	}
	if err := make(); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(key.String()), 0o600)
}
