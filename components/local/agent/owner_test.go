package agent

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// TestOwner gives a pair to an unprivileged user and takes it back after somebody
// changed it.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("giving files to another user needs root")
	}
	account, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("this machine has no user nobody to give files to")
	}
	b := newBench(t)
	leaf := &b.config.Certificates[0]
	leaf.Owner = account.Username
	b.pass(t)
	owned := func() {
		t.Helper()
		for _, path := range []string{leaf.CertFile, leaf.KeyFile} {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			stat := info.Sys().(*syscall.Stat_t)
			if strconv.Itoa(int(stat.Uid)) != account.Uid || strconv.Itoa(int(stat.Gid)) != account.Gid {
				t.Errorf("%s belongs to %d:%d, want %s:%s", path, stat.Uid, stat.Gid, account.Uid, account.Gid)
			}
		}
	}
	owned()
	before := read(t, leaf.CertFile)
	if err := os.Chown(leaf.KeyFile, 0, 0); err != nil {
		t.Fatal(err)
	}
	b.pass(t)
	owned()
	if read(t, leaf.CertFile) != before {
		t.Error("a wrong owner needs no new certificate")
	}
	// A link in the key's place must not lead the agent to another file.
	target := leaf.KeyFile + ".target"
	if err := os.Rename(leaf.KeyFile, target); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(target, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, leaf.KeyFile); err != nil {
		t.Fatal(err)
	}
	if err := b.issuer.pass(b.config); err == nil {
		t.Error("a link in the key's place was accepted")
	}
	if info, err := os.Stat(target); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the link's target was given away: %v", err)
	}
}
