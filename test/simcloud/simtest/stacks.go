package simtest

import (
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// settingsDirectory is where programs look for the settings of a stack, to tell which of them nobody reads. Tests share
// the environment of their process, so a stack whose settings are a test's own has a name of its own there.
const settingsDirectory = "REDOUBT_SETTINGS_DIR"

// Main runs the tests of a package that brings up environments of this repository, and gives the exit code. The
// directory is the process's own; before, if set, puts into it what the tests need.
func Main(m *testing.M, before func(directory string) error, stacks ...string) int {
	directory, err := os.MkdirTemp("", "redoubt-settings-")
	if err == nil {
		defer os.RemoveAll(directory)
		err = os.Setenv(settingsDirectory, directory)
	}
	for _, stack := range stacks {
		if err == nil {
			err = Settle(stack, SettingsFile(stack))
		}
	}
	if err == nil && before != nil {
		err = before(directory)
	}
	if err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

// Settle says where the settings of a stack are.
func Settle(stack, file string) error {
	directory := filepath.Join(os.Getenv(settingsDirectory), stack)
	if err := os.Mkdir(directory, 0o700); err != nil {
		return err
	}
	return os.Symlink(file, filepath.Join(directory, "Pulumi."+stack+".yaml"))
}

// SettingsFile is that of an environment of this repository, for tests two folders below its root.
func SettingsFile(stack string) string {
	path, _ := filepath.Abs(filepath.Join("..", "..", "stacks", "Pulumi."+stack+".yaml")) // fails without a working directory only
	return path
}

// Fails wants an operation not to have worked, with certain words.
func Fails(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("not refused with %q", words)
	}
	for _, each := range words {
		if !strings.Contains(err.Error(), each) {
			t.Errorf("%q is not said: %v", each, err)
		}
	}
}

// Keys name everything that exists, sorted.
func Keys(cloud *simcloud.Cloud) []string {
	var keys []string
	for _, o := range cloud.Objects() {
		keys = append(keys, o.Key())
	}
	slices.Sort(keys)
	return keys
}
