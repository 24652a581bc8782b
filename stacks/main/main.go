// Command main is the Pulumi program that `pulumi up` runs, for a stack of any
// platform. The cloud platforms are programs of their own, so that no program
// compiles the SDK of a cloud that it does not use: this one builds the stack's
// and gives way to it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/stacks"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// module is where the programs are found, from any directory of the repository.
const module = "github.com/redoubt-dev/redoubt"

func main() {
	program := stacks.ProgramOf(platform())
	if program == "" {
		pulumi.Run(stacks.Program)
		return
	}
	if err := become(module + "/" + program); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// platform is what the stack's settings say, which the engine hands over in the
// environment.
func platform() string {
	config := map[string]string{}
	if err := json.Unmarshal([]byte(os.Getenv("PULUMI_CONFIG")), &config); err != nil {
		return ""
	}
	return config[settings.Namespace+":platform"]
}

// become builds a program and goes on as it, with the same environment.
func become(program string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	// The flags of the Go language host, whose build cache it shares.
	binary := filepath.Join(cache, "redoubt", strings.ReplaceAll(strings.TrimPrefix(program, module+"/"), "/", "-"))
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, program)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("%s could not be built: %w; run this inside the repository, with Go installed", program, err)
	}
	if runtime.GOOS != "windows" {
		return syscall.Exec(binary, append([]string{binary}, os.Args[1:]...), os.Environ())
	}
	run := exec.Command(binary, os.Args[1:]...)
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stdout, os.Stderr
	return run.Run()
}
