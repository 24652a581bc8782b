package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// local is what the local path compiles.
var local = []string{".", "github.com/redoubt-dev/redoubt/stacks", "github.com/redoubt-dev/redoubt/stacks/main"}

// TestTheDriverCompilesNoCloud keeps the local path free of cloud SDKs: they cost minutes and gigabytes to compile.
func TestTheDriverCompilesNoCloud(t *testing.T) {
	list := exec.Command("go", append([]string{"list", "-deps"}, local...)...)
	var problems bytes.Buffer
	list.Stderr = &problems
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, problems.String())
	}
	packages := strings.Fields(string(out))
	if len(packages) < 100 {
		t.Fatalf("only %d packages: this list proves nothing", len(packages))
	}
	for _, name := range packages {
		for _, cloud := range []string{"pulumi-aws", "pulumi-gcp", "pulumi-azure", "aws-sdk-go", "aws/smithy-go", "cloud.google.com/go", "Azure/azure-sdk"} {
			if strings.Contains(name, cloud) {
				t.Errorf("the driver or the program of local environments compiles %s", name)
			}
		}
	}
}

func TestWrongUseIsExplained(t *testing.T) {
	for _, c := range []struct {
		arguments []string
		words     string
	}{
		{nil, "help requested"},
		{[]string{"fly"}, "help requested"},
		{[]string{"up", "--sett", "x"}, "not defined: -sett"},
		{[]string{"up", "twice"}, `"twice" is no flag`},
		{[]string{"up", "--set", "workers"}, "<namespace>:<key>=<value>"},
		{[]string{"destroy"}, "add --yes"},
		{[]string{"up", "--env", "No Name"}, "lower-case letters"},
	} {
		nothing, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer nothing.Close()
		err = run(context.Background(), c.arguments, nothing, os.Stdout)
		if err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%v: %v", c.arguments, err)
		}
	}
}
