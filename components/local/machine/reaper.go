package machine

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// reaper collects every child that ends. The first process of a PID namespace
// inherits all orphans, so it must collect processes that it never started,
// and a collector of all cannot share the work with exec.Cmd: this one place
// starts and collects.
type reaper struct {
	mu      sync.Mutex
	waiting map[int]chan<- syscall.WaitStatus
}

// newReaper starts collecting, for as long as the process lives.
func newReaper() *reaper {
	r := &reaper{waiting: map[int]chan<- syscall.WaitStatus{}}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			r.collect()
		}
	}()
	return r
}

// start starts a program; the channel tells how it ended.
func (r *reaper) start(argv []string, attr *os.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	// Held across the start, so that a child that ends at once is not
	// collected before it is known.
	r.mu.Lock()
	defer r.mu.Unlock()
	child, err := os.StartProcess(argv[0], argv, attr)
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan syscall.WaitStatus, 1)
	r.waiting[child.Pid] = ended
	pid := child.Pid
	_ = child.Release()
	return pid, ended, nil
}

func (r *reaper) collect() {
	for {
		r.mu.Lock()
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if pid > 0 {
			if ended, known := r.waiting[pid]; known {
				delete(r.waiting, pid)
				ended <- status
			}
		}
		r.mu.Unlock()
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
	}
}
