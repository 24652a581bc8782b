//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestReap leaves a child uncollected, as an orphan in a pod is to its first process.
func TestReap(t *testing.T) {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"pause.test", "-test.run=^$"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stat := fmt.Sprintf("/proc/%d/stat", pid)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		data, err := os.ReadFile(stat)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(") Z ")) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the child has not ended: %s", data)
		}
	}
	// The first thread of a process shows its end before the others have ended: until then it cannot be collected.
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		reap()
		if _, err := os.Stat(stat); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the child is still there")
		}
	}
}

func TestEndsWhenTold(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "pause")
	if output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		pause := exec.Command(binary)
		pause.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := pause.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- pause.Wait() }()
		select {
		case err := <-ended:
			t.Fatalf("ended without being told: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		if err := pause.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("after %v: %v", signal, err)
			}
		case <-time.After(time.Minute):
			pause.Process.Kill()
			t.Errorf("did not end after %v", signal)
		}
	}
}
