package cloud_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain lets the test program play a rehearsal that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("REHEARSAL_TEST_VICTIM"); dir != "" {
		half := make(chan struct{}, 1)
		r := rehearsalOf(dir, &cluster{hang: half})
		r.WithoutKubernetes, r.Keep = false, true
		go func() {
			<-half
			_ = os.WriteFile(filepath.Join(dir, "half"), nil, 0o600)
		}()
		_, _ = r.Run(context.Background())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A rehearsal that is killed leaves its cluster half up and its cloud with things in it. The next one clears that.
func TestARunAfterAKilledOne(t *testing.T) {
	r, c := toy(t, "[a, b]")
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "REHEARSAL_TEST_VICTIM="+r.Repository)
	must(t, victim.Start())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(r.Repository, "half")); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the victim did not get half-way")
		}
	}
	must(t, victim.Process.Kill())
	_ = victim.Wait()
	if _, err := os.Stat(filepath.Join(r.Directory(), "state", "cloud.journal")); err != nil {
		t.Fatal("nothing is left: the test proves nothing")
	}
	if report := run(t, r); !report.Passed || c.gone != 1 {
		t.Errorf("gone %d, %+v", c.gone, report.Findings)
	}
	clean(t, r)
}
