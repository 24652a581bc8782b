package flatcar

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

var preflightError = regexp.MustCompile(`(?m)^\s*\[ERROR ([A-Za-z0-9.-]+)\]`)

// preflight asks the real kubeadm what keeps it from starting.
func (p plane) preflight(t *testing.T, before, ignored string) []string {
	t.Helper()
	output, _ := p.run(t, before+"\nkubeadm init phase preflight --config=/etc/kubernetes/kubeadm.yaml --ignore-preflight-errors="+ignored+" 2>&1 || true")
	var found []string
	for _, match := range preflightError.FindAllStringSubmatch(output, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestInitIsTriedAgain: after an attempt that was cut off, with its files written
// and its programs running, the real kubeadm finds no error that it did not find
// on the empty machine. What it finds there is that this is no such machine.
func TestInitIsTriedAgain(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) { initIsTriedAgain(t, version) })
	t.Run("another port", func(t *testing.T) {
		initIsTriedAgain(t, hostconfig.DefaultKubernetesVersion, func(s *Spec) {
			s.Node.Cluster.Ports.APIServer, s.Node.Cluster.Endpoint = 8443, "https://10.80.0.10:8443"
		})
	})
}

func initIsTriedAgain(t *testing.T, version string, change ...func(*Spec)) {
	p, s := newPlane(t, version, change...)
	ignored := s.retryable()
	// kubeadm of v1.37 asks for ports at the machine's own address.
	network := "ip link set lo up && ip address add " + s.Node.Address + "/32 dev lo\n"
	// What an earlier attempt leaves behind besides the files of newPlane.
	busy := "mount -t tmpfs none /var/lib && mkdir -p /var/lib/etcd/member && " + network
	for _, check := range strings.Split(ignored, ",") {
		if port, found := strings.CutPrefix(check, "Port-"); found {
			busy += "busybox nc -l -p " + port + " </dev/null >/dev/null & all=\"${all:-} $!\"\n"
		}
	}
	busy += "trap 'kill $all' EXIT; sleep 0.5\n"
	tool(t, "busybox", "busybox-static")
	again := p.preflight(t, busy, "none")
	tolerated := p.preflight(t, busy, ignored)
	for _, name := range []string{"manifests", "pki"} {
		if err := os.RemoveAll(p.directory + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	empty := p.preflight(t, "mount -t tmpfs none /var/lib && "+network, "none")
	if !slices.Equal(tolerated, empty) {
		t.Errorf("tried again, kubeadm stops at %v; on the empty machine at %v", tolerated, empty)
	}
	// The list has nothing that is not needed: it would hide a real error.
	needed := slices.DeleteFunc(again, func(check string) bool { return slices.Contains(empty, check) })
	for _, check := range strings.Split(ignored, ",") {
		if !slices.Contains(needed, check) {
			t.Errorf("%s is ignored, and is no error of an earlier attempt: %v", check, needed)
		}
	}
}

// tree gives the sum of every file below a directory.
func tree(t *testing.T, directory string) map[string]string {
	t.Helper()
	found := map[string]string{}
	if err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			found[path] = fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, path))))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPhasesTakeOver: run again, the phases keep every key, certificate and
// kubeconfig, and make good what is missing.
func TestPhasesTakeOver(t *testing.T) { perMinor(t, phasesTakeOver) }

func phasesTakeOver(t *testing.T, version string) {
	p, _ := newPlane(t, version)
	const phases = "for phase in 'certs all' 'kubeconfig all' 'control-plane all' 'etcd local'; do kubeadm init phase $phase --config=/etc/kubernetes/kubeadm.yaml; done"
	first := tree(t, p.directory)
	if output, err := p.run(t, phases); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if second := tree(t, p.directory); !maps.Equal(first, second) {
		t.Error("the second run changed something")
	}
	for _, lost := range []string{"/pki/apiserver.crt", "/scheduler.conf", "/manifests/etcd.yaml"} {
		if err := os.Remove(p.directory + lost); err != nil {
			t.Fatal(err)
		}
	}
	// A certificate without its key is not a pair: kubeadm makes both.
	if output, err := p.run(t, "rm -f /etc/kubernetes/pki/apiserver.key; "+phases); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if third := tree(t, p.directory); len(third) != len(first) {
		t.Errorf("%d files, want %d", len(third), len(first))
	}
}

// TestJoinScript records what kubeadm is asked: a real join needs a cluster, which
// the local environment's tests have.
func TestJoinScript(t *testing.T) {
	unshare := tool(t, "unshare", "util-linux")
	root(t)
	s := joining(hostconfig.PlatformAWS).WithDefaults()
	directory := t.TempDir()
	for _, name := range []string{"/etc/kubernetes/discovery.conf", kubeadmPath} {
		write(t, directory+name, "x", 0o600)
	}
	write(t, directory+"/kubeadm", "#!/bin/sh\necho \"$@\" >>"+directory+"/asked\n[ ! -e "+directory+"/fails ] || exit 1\n", 0o755)
	write(t, directory+"/join", strings.ReplaceAll(contents(t, s, joinPath), kubeadmProgram, directory+"/kubeadm"), 0o700)
	run := func() error {
		command := exec.Command(unshare, "--mount", "sh", "-c", `set -e; mount -t tmpfs none /run; mkdir -p /run/etc "$1"`+statePath+`
cp -a /etc/. /run/etc; mkdir -p /run/etc/kubernetes; mount --bind "$1/etc/kubernetes" /run/etc/kubernetes; mount --rbind /run/etc /etc
mount -t tmpfs none /var/lib; mkdir -p `+statePath+`; mount --bind "$1`+statePath+`" `+statePath+`; "$1/join"`, "sh", directory)
		output, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
		return nil
	}
	write(t, directory+"/fails", "", 0o600)
	if run() == nil {
		t.Fatal("a failure of kubeadm is not one of the unit")
	}
	for _, kept := range []string{"/etc/kubernetes/discovery.conf", kubeadmPath} {
		if _, err := os.Stat(directory + kept); err != nil {
			t.Errorf("after a failure: %v", err)
		}
	}
	// The machine became a node, and was cut off.
	write(t, directory+"/etc/kubernetes/kubelet.conf", "x", 0o600)
	if err := os.Remove(directory + "/fails"); err != nil {
		t.Fatal(err)
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	asked := strings.Split(strings.TrimSpace(read(t, directory+"/asked")), "\n")
	want := "join --config=" + kubeadmPath + " --ignore-preflight-errors=" + s.retryable()
	if !slices.Equal(asked, []string{want, want + " --skip-phases=kubelet-start"}) {
		t.Errorf("kubeadm was asked: %q", asked)
	}
	for _, gone := range []string{"/etc/kubernetes/discovery.conf", kubeadmPath} {
		if _, err := os.Stat(directory + gone); err == nil {
			t.Errorf("%s is still there", gone)
		}
	}
	if _, err := os.Stat(directory + s.joinedMark()); err != nil {
		t.Errorf("the next boot would join again: %v", err)
	}
}
