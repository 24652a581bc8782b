package machine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// program is the real redoubt-machine, built once for the tests.
var program string

func TestMain(m *testing.M) {
	if given := os.Getenv("REDOUBT_TEST_PROGRAM"); given != "" {
		program = given
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "redoubt-machine-test-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "redoubt-machine")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/redoubt-machine").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building redoubt-machine: %v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var counter atomic.Int32

// plain is a machine without namespaces, of a name of its own, stopped when
// the test ends.
func plain(t *testing.T, services ...Service) Spec {
	t.Helper()
	name := fmt.Sprintf("m%d", counter.Add(1))
	root := t.TempDir()
	spec := Spec{
		Environment: fmt.Sprintf("t%d", os.Getpid()), Name: name,
		Dir: filepath.Join(root, name), LogDir: filepath.Join(root, "log"), Services: services,
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, log := range []string{"guard", "machine"} {
				t.Logf("%s.log:\n%s", log, tail(filepath.Join(spec.LogDir, log+".log"), 40))
			}
		}
		if err := Stop(context.Background(), spec.Dir); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return spec
}

// isolated is a machine with namespaces, its network namespace included.
func isolated(t *testing.T, services ...Service) Spec {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("isolated machines need Linux and root")
	}
	// Registered before the machine's own, so that it runs after it.
	var spec Spec
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", spec.NetworkNamespace).Run() })
	spec = plain(t, services...)
	spec.Isolated = true
	spec.NetworkNamespace = "rd-" + spec.Environment + "-" + spec.Name
	spec.CgroupRoot = "/redoubt-test/" + spec.Environment + "/" + spec.Name
	shell(t, "ip netns add "+spec.NetworkNamespace+" && ip -n "+spec.NetworkNamespace+" link set lo up")
	return spec
}

// sleeper is a service that does nothing, told from others by its argument.
func sleeper(name string) Service {
	// Of this test process alone: others may run the same tests.
	return Service{Name: name, Command: []string{"/bin/sleep", fmt.Sprintf("%d%04d", os.Getpid(), counter.Add(1))}}
}

func launched(t *testing.T, spec Spec) Status {
	t.Helper()
	if err := Start(t.Context(), program, spec); err != nil {
		t.Fatal(err)
	}
	return wait(t, spec)
}

func wait(t *testing.T, spec Spec) Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := Wait(ctx, spec.Dir); err != nil {
		t.Fatal(err)
	}
	return inspect(t, spec)
}

func inspect(t *testing.T, spec Spec) Status {
	t.Helper()
	status, err := Inspect(spec.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func service(t *testing.T, status Status, name string) ServiceStatus {
	t.Helper()
	for _, s := range status.Services {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no service %s in %+v", name, status)
	return ServiceStatus{}
}

// patience is how long anything that must happen may take: the machine may be busy
// with much else.
const patience = 2 * time.Minute

// eventually waits for something to come true.
func eventually(t *testing.T, what string, come func() bool) {
	t.Helper()
	for began := time.Now(); !come(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// in runs a shell command inside a machine.
func in(t *testing.T, spec Spec, command string) (string, error) {
	t.Helper()
	out, err := ExecCommand(t.Context(), spec.Dir, "/bin/sh", "-c", command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func mustIn(t *testing.T, spec Spec, command string) string {
	t.Helper()
	out, err := in(t, spec, command)
	if err != nil {
		t.Fatalf("in %s: %s: %v: %s", spec.Name, command, err, out)
	}
	return out
}

func shell(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", command).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// running are the processes of the host whose command line contains the text.
// Ended ones that wait to be collected have none.
func running(t *testing.T, text string) []int {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, entry := range entries {
		line, err := os.ReadFile(entry)
		var pid int
		if _, scanned := fmt.Sscanf(entry, "/proc/%d/", &pid); scanned != nil || err != nil || pid == os.Getpid() {
			continue
		}
		if strings.Contains(string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})), text) {
			pids = append(pids, pid)
		}
	}
	return pids
}
