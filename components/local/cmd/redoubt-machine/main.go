// redoubt-machine runs the machines of a local environment and keeps them
// running. The provider starts it; a person needs status and exec only.
//
//	redoubt-machine status DIR           what the machine does, as JSON
//	redoubt-machine exec DIR -- COMMAND  runs a command inside the machine
//	redoubt-machine run [--watched] DIR  the guard: keeps the machine running
//	redoubt-machine watch DIR            the watcher: keeps the guard running
//	redoubt-machine init DIR BOOT        the machine's first process
//
// DIR is a machine's state directory, .state/<environment>/machines/<machine>.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

const usage = `usage:
  redoubt-machine status DIR
  redoubt-machine exec DIR -- COMMAND [ARGUMENT...]
DIR is a machine's directory, .state/<environment>/machines/<machine>.
`

func main() {
	// Three of these run for each machine, nearly idle: memory counts and the
	// collector's time does not.
	debug.SetGCPercent(20)
	if err := run(os.Args[1:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 0 {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "redoubt-machine:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "run":
		return machine.Guard(args[1], false)
	case len(args) == 3 && args[0] == "run" && args[1] == "--watched":
		return machine.Guard(args[2], true)
	case len(args) == 2 && args[0] == "watch":
		return machine.Watch(args[1])
	case len(args) == 3 && args[0] == "init":
		return machine.Init(args[1], args[2])
	case len(args) == 2 && args[0] == "status":
		return status(args[1])
	case len(args) >= 4 && args[0] == "exec" && args[2] == "--":
		return execute(args[1], args[3:])
	}
	return errors.New(usage)
}

func status(dir string) error {
	status, err := inspect(dir)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(status)
}

func inspect(dir string) (machine.Status, error) {
	if _, err := os.Stat(dir); err != nil {
		return machine.Status{}, err
	}
	return machine.Inspect(dir)
}

func execute(dir string, argv []string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	cmd := machine.ExecCommand(context.Background(), dir, argv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}
