package rehearse_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// TestMain lets the test program play a driver that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("REHEARSE_TEST_VICTIM"); dir != "" {
		o := rehearse.Options{
			Environment: "local", Repository: dir, BinDirectory: binDir(), Program: program(dir), Output: os.Stdout,
			Providers: []rehearse.Provider{{Name: "toy", Serve: newToy}},
			Set:       map[string]string{"app:behave": "hang"},
		}
		_, _ = rehearse.New(o).Up(context.Background())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// kill starts a driver whose provider hangs half-way through a create, and kills it, and the engine too if asked.
func kill(t *testing.T, dir string, engine bool) {
	t.Helper()
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "REHEARSE_TEST_VICTIM="+dir)
	must(t, victim.Start())
	waitFor(t, func() bool { return content(t, dir, "local-a") == "half" })
	if engine {
		for _, lock := range locks(t, dir) {
			process, err := os.FindProcess(lock.Pid)
			must(t, err)
			must(t, process.Kill())
		}
	}
	must(t, victim.Process.Kill())
	_ = victim.Wait()
}

type lock struct {
	Pid                int
	Hostname, Username string
	Timestamp          time.Time
}

func locks(t *testing.T, dir string) []lock {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".state/pulumi/.pulumi/locks/organization/toys/local/*.json"))
	must(t, err)
	var out []lock
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		var l lock
		must(t, json.Unmarshal(data, &l))
		out = append(out, l)
	}
	return out
}

func TestARunAfterAKilledDriverConverges(t *testing.T) {
	for name, engine := range map[string]bool{"driver killed": false, "driver and engine killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := repository(t)
			o := options(t, dir, "local")
			kill(t, dir, engine)
			if engine && len(locks(t, dir)) == 0 {
				t.Fatal("no lock is left: the test proves nothing")
			}
			if engine && pending(t, dir, "local") == 0 {
				t.Fatal("no step is pending: the test proves nothing")
			}
			result, err := rehearse.New(o).Up(context.Background())
			must(t, err)
			if got := content(t, dir, "local-a"); got != "one" {
				t.Errorf("the half-made thing holds %q", got)
			}
			if len(locks(t, dir)) > 0 || pending(t, dir, "local") > 0 {
				t.Error("locks or pending steps are left")
			}
			for _, warning := range result.Warnings {
				if strings.Contains(warning, "pending") {
					t.Errorf("warns: %s", warning)
				}
			}
			_, err = rehearse.New(o).Destroy(context.Background())
			must(t, err)
		})
	}
}

func TestDestroyAfterAKilledDriver(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	o := options(t, dir, "local")
	kill(t, dir, true)
	swept := ""
	o.Sweep = func(_ context.Context, directory string) error {
		swept = directory
		return os.Remove(filepath.Join(dir, "local-a"))
	}
	_, err := rehearse.New(o).Destroy(context.Background())
	must(t, err)
	if swept != filepath.Join(dir, ".state", "local") {
		t.Errorf("swept %q", swept)
	}
}

func TestLocksOfOthersAreRespected(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	o := options(t, dir, "local")
	at := filepath.Join(dir, ".state/pulumi/.pulumi/locks/organization/toys/local")
	must(t, os.MkdirAll(at, 0o700))
	write := func(l lock) {
		data, err := json.Marshal(map[string]any{"pid": l.Pid, "hostname": l.Hostname, "username": "me", "timestamp": time.Now()})
		must(t, err)
		must(t, os.WriteFile(filepath.Join(at, "x.json"), data, 0o600))
	}
	write(lock{Pid: 1, Hostname: "another-host"})
	_, err := rehearse.New(o).Up(context.Background())
	mustSay(t, err, "locked by me on another-host")

	hostname, err := os.Hostname()
	must(t, err)
	write(lock{Pid: os.Getpid(), Hostname: hostname}) // alive, but no pulumi: the number was used again
	_, err = rehearse.New(o).Up(context.Background())
	must(t, err)
}

// The engine's backend writes a state's attributes in place: killed in that moment it leaves half of them, or nothing.
func TestARunAfterAHalfWrittenStateConverges(t *testing.T) {
	for name, left := range map[string]string{"nothing": "", "half": `{"user.cache_control":"","md5":"+h`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := repository(t)
			o := options(t, dir, "local")
			_, err := rehearse.New(o).Up(context.Background())
			must(t, err)
			state := filepath.Join(dir, ".state/pulumi/.pulumi/stacks/toys/local.json")
			if _, err := os.Stat(state + ".attrs"); err != nil {
				t.Fatalf("%v: the test proves nothing", err)
			}
			for _, file := range []string{state + ".attrs", filepath.Join(dir, ".state/pulumi/.pulumi/meta.yaml.attrs"), state + ".18ea4661d8b104c8.tmp"} {
				must(t, os.WriteFile(file, []byte(left), 0o600))
			}
			again, err := rehearse.New(o).Up(context.Background())
			must(t, err)
			if again.Changed() > 0 {
				t.Errorf("changed %v: the state is another one", again.Changes)
			}
			if found, _ := filepath.Glob(state + ".*.tmp"); len(found) > 0 {
				t.Errorf("%q are left", found)
			}
			_, err = rehearse.New(o).Destroy(context.Background())
			must(t, err)
		})
	}
}
