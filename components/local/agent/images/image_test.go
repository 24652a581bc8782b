package images

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSameBinaryGivesSameImage(t *testing.T) {
	binary := program(t, "one")
	first, second := t.TempDir(), t.TempDir()
	if a, b := add(t, first, binary), add(t, second, binary); a != b {
		t.Errorf("digests %s and %s", a, b)
	}
	if a, b := tree(t, first), tree(t, second); a != b {
		t.Errorf("directories differ:\n%s\n%s", a, b)
	}
	before := tree(t, first)
	if add(t, first, binary); tree(t, first) != before {
		t.Errorf("adding it again changed\n%s\nto\n%s", before, tree(t, first))
	}
}

// TestReplacedImageLeavesNothing adds two versions under one tag and one beside it.
func TestReplacedImageLeavesNothing(t *testing.T) {
	directory, clean := t.TempDir(), t.TempDir()
	one, two := program(t, "one"), program(t, "two")
	old := add(t, directory, one)
	if new := add(t, directory, two); new == old {
		t.Fatal("two programs give one digest")
	}
	add(t, clean, two)
	if tree(t, directory) != tree(t, clean) {
		t.Errorf("left behind:\n%s\nwant only\n%s", tree(t, directory), tree(t, clean))
	}
	if _, err := Add(directory, Image{Binary: one, Name: "redoubt.local/pause:old", User: DefaultUser}); err != nil {
		t.Fatal(err)
	}
	address := registry(t, directory)
	for _, tag := range []string{"old", "3.10"} {
		if response, _ := get(t, address, "HEAD", "/v2/redoubt.local/pause/manifests/"+tag); response.StatusCode != 200 {
			t.Errorf("tag %s: %s", tag, response.Status)
		}
	}
}

func TestOtherArchitecture(t *testing.T) {
	for _, architecture := range []string{"amd64", "arm64"} {
		have, err := staticArchitecture(program(t, "one", "GOARCH="+architecture))
		if err != nil || have != architecture {
			t.Errorf("%s, %v, want %s", have, err, architecture)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	binary := program(t, "one")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		image Image
		want  string
	}{
		"root":                {Image{binary, pauseName, nil, 0}, "other than root"},
		"no registry":         {Image{binary, "pause:3.10", nil, DefaultUser}, "name of a registry"},
		"a word as registry":  {Image{binary, "library/pause:3.10", nil, DefaultUser}, "name of a registry"},
		"no tag":              {Image{binary, "redoubt.local/pause", nil, DefaultUser}, "end with a tag"},
		"a climbing name":     {Image{binary, "redoubt.local/../../pause:3.10", nil, DefaultUser}, "lower-case words"},
		"a climbing registry": {Image{binary, "../pause:3.10", nil, DefaultUser}, "name of a registry"},
		"an upper-case name":  {Image{binary, "redoubt.local/Pause:3.10", nil, DefaultUser}, "lower-case words"},
		"a script":            {Image{script, pauseName, nil, DefaultUser}, "not a Linux program"},
		"no program":          {Image{script + "x", pauseName, nil, DefaultUser}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			_, err := Add(directory, test.image)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that says %q", err, test.want)
			}
			if left := tree(t, directory); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}

// TestDynamicProgramIsRefused uses the system's own shell, which is dynamically
// linked on every distribution with a C library in a file.
func TestDynamicProgramIsRefused(t *testing.T) {
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("this machine has no /bin/sh to try")
	}
	_, err = staticArchitecture(shell)
	if err == nil {
		t.Skip("this machine's /bin/sh is static: nothing dynamic to try")
	}
	if !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("error %v, want the remedy", err)
	}
}
