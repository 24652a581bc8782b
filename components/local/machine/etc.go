package machine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// nobodyID is the number of the user nobody, as Debian and Fedora have it.
const nobodyID = 65534

// prepare makes the machine's directories and, for an isolated machine, the
// files that every Unix host has in /etc. What a caller put there stays.
func prepare(spec Spec) error {
	l := layout(spec.Dir)
	private := []string{spec.Dir, l.run()}
	// Any user of the machine passes through these, and on the host nobody
	// reaches them but through the private directory above.
	public := []string{l.etc(), l.varDir()}
	if spec.Isolated {
		private = append(private, l.run("root"))
		public = append(public, filepath.Join(l.varDir(), "lib"), filepath.Join(l.varDir(), "cache"), filepath.Join(l.varDir(), "log"))
	}
	for _, dir := range private {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, dir := range append(public, spec.LogDir) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// Whatever the caller's umask is.
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	if !spec.Isolated {
		return nil
	}
	temporary := filepath.Join(l.varDir(), "tmp")
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(temporary, 0o777|os.ModeSticky); err != nil {
		return err
	}
	for name, target := range map[string]string{
		filepath.Join(l.varDir(), "run"):     "/run",
		filepath.Join(l.etc(), "mtab"):       "/proc/self/mounts",
		filepath.Join(l.etc(), "os-release"): "/usr/lib/os-release",
	} {
		if err := os.Symlink(target, name); err != nil && !os.IsExist(err) {
			return err
		}
	}
	return writeEtc(spec)
}

// writeEtc writes the files that follow from the Spec.
func writeEtc(spec Spec) error {
	passwd := "root:x:0:0:root:/root:/bin/sh\n"
	group := "root:x:0:\n"
	for _, user := range spec.Users {
		passwd += fmt.Sprintf("%s:x:%d:%d::/nonexistent:/usr/sbin/nologin\n", user.Name, user.ID, user.ID)
		group += fmt.Sprintf("%s:x:%d:\n", user.Name, user.ID)
	}
	passwd += fmt.Sprintf("nobody:x:%d:%d:nobody:/nonexistent:/usr/sbin/nologin\n", nobodyID, nobodyID)
	group += fmt.Sprintf("nogroup:x:%d:\n", nobodyID)

	hosts := strings.Builder{}
	hosts.WriteString("127.0.0.1\tlocalhost\n::1\tlocalhost\n")
	if _, named := spec.Hosts[spec.Name]; !named {
		fmt.Fprintf(&hosts, "127.0.1.1\t%s\n", spec.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Hosts)) {
		fmt.Fprintf(&hosts, "%s\t%s\n", spec.Hosts[name], name)
	}
	for name, contents := range map[string]string{
		"passwd":   passwd,
		"group":    group,
		"hostname": spec.Name + "\n",
		"hosts":    hosts.String(),
		// Names come from /etc/hosts only: a machine has no route to a resolver.
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"resolv.conf":   "",
		// machine-id(5) wants 32 hexadecimal digits that stay with the machine.
		"machine-id": digest([]string{"redoubt", spec.Environment}) + digest([]string{spec.Dir, spec.Name}) + "\n",
	} {
		path := filepath.Join(layout(spec.Dir).etc(), name)
		if old, err := os.ReadFile(path); err == nil && string(old) == contents {
			continue
		}
		if err := writeFile(path, []byte(contents), 0o644); err != nil {
			return err
		}
	}
	return nil
}
