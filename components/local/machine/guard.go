package machine

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// background is for what must be finished whatever the caller's patience.
var background = context.Background()

// initGrace is how long the supervisor may take to stop everything; it kills
// what is left after stopLimit, and then needs a moment to end itself.
const initGrace = stopLimit + 500*time.Millisecond

// lookAgain is how often the guard looks whether its machine is still wanted.
// Stop does not wait for that: it sends a signal.
const lookAgain = 2 * time.Second

// guard keeps a machine's first process alive.
type guard struct {
	l      layout
	output *os.File
	log    *log.Logger
}

// Guard keeps the machine in dir running until SIGTERM, which stops the
// machine, or until Stop. SIGHUP makes the machine take up a changed Spec.
// There is never more than one guard for a machine: a second one returns at
// once. With watched, guard and watcher restart each other; without, something
// else, such as systemd, restarts the guard. It is called by redoubt-machine
// only.
func Guard(dir string, watched bool) error {
	syscall.Umask(0o022)
	l := layout(dir)
	spec, err := l.readSpec()
	if err != nil {
		return err
	}
	// A guard that was just killed gives up its lock in a moment.
	ctx, cancel := context.WithTimeout(background, 2*time.Second)
	defer cancel()
	lock, err := waitLock(ctx, l.lock())
	if err != nil {
		return fmt.Errorf("another guard runs: %w", err)
	}
	defer lock.Close()
	me, err := self()
	if err != nil {
		return err
	}
	logFile := rotated(spec.LogDir, "guard")
	output, err := capture(logFile)
	if err != nil {
		return err
	}
	g := &guard{l: l, output: output, log: newLogger(logFile, "guard")}
	// Before anybody can know of this guard: an early SIGHUP would end it.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, append([]os.Signal{syscall.SIGHUP}, interrupted...)...)
	if err := writeJSON(l.guard(), me); err != nil {
		return err
	}
	g.log.Printf("guard starts, process %d", me.PID)
	if watched {
		go g.keepWatcher()
	}
	err = g.keepMachine(signals)
	if !exists(dir) {
		// The state was deleted under a running machine: nobody else knows any
		// more what there is to remove.
		if spec.Isolated {
			err = errors.Join(err, destroyCgroups(background, spec.CgroupRoot))
		}
		err = errors.Join(err, ReleaseKernelSettings(background, dir))
	}
	return err
}

// keepMachine starts the machine, or adopts the one that runs, and starts it
// again when it ends.
func (g *guard) keepMachine(signals <-chan os.Signal) error {
	backoff := firstBackoff
	for !g.l.stopping() {
		record := g.l.readInit()
		began := time.Now()
		if !record.alive() {
			var err error
			if record, err = g.boot(); err != nil {
				g.log.Printf("the machine does not start: %v; trying again in %v", err, backoff)
				_ = writeFile(g.l.failure(), []byte(err.Error()), 0o600)
			}
		} else {
			g.log.Printf("adopting the machine, process %d, boot %s", record.PID, record.Boot)
		}
		switch g.watch(record, signals) {
		case stopped:
			return nil
		case changed:
			backoff = firstBackoff
			continue
		case ended:
		}
		if time.Since(began) > healthyAfter {
			backoff = firstBackoff
		}
		if record.PID != 0 {
			g.log.Printf("the machine ended after %v; starting it again in %v", time.Since(began).Round(time.Second), backoff)
		}
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return nil
			}
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
	return nil
}

// outcome is why the guard stopped watching a boot of the machine.
type outcome int

const (
	ended   outcome = iota // the machine's first process is gone
	changed                // it was stopped because the Spec wants another shape
	stopped                // it was stopped because the guard must end
)

// watch waits until the machine ends or must.
func (g *guard) watch(record initRecord, signals <-chan os.Signal) outcome {
	gone := make(chan error, 1)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	go func() { gone <- record.wait(ctx) }()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		select {
		case <-gone:
			return ended
		case <-look.C:
			if g.l.stopping() {
				g.endMachine(record)
				return stopped
			}
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				g.log.Printf("%v: stopping the machine", sig)
				g.endMachine(record)
				return stopped
			}
			spec, err := g.l.readSpec()
			if err != nil {
				g.log.Printf("the specification cannot be read, so the present one stays: %v", err)
				continue
			}
			if spec.shape() != record.Shape {
				g.log.Print("the machine's shape changed: restarting it")
				g.endMachine(record)
				return changed
			}
			_ = record.signal(syscall.SIGHUP)
		}
	}
}

func (g *guard) endMachine(record initRecord) {
	if err := record.end(background, syscall.SIGTERM, initGrace); err != nil {
		g.log.Print(err)
	}
}

// boot clears what an earlier boot left and starts the machine.
func (g *guard) boot() (initRecord, error) {
	spec, err := g.l.readSpec()
	if err != nil {
		return initRecord{}, err
	}
	if spec.Isolated {
		// The PID namespace took its processes with it; groups of pods stay.
		if err := destroyCgroups(background, spec.CgroupRoot); err != nil {
			g.log.Print(err)
		}
	} else {
		endStrays(g.l)
	}
	// After a restart of the host the settings are the kernel's own again.
	if err := ClaimKernelSettings(background, spec.Dir, spec.KernelSettings); err != nil {
		return initRecord{}, err
	}
	if err := removeIfThere(g.l.failure()); err != nil {
		return initRecord{}, err
	}
	return boot(g.l, spec, g.output, g.log)
}

// keepWatcher starts the watcher, and starts it again when it ends.
func (g *guard) keepWatcher() {
	for !g.l.stopping() {
		if w := readProcess(g.l.watcher()); w.alive() {
			_ = w.wait(background)
			continue
		}
		if err := spawn(g.l, g.output, "watch", string(g.l)); err != nil {
			g.log.Printf("the watcher does not start: %v", err)
		}
		time.Sleep(firstBackoff)
	}
}

// Watch restarts the guard of the machine in dir whenever it dies, until Stop.
// A second watcher returns at once. It is called by redoubt-machine only.
func Watch(dir string) error {
	l := layout(dir)
	lock, err := tryLock(l.watchLock())
	if err != nil {
		return fmt.Errorf("another watcher runs: %w", err)
	}
	defer lock.Close()
	me, err := self()
	if err != nil {
		return err
	}
	if err := writeJSON(l.watcher(), me); err != nil {
		return err
	}
	// The guard ends this process by Stop only, not by a hang-up of its own.
	signal.Ignore(syscall.SIGHUP)
	for !l.stopping() {
		if g := readProcess(l.guard()); g.alive() {
			_ = g.wait(background)
			continue
		}
		spec, err := l.readSpec()
		if err != nil {
			return err
		}
		output, err := os.OpenFile(filepath.Join(spec.LogDir, "guard.log"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		err = spawn(l, output, "run", "--watched", string(l))
		output.Close()
		if err != nil {
			return err
		}
		time.Sleep(firstBackoff)
	}
	return nil
}
