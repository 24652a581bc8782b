package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Stop ends the machine completely: guard, watcher, supervisor, every process
// in its PID namespace and cgroups, the cgroups, and its claims on kernel
// settings; mounts and pods' network namespaces go with the last process. It
// takes about as long as the services need to end, 5 s at most unless the
// kernel hangs. The data in dir stays for the caller to delete. Stopping a
// machine that does not run, or never did, is no error.
func Stop(ctx context.Context, dir string) error {
	if !exists(dir) {
		return nil
	}
	unlock, err := control(ctx, dir)
	if err != nil {
		return err
	}
	defer unlock()
	return stop(ctx, dir)
}

func stop(ctx context.Context, dir string) error {
	l := layout(dir)
	if err := os.MkdirAll(l.run(), 0o700); err != nil {
		return err
	}
	// From now on guard and watcher do not restart anything, even when this
	// process is killed here.
	if err := writeFile(l.stop(), nil, 0o600); err != nil {
		return err
	}
	errs := []error{endUnit(ctx, l), endKeepers(ctx, l), l.readInit().end(ctx, syscall.SIGTERM, initGrace)}
	spec, err := l.readSpec()
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		errs = append(errs, err)
	case spec.Isolated:
		errs = append(errs, destroyCgroups(ctx, spec.CgroupRoot))
	default:
		endStrays(l)
	}
	errs = append(errs, ReleaseKernelSettings(ctx, dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping the machine in %s: %w", dir, err)
	}
	// The marker to stop goes last, with the directory that it is in.
	return errors.Join(removeIfThere(l.status()), removeIfThere(l.spec()), removeIfThere(l.lock()), os.RemoveAll(l.run()))
}

// endKeepers ends guard and watcher, and proves by taking their locks that
// none is left, not even one that was just starting.
func endKeepers(ctx context.Context, l layout) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	held := map[string]*os.File{}
	defer func() {
		for _, lock := range held {
			lock.Close()
		}
	}()
	for {
		// The watcher holds nothing: it need not be asked.
		errs := []error{readProcess(l.watcher()).end(ctx, syscall.SIGKILL, 0),
			// The guard ends the machine first, in good order.
			readProcess(l.guard()).end(ctx, syscall.SIGTERM, initGrace+500*time.Millisecond)}
		for _, path := range []string{l.watchLock(), l.lock()} {
			if held[path] != nil {
				continue
			}
			lock, err := tryLock(path)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", path, err))
				continue
			}
			held[path] = lock
		}
		err := errors.Join(errs...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
