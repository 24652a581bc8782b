package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// spawn starts this program again, detached: it survives its parent and any
// terminal.
func spawn(_ layout, output *os.File, args ...string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return spawnProgram(program, output, args...)
}

func spawnProgram(program string, output *os.File, args ...string) error {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	// Collected when it ends, for as long as this process lives to do it.
	go func() { _ = cmd.Wait() }()
	return nil
}

// launch starts the guard: as a unit where systemd is PID 1, which then
// restarts it, and otherwise as a process that a watcher restarts.
func launch(ctx context.Context, binary string, spec Spec) error {
	l := layout(spec.Dir)
	if systemd() {
		return launchUnit(ctx, binary, spec)
	}
	output, err := os.OpenFile(filepath.Join(spec.LogDir, "guard.log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer output.Close()
	return spawnProgram(binary, output, "run", "--watched", string(l))
}

// systemd tells whether systemd is PID 1 (sd_booted(3)) and will take orders:
// a user's own manager ends with the user's session, so without root the
// watcher does the work.
func systemd() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir() && os.Geteuid() == 0
}

// unitName is the machine's unit.
func unitName(spec Spec) string {
	return "redoubt-" + spec.Environment + "-" + spec.Name + ".service"
}

// unitArguments are those of systemd-run(1).
func unitArguments(binary string, spec Spec) []string {
	return []string{
		"--unit=" + unitName(spec),
		"--description=Redoubt machine " + spec.Name + " of environment " + spec.Environment,
		// A unit that ended is forgotten, so that its name is free again.
		"--collect",
		"--property=Restart=always",
		"--property=RestartSec=500ms",
		// However often the guard is killed, it comes back.
		"--property=StartLimitIntervalSec=0",
		// The guard alone is the unit's: the machine survives its guard, and
		// the next guard adopts it. Nothing is set here that children inherit,
		// such as a score for the kernel's OOM killer.
		"--property=KillMode=process",
		"--property=TimeoutStopSec=10s",
		"--", binary, "run", spec.Dir,
	}
}

func launchUnit(ctx context.Context, binary string, spec Spec) error {
	// A unit of this name that failed earlier would be in the way.
	_ = exec.CommandContext(ctx, "systemctl", "reset-failed", unitName(spec)).Run()
	out, err := exec.CommandContext(ctx, "systemd-run", unitArguments(binary, spec)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("systemd-run: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return writeFile(layout(spec.Dir).unit(), []byte(unitName(spec)+"\n"), 0o600)
}

// endUnit stops the machine's unit, if it is one.
func endUnit(ctx context.Context, l layout) error {
	data, err := os.ReadFile(l.unit())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	name := strings.TrimSpace(string(data))
	out, err := exec.CommandContext(ctx, "systemctl", "stop", name).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "not loaded") {
		return fmt.Errorf("systemctl stop %s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	_ = exec.CommandContext(ctx, "systemctl", "reset-failed", name).Run()
	return nil
}
