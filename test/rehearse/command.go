package rehearse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/blang/semver"
	"github.com/pulumi/pulumi/sdk/v3"
)

// cancelGrace is how long the engine may take to end its steps after an interrupt before it is killed. A step that
// starts a machine gives up within seconds of being cancelled.
const cancelGrace = time.Minute

// command runs the Pulumi CLI for the Automation API. It differs from the API's own in three things: the environment
// of the caller does not leak into the engine, the CLI ends with this process even if that is killed, and questions
// whose answer is known already are not asked (each start of the CLI takes a fifth of a second).
type command struct {
	program     string
	environment []string
	known       func(args []string) (answer string, ok bool)
}

// newCommand finds the CLI.
func newCommand(directory string, environment []string) (*command, error) {
	program := filepath.Join(directory, "pulumi")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the Pulumi CLI is not there: %w; build it with `make tools`, or name its directory in REDOUBT_BIN_DIR", err)
	}
	return &command{program: program, environment: environment}, nil
}

// Version is that of the SDK: the CLI is built from the same release.
func (c *command) Version() semver.Version { return sdk.Version }

// Run runs the CLI once.
func (c *command) Run(ctx context.Context, directory string, stdin io.Reader, outputs, errorOutputs []io.Writer, extra []string, args ...string) (string, string, int, error) {
	if c.known != nil {
		if answer, ok := c.known(args); ok {
			return answer, "", 0, nil
		}
	}
	if !slices.Contains(args, "--non-interactive") {
		args = append([]string{"--non-interactive"}, args...)
	}
	// The kernel ties the child's death signal to the thread that started it: keep that thread until the child ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Dir = directory
	cmd.Env = append(slices.Clone(c.environment), extra...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout = io.MultiWriter(append(outputs, &stdout)...)
	cmd.Stderr = io.MultiWriter(append(errorOutputs, &stderr)...)
	cmd.Stdin = stdin
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = cancelGrace
	err := cmd.Run()
	code := 0
	if err != nil {
		code = -1
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if errors.Is(err, syscall.ENOSPC) {
			err = fmt.Errorf("%w: make room on the disk that holds %s and run the same command again", err, directory)
		}
	}
	return stdout.String(), stderr.String(), code, err
}

// environment is what the CLI runs with: the caller's, without what would redirect the engine.
func (d *Driver) environment(attach, passphrase string, operation Operation) []string {
	var out []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "PULUMI_") && !strings.HasPrefix(name, "PULUMI_K8S_") {
			continue
		}
		out = append(out, entry)
	}
	out = append(out,
		"PULUMI_HOME="+d.home(),
		"PULUMI_BACKEND_URL=file://"+d.backend(),
		"PULUMI_CONFIG_PASSPHRASE="+passphrase,
		"PULUMI_DEBUG_PROVIDERS="+attach,
		// Attached providers count as missing plugins: without this every operation tries to download them.
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_AUTOMATION_API=true",
		// The state is replaced atomically; a copy of all of it at every change would only cost time.
		"PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS=true",
	)
	// The CLI notes who ran it, and containers run as numbers that no file knows.
	if os.Getenv("USER") == "" {
		out = append(out, "USER="+strconv.Itoa(os.Getuid()))
	}
	if d.options.Simulated {
		// There is nobody at the endpoint of a simulated cluster whom the program could ask.
		_ = os.Setenv("REDOUBT_SIMULATED", "1") // fails for malformed names alone
		out = append(out, "PULUMI_SKIP_CHECKPOINTS=true", "PULUMI_EXPERIMENTAL=true")
	}
	if operation == Destroy {
		// A cluster that is being removed may be down already; its objects go with it.
		out = append(out, "PULUMI_K8S_DELETE_UNREACHABLE=true")
	}
	return out
}
