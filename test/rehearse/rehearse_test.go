package rehearse_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

func TestUpAgainChangesNothingAndDestroyLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := repository(t)
	o := options(t, dir, "local")
	var shown bytes.Buffer
	o.Output = &shown
	result, err := rehearse.New(o).Up(ctx)
	must(t, err)
	if result.Creates() != 2 || content(t, dir, "local-a") != "one" { // the thing and the stack
		t.Errorf("%v", result.Changes)
	}
	if result.Output("text") != "one" || result.Output("size") != "small" {
		t.Errorf("outputs %v", result.Outputs)
	}
	if len(result.Phases) != 1 || result.Phases[0].Steps != 1 || len(result.Steps) == 0 {
		t.Errorf("phases %v", result.Phases)
	}
	if !strings.Contains(shown.String(), "toy:index:Thing") {
		t.Errorf("the engine's progress is not shown:\n%s", shown.String())
	}
	started := time.Now()
	result, err = rehearse.New(o).Up(ctx)
	must(t, err)
	if result.Changed() != 0 || result.Same() != 2 || result.Output("text") != "one" {
		t.Errorf("second up: %v %v", result.Changes, result.Outputs)
	}
	t.Logf("up without changes: %s", time.Since(started))

	o.Set["app:text"] = "two"
	result, err = rehearse.New(o).Preview(ctx)
	must(t, err)
	if result.Updates() != 1 || content(t, dir, "local-a") != "one" {
		t.Errorf("preview: %v", result.Changes)
	}
	result, err = rehearse.New(o).Up(ctx)
	must(t, err)
	if result.Updates() != 1 || content(t, dir, "local-a") != "two" {
		t.Errorf("update: %v", result.Changes)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "stacks", "Pulumi.local.yaml")); string(got) != settings {
		t.Errorf("the settings file was rewritten:\n%s", got)
	}
	must(t, os.MkdirAll(filepath.Join(dir, ".state", "local", "log"), 0o755))
	_, err = rehearse.New(o).Destroy(ctx)
	must(t, err)
	if content(t, dir, "local-a") != "" {
		t.Error("the thing is still there")
	}
	var left []string
	must(t, filepath.WalkDir(filepath.Join(dir, ".state"), func(path string, e os.DirEntry, err error) error {
		if strings.Contains(path, "local") {
			left = append(left, path)
		}
		return err
	}))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	result, err = rehearse.New(o).Destroy(ctx)
	must(t, err)
	if result.Changed() != 0 {
		t.Errorf("a second destroy did something: %v", result.Changes)
	}
}

func TestRefreshShowsDriftAndUpRepairsIt(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := repository(t)
	o := options(t, dir, "local")
	_, err := rehearse.New(o).Up(ctx)
	must(t, err)
	result, err := rehearse.New(o).Refresh(ctx)
	must(t, err)
	if result.Changed() != 0 {
		t.Errorf("drift where there is none: %v", result.Changes)
	}
	must(t, os.WriteFile(filepath.Join(dir, "local-a"), []byte("tampered"), 0o600))
	result, err = rehearse.New(o).Refresh(ctx)
	must(t, err)
	if result.Updates() != 1 {
		t.Errorf("drift is not seen: %v", result.Changes)
	}
	must(t, os.Remove(filepath.Join(dir, "local-a")))
	o.Refresh = true
	_, err = rehearse.New(o).Up(ctx)
	must(t, err)
	if got := content(t, dir, "local-a"); got != "one" {
		t.Errorf("not repaired: %q", got)
	}
}

func TestTwoEnvironmentsSideBySide(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := repository(t)
	var all sync.WaitGroup
	for _, name := range []string{"it-1", "it-2"} {
		all.Go(func() {
			o := options(t, dir, name)
			o.Set["app:text"], o.Set["app:behave"] = "of "+name, "slow"
			if _, err := rehearse.New(o).Up(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	o := options(t, dir, "it-1")
	o.ConfigFile = "" // there is no stacks/Pulumi.it-1.yaml, and removing does not need it
	_, err := rehearse.New(o).Destroy(ctx)
	must(t, err)
	if content(t, dir, "it-2-a") != "of it-2" || content(t, dir, "it-1-a") != "" {
		t.Error("destroying one environment touched the other, or did not remove its own")
	}
	outputs, err := rehearse.New(options(t, dir, "it-2")).Outputs(ctx)
	must(t, err)
	if outputs["text"].Value != "of it-2" {
		t.Errorf("outputs %v", outputs)
	}
}

func TestOneEnvironmentHasOneDriver(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	dir := repository(t)
	o := options(t, dir, "local")
	o.Set["app:behave"] = "hang"
	ended := make(chan error, 1)
	go func() { _, err := rehearse.New(o).Up(ctx); ended <- err }()
	waitFor(t, func() bool { return content(t, dir, "local-a") == "half" })
	_, err := rehearse.New(options(t, dir, "local")).Up(context.Background())
	mustSay(t, err, "environment local is being worked on", "wait until it ends")

	// An interrupt ends the first one cleanly, and the next run converges.
	started := time.Now()
	cancel()
	mustSay(t, <-ended, "interrupted", "it continues")
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("the interrupt took %s", took)
	}
	_, err = rehearse.New(options(t, dir, "local")).Up(context.Background())
	must(t, err)
	if got := content(t, dir, "local-a"); got != "one" {
		t.Errorf("after the interrupt: %q", got)
	}
}

func TestSecretsAreReadableInOutputsAndEncryptedInTheState(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := repository(t)
	o := options(t, dir, "local")
	o.Set["app:key"] = "hunter2"
	result, err := rehearse.New(o).Up(ctx)
	must(t, err)
	if key := result.Outputs["key"]; key.Value != "hunter2" || !key.Secret {
		t.Errorf("key %v", key)
	}
	recorded := content(t, dir, ".state/local/outputs.json")
	if strings.Contains(recorded, "hunter2") || !strings.Contains(recorded, "apiEndpoint") {
		t.Errorf("recorded outputs: %s", recorded)
	}
	info, err := os.Stat(filepath.Join(dir, ".state", "passphrase"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("passphrase has mode %v", info.Mode())
	}
	state, err := os.ReadFile(filepath.Join(dir, ".state/pulumi/.pulumi/stacks/toys/local.json"))
	must(t, err)
	if bytes.Contains(state, []byte("hunter2")) {
		t.Errorf("the secret is readable in the state:\n%s", state)
	}
	// Without the passphrase nothing is readable, and the error says why.
	must(t, os.WriteFile(filepath.Join(dir, ".state", "passphrase"), []byte("wrong"), 0o600))
	_, err = rehearse.New(o).Up(ctx)
	mustSay(t, err, "passphrase")
}

func TestFailuresAreOneMessageWithTheRemedy(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := repository(t)

	o := options(t, dir, "local")
	var shown bytes.Buffer
	o.Output = &shown
	o.Set["app:things"], o.Set["app:behave"] = "[a]", "fail"
	_, err := rehearse.New(o).Up(ctx)
	mustSay(t, err, "toy:index:Thing a", "the disk is on fire: pour water on it", "Run the same command again")
	if n := strings.Count(err.Error()+shown.String(), "on fire"); n != 1 {
		t.Errorf("said %d times:\n%s%v", n, shown.String(), err)
	}

	o = options(t, dir, "local")
	o.Set["app:things"] = "[]"
	_, err = rehearse.New(o).Up(ctx)
	mustSay(t, err, "programming error: no things", "panic.txt")

	for what, change := range map[string]func(*rehearse.Options){
		"environment":       func(o *rehearse.Options) { o.Environment = "No_Good" },
		"not pulumi":        func(o *rehearse.Options) { o.Environment = "pulumi" },
		"absent.yaml":       func(o *rehearse.Options) { o.ConfigFile = "absent.yaml" },
		"make tools":        func(o *rehearse.Options) { o.BinDirectory = t.TempDir() },
		"Pulumi.yaml":       func(o *rehearse.Options) { o.Repository = t.TempDir() },
		"<namespace>:<key>": func(o *rehearse.Options) { o.Set["text"] = "x" },
		"is not a map":      func(o *rehearse.Options) { o.Set["app:text.size"] = "x" },
		"no program":        func(o *rehearse.Options) { o.Program = nil },
	} {
		o := options(t, dir, "local")
		change(&o)
		_, err := rehearse.New(o).Up(ctx)
		mustSay(t, err, what)
	}
	_, err = rehearse.New(options(t, dir, "absent")).Outputs(ctx)
	mustSay(t, err, "absent does not exist", "make up ENV=absent")
}

func TestSettingsOverrides(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	o := options(t, dir, "local")
	o.Set["app:shape.size"], o.Set["app:things"] = "large", "[a, b]"
	result, err := rehearse.New(o).Up(context.Background())
	must(t, err)
	if result.Output("size") != "large" || result.Creates() != 3 {
		t.Errorf("%v %v", result.Outputs, result.Changes)
	}
}

func TestInstalledPluginIsPreferredToAStandIn(t *testing.T) {
	home := t.TempDir()
	t.Setenv("PULUMI_HOME", home)
	plugin := filepath.Join(home, "plugins", "resource-toy-v1.0.0", "pulumi-resource-toy")
	must(t, os.MkdirAll(filepath.Dir(plugin), 0o755))
	must(t, os.WriteFile(plugin, []byte("#!/bin/sh\necho not a plugin >&2; exit 1\n"), 0o755))
	dir := repository(t)
	o := options(t, dir, "local")
	o.Providers[0].StandIn = true
	if _, err := rehearse.New(o).Up(context.Background()); err == nil {
		t.Error("the stand-in was used although the plugin is installed")
	}
	o.StandIns = true
	_, err := rehearse.New(o).Up(context.Background())
	must(t, err)
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !what(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited for 30 s in vain")
		}
	}
}

func TestTheStateIsExported(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	o := options(t, repository(t), "local")
	o.Parallel = 1
	if _, err := rehearse.New(o).Export(ctx); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("a stack that is not there: %v", err)
	}
	_, err := rehearse.New(o).Up(ctx)
	must(t, err)
	deployment, err := rehearse.New(o).Export(ctx)
	must(t, err)
	for _, words := range []string{`"urn":`, "toy:index:Thing"} {
		if !strings.Contains(string(deployment), words) {
			t.Errorf("%s is not in %s", words, deployment)
		}
	}
	o.Parallel = -1
	if _, err := rehearse.New(o).Preview(ctx); err == nil || !strings.Contains(err.Error(), "parallel -1") {
		t.Errorf("less than nothing at a time: %v", err)
	}
}
