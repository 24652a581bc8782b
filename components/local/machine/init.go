package machine

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The descriptors over which guard and first process agree to begin; see boot.
const (
	permitFD = 3 // read: the guard has recorded this process
	armedFD  = 4 // written: this process understands signals
)

// Init is the machine's first process. It waits for the guard's permission,
// builds the machine around itself and runs the services until SIGTERM; SIGHUP
// makes it read the Spec again. It is called by redoubt-machine only.
func Init(dir, boot string) error {
	syscall.Umask(0o022)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append([]os.Signal{syscall.SIGHUP}, interrupted...)...)
	armed := os.NewFile(armedFD, "armed")
	_, _ = armed.Write([]byte{1})
	armed.Close()
	permit := os.NewFile(permitFD, "permit")
	if n, err := permit.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("the guard ended before it had recorded this process: %w", err)
	}
	permit.Close()
	l := layout(dir)
	spec, err := l.readSpec()
	if err != nil {
		return failed(l, err)
	}
	state, err := os.OpenRoot(dir)
	if err != nil {
		return failed(l, err)
	}
	if spec.Isolated {
		if err := isolate(spec); err != nil {
			return failed(l, err)
		}
	}
	// From here on the host's tree is out of sight of an isolated machine.
	logDir := spec.LogDir
	if spec.Isolated {
		logDir = "/var/log"
	}
	logger := newLogger(rotated(logDir, "machine"), "supervisor")
	logger.Printf("machine %s starts, boot %s", spec.Name, boot)

	s := newSupervisor(state, spec, boot, logger)
	s.apply(spec)
	for sig := range signals {
		if sig != syscall.SIGHUP {
			logger.Printf("%v: stopping", sig)
			s.stopAll()
			return nil
		}
		var next Spec
		if err := readSpecIn(state, &next); err != nil {
			logger.Printf("the specification cannot be read, so the present one stays: %v", err)
			continue
		}
		s.apply(next)
	}
	return nil
}

// failed records why the machine could not start, for Start to tell. It works
// for as long as the host's tree is in sight; isolate leaves it in sight until
// all that is likely to fail has been done.
func failed(l layout, err error) error {
	return errors.Join(err, writeFile(l.failure(), []byte(err.Error()), 0o600))
}

func readSpecIn(state *os.Root, spec *Spec) error {
	data, err := state.ReadFile("machine.json")
	if err != nil {
		return err
	}
	return decode(data, spec)
}
