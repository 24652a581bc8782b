package hostconfig

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program finds one of the pinned programs: in REDOUBT_BIN_DIR, or where the
// repository builds them.
func program(t *testing.T, name string) string {
	t.Helper()
	directory, chosen := os.LookupEnv("REDOUBT_BIN_DIR")
	if !chosen {
		directory = filepath.Join("..", "bin")
	}
	path, err := filepath.Abs(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if chosen {
			t.Fatalf("REDOUBT_BIN_DIR has no %s: %v", name, err)
		}
		t.Skipf("%s is not built: %v; build the programs, or set REDOUBT_BIN_DIR", name, err)
	}
	return path
}

// daemon is a program that runs until the test ends.
type daemon struct {
	name    string
	process *os.Process
	exited  chan struct{}
	mutex   sync.Mutex
	log     bytes.Buffer
}

// Write keeps the program's output.
func (d *daemon) Write(p []byte) (int, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.log.Write(p)
}

func (d *daemon) output() string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.log.String()
}

// tail gives the last lines of the output.
func (d *daemon) tail() string {
	lines := strings.Split(strings.TrimSpace(d.output()), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// start runs one of the pinned programs.
func start(t *testing.T, name string, arguments []string) *daemon {
	t.Helper()
	return startPath(t, program(t, name), arguments)
}

func startPath(t *testing.T, path string, arguments []string) *daemon {
	t.Helper()
	d := &daemon{name: filepath.Base(path), exited: make(chan struct{})}
	command := exec.Command(path, arguments...)
	command.Dir = t.TempDir()
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + command.Dir}
	command.Stdout, command.Stderr = d, d
	// The kernel ends the program with the test, however the test ends.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The kernel means the thread that began the program: it stays as long, or
		// a thread that leaves with a namespace takes the program along.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
			close(d.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	d.process = command.Process
	t.Cleanup(d.stop)
	return d
}

// stop ends the program and waits until it is gone.
func (d *daemon) stop() {
	_ = d.process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(5 * time.Second):
		_ = d.process.Kill()
		<-d.exited
	}
}

// until waits for a condition, and fails with the log when the program ends or
// the time is over.
func (d *daemon) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	deadline := time.After(90 * time.Second)
	for !reached() {
		select {
		case <-d.exited:
			if reached() {
				return
			}
			t.Fatalf("%s ended before %s:\n%s", d.name, what, d.tail())
		case <-deadline:
			t.Fatalf("%s: no %s:\n%s", d.name, what, d.tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
