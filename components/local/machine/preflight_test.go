//go:build linux

package machine

import (
	"net"
	"strings"
	"testing"
)

func TestPreflightTellsEverythingAtOnce(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	if err := Preflight(spec); err != nil {
		t.Fatalf("on a host that has everything: %v", err)
	}
	spec.Binds = []Bind{{"/no/such/source", "/opt/x", true}}
	spec.KernelSettings = map[string]string{"kernel.no_such_setting": "1"}
	t.Setenv("PATH", t.TempDir())
	err := Preflight(spec)
	if err == nil {
		t.Fatal("nothing is missing")
	}
	for _, want := range []string{"/no/such/source", "kernel.no_such_setting", "missing ip, mount, nft, nsenter, setpriv", "apt-get install iproute2 mount nftables util-linux"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q:\n%v", want, err)
		}
	}
}

func TestPreflightFindsAFullDisk(t *testing.T) {
	spec := isolated(t, sleeper("s"))
	small := t.TempDir()
	shell(t, "mount -t tmpfs -o size=16m small "+small)
	t.Cleanup(func() { shell(t, "umount "+small) })
	spec.Dir = small + "/machines/m"
	err := Start(t.Context(), program, spec)
	if err == nil || !strings.Contains(err.Error(), "MiB free and a machine needs 1024: make room") {
		t.Errorf("Start: %v", err)
	}
	if exists(spec.Dir) {
		t.Error("a refused machine left its directory")
	}
}

func TestPreflightFindsATakenPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	spec := plain(t, sleeper("s"))
	spec.Ports = []string{listener.Addr().String()}
	err = Start(t.Context(), program, spec)
	if err == nil || !strings.Contains(err.Error(), listener.Addr().String()+" is not free") {
		t.Errorf("Start: %v", err)
	}
	listener.Close()
	launched(t, spec)
}

func TestStartNeedsTheProgram(t *testing.T) {
	spec := plain(t, sleeper("s"))
	for _, binary := range []string{"redoubt-machine", "/no/such/redoubt-machine"} {
		if err := Start(t.Context(), binary, spec); err == nil || !strings.Contains(err.Error(), "make") {
			t.Errorf("Start with %s: %v", binary, err)
		}
	}
	if exists(spec.Dir) {
		t.Error("a refused Start left a directory")
	}
}
