package main

import (
	"go/build"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/stacks"
)

// The settings that the engine hands over decide which program runs.
func TestPlatformOfTheSettings(t *testing.T) {
	for config, want := range map[string]string{
		`{"redoubt:platform": "aws", "aws:region": "eu-central-1"}`: "aws", `{"redoubt:platform": "local"}`: "local", `{}`: "", "": "",
	} {
		t.Setenv("PULUMI_CONFIG", config)
		if got := platform(); got != want {
			t.Errorf("%s: %q, want %q", config, got, want)
		}
	}
}

// Each program of its own is there, and this one and the local one use none of
// the clouds' packages.
func TestProgramsOfThePlatforms(t *testing.T) {
	if program := stacks.ProgramOf("local"); program != "" {
		t.Errorf("local is served by %s", program)
	}
	for _, platform := range []string{"aws", "aws-baseline", "gcp", "gcp-baseline"} {
		found, err := build.ImportDir(filepath.Join("..", strings.TrimPrefix(stacks.ProgramOf(platform), "stacks/")), 0)
		if err != nil || found.Name != "main" {
			t.Errorf("%s: %v", platform, err)
		}
	}
}
