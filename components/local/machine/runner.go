package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// How a service that ends is started again: soon, because the cluster waits
// for it, and not so often that a broken one eats a processor. They are
// variables for the tests only.
var (
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// healthyAfter resets the backoff.
	healthyAfter = 30 * time.Second
	// settled is how long a service without a probe must live to be ready.
	settled = 500 * time.Millisecond
)

// runner keeps one service running.
type runner struct {
	service Service
	// key stands for the whole definition: another key is another service.
	key    string
	sup    *supervisor
	output io.WriteCloser
	// cancel asks it to stop; done is closed when it has.
	cancel context.CancelFunc
	done   chan struct{}
	// hurry, in nanoseconds, shortens the grace at shutdown; see stopAll.
	hurry chan time.Duration
}

// run starts the service again and again until ctx ends, and then ends it.
func (r *runner) run(ctx context.Context) {
	defer close(r.done)
	defer r.output.Close()
	backoff := firstBackoff
	for starts := 0; ; starts++ {
		if !r.sup.awaitReady(ctx, r.service) {
			break
		}
		began := time.Now()
		err := r.once(ctx, starts)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > healthyAfter {
			backoff = firstBackoff
		}
		r.sup.log.Printf("%s: %v; starting again in %v", r.service.Name, err, backoff)
		r.sup.update(r.service.Name, func(s *ServiceStatus) {
			*s = ServiceStatus{Name: s.Name, State: "restarting", Restarts: s.Restarts, LastExit: err.Error()}
		})
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
	r.sup.update(r.service.Name, func(s *ServiceStatus) {
		*s = ServiceStatus{Name: s.Name, State: "stopped", Restarts: s.Restarts, LastExit: s.LastExit}
	})
}

// once runs the service until it ends or must; the error tells how it ended.
func (r *runner) once(ctx context.Context, starts int) error {
	pid, ended, err := r.start()
	if err != nil {
		return fmt.Errorf("cannot start: %w", err)
	}
	r.sup.log.Printf("%s: started, process %d", r.service.Name, pid)
	r.sup.update(r.service.Name, func(s *ServiceStatus) {
		*s = ServiceStatus{Name: s.Name, State: "starting", PID: pid, Since: time.Now().UTC(), Restarts: starts, LastExit: s.LastExit}
	})
	probing, stopProbing := context.WithCancel(ctx)
	defer stopProbing()
	verdict := make(chan error, 1)
	go func() { verdict <- r.probe(probing) }()
	for {
		select {
		case status := <-ended:
			return errors.New(describe(status))
		case <-ctx.Done():
			return errors.New(describe(r.end(pid, ended)))
		case err := <-verdict:
			if ctx.Err() != nil {
				continue
			}
			if err != nil {
				r.end(pid, ended)
				return err
			}
			r.sup.log.Printf("%s: ready", r.service.Name)
			r.sup.update(r.service.Name, func(s *ServiceStatus) { s.State, s.Ready, s.Detail = "ready", true, "" })
		}
	}
}

func (r *runner) start() (int, <-chan syscall.WaitStatus, error) {
	output, err := capture(r.output)
	if err != nil {
		return 0, nil, err
	}
	defer output.Close()
	input, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer input.Close()
	pid, ended, err := r.sup.reaper.start(r.sup.argv(r.service), &os.ProcAttr{
		Dir:   r.sup.workDir,
		Env:   append(append([]string{}, r.sup.environment...), r.service.Environment...),
		Files: []*os.File{input, output, output},
		// A session of its own: the number of the process is then that of its
		// group, by which a plain machine ends what a service leaves behind.
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err == nil {
		r.sup.record(r.service.Name, pid)
	}
	return pid, ended, err
}

// end asks the service to end and kills it when it does not.
func (r *runner) end(pid int, ended <-chan syscall.WaitStatus) syscall.WaitStatus {
	grace := time.Duration(r.service.Grace)
	if grace == 0 {
		grace = 5 * time.Second
	}
	// The child is not collected before ended speaks, so the number is still
	// its own.
	_ = syscall.Kill(pid, stopSignals[r.service.StopSignal])
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case status := <-ended:
			return status
		case limit := <-r.hurry:
			timer.Reset(min(limit, grace))
		case <-timer.C:
			r.sup.log.Printf("%s: did not end within its grace: killed", r.service.Name)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return <-ended
		}
	}
}

// probe returns nil when the service is ready, an error when it has taken
// longer than it may.
func (r *runner) probe(ctx context.Context) error {
	probe := r.service.Ready
	if probe == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settled):
			return nil
		}
	}
	began, said := time.Now(), ""
	for attempt := 0; ; attempt++ {
		err := probe.try(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if limit := time.Duration(probe.Timeout); limit > 0 && time.Since(began) > limit {
			return fmt.Errorf("not ready after %v: %w", limit, err)
		}
		if said != err.Error() {
			said = err.Error()
			r.sup.update(r.service.Name, func(s *ServiceStatus) { s.Detail = "not ready: " + said })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval(attempt)):
		}
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "ended by signal: " + status.Signal().String()
	}
	return fmt.Sprintf("ended with code %d", status.ExitStatus())
}
