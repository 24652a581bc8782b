package machine

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopLimit is how long all services together may take to end when the machine
// stops. What is not gone then is killed: etcd and containerd recover from
// that, and a caller of Stop waits.
const stopLimit = 4 * time.Second

// supervisor is the first process of a machine.
type supervisor struct {
	// state is the machine's directory. It stays reachable through this
	// descriptor after the host's tree has left the machine's sight.
	state    *os.Root
	isolated bool
	logDir   string
	// environment and workDir are what every service gets.
	environment []string
	workDir     string
	reaper      *reaper
	log         *log.Logger

	mu      sync.Mutex
	runners map[string]*runner
	status  Status
	records map[string]process
	// changed is closed, and replaced, whenever status changes.
	changed chan struct{}
	// dirty tells the writer of status.json that there is something to write.
	dirty chan struct{}
}

func newSupervisor(state *os.Root, spec Spec, boot string, to *log.Logger) *supervisor {
	s := &supervisor{
		state: state, isolated: spec.Isolated, logDir: spec.LogDir, workDir: spec.Dir, log: to,
		environment: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), mark(spec.Dir)},
		reaper:      newReaper(),
		runners:     map[string]*runner{},
		records:     map[string]process{},
		status:      Status{Boot: boot, Since: time.Now().UTC()},
		changed:     make(chan struct{}),
		dirty:       make(chan struct{}, 1),
	}
	if spec.Isolated {
		s.logDir, s.workDir = "/var/log", "/"
		s.environment = []string{"PATH=" + machinePath, "HOME=/root"}
	}
	go s.writeStatus()
	return s
}

// machinePath is where an isolated machine finds programs. Redoubt's own come
// first: they are pinned, the host's are whatever it has.
const machinePath = "/opt/redoubt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// mark is the environment variable by which processes of a plain machine are
// told from strangers.
func mark(dir string) string { return "REDOUBT_MACHINE=" + dir }

// apply makes the services those of the Spec: what is gone stops, what changed
// restarts, what is new starts, and what is the same is not touched.
func (s *supervisor) apply(spec Spec) {
	wanted := map[string]Service{}
	for _, service := range spec.Services {
		wanted[service.Name] = service
	}
	s.mu.Lock()
	var leaving []*runner
	for name, r := range s.runners {
		if service, ok := wanted[name]; !ok || digest(service) != r.key {
			leaving = append(leaving, r)
			delete(s.runners, name)
		}
	}
	s.mu.Unlock()
	for _, r := range leaving {
		s.log.Printf("%s: changed or gone: stopping", r.service.Name)
		r.cancel()
	}
	for _, r := range leaving {
		<-r.done
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	statuses := make([]ServiceStatus, 0, len(spec.Services))
	for _, service := range spec.Services {
		status := ServiceStatus{Name: service.Name, State: "waiting"}
		if s.runners[service.Name] != nil {
			status = *s.statusOf(service.Name)
		} else if old := s.statusOf(service.Name); old != nil {
			status.LastExit = old.LastExit
		}
		statuses = append(statuses, status)
	}
	s.status.Services, s.status.Revision = statuses, spec.Revision()
	for _, service := range spec.Services {
		if s.runners[service.Name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		r := &runner{
			service: service, key: digest(service), sup: s, cancel: cancel,
			output: rotated(s.logDir, service.Name), done: make(chan struct{}), hurry: make(chan time.Duration, 1),
		}
		s.runners[service.Name] = r
		go r.run(ctx)
	}
	s.notify()
}

// stopAll ends every service, those that others need last, within stopLimit.
func (s *supervisor) stopAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A wave holds the services that no service of a later wave needs.
	waves := 1
	depth := map[string]int{}
	var dig func(name string, level int)
	dig = func(name string, level int) {
		if r := s.runners[name]; r != nil && level >= depth[name] {
			depth[name] = level
			waves = max(waves, level+1)
			for _, need := range r.service.After {
				dig(need, level+1)
			}
		}
	}
	for name := range s.runners {
		dig(name, 0)
	}
	for wave := range waves {
		var ending []*runner
		for name, r := range s.runners {
			if depth[name] == wave {
				r.hurry <- stopLimit / time.Duration(waves)
				r.cancel()
				ending = append(ending, r)
			}
		}
		s.mu.Unlock()
		for _, r := range ending {
			<-r.done
		}
		s.mu.Lock()
	}
}

// awaitReady returns true when every service of After is ready, false when ctx
// has ended.
func (s *supervisor) awaitReady(ctx context.Context, service Service) bool {
	for ctx.Err() == nil {
		s.mu.Lock()
		changed := s.changed
		missing := slices.DeleteFunc(slices.Clone(service.After), func(name string) bool {
			other := s.statusOf(name)
			return other != nil && other.Ready
		})
		if own := s.statusOf(service.Name); own != nil && len(missing) > 0 {
			if detail := "waits for " + missing[0]; own.Detail != detail || own.State != "waiting" {
				own.State, own.Detail = "waiting", detail
				s.notify()
				changed = s.changed
			}
		}
		s.mu.Unlock()
		if len(missing) == 0 {
			return true
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return false
}

// update changes the status of one service; a service that the Spec no longer
// has is ignored.
func (s *supervisor) update(name string, change func(*ServiceStatus)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status := s.statusOf(name); status != nil {
		change(status)
		s.notify()
	}
}

// statusOf and notify need the lock.
func (s *supervisor) statusOf(name string) *ServiceStatus {
	for i := range s.status.Services {
		if s.status.Services[i].Name == name {
			return &s.status.Services[i]
		}
	}
	return nil
}

func (s *supervisor) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// writeStatus keeps status.json up to date.
func (s *supervisor) writeStatus() {
	for range s.dirty {
		s.mu.Lock()
		// What else is in a Status only somebody outside can tell.
		data, err := json.MarshalIndent(struct {
			Boot     string          `json:"boot"`
			Revision string          `json:"revision"`
			Since    time.Time       `json:"since"`
			Services []ServiceStatus `json:"services"`
		}{s.status.Boot, s.status.Revision, s.status.Since, s.status.Services}, "", "  ")
		s.mu.Unlock()
		if err == nil {
			err = s.replace("status.json", data)
		}
		if err != nil {
			s.log.Printf("status.json: %v", err)
		}
	}
}

// record keeps, for a plain machine, which processes are its own, for the case
// that this one is killed. In an isolated machine the kernel ends them all.
func (s *supervisor) record(name string, pid int) {
	if s.isolated {
		return
	}
	p, err := identify(pid)
	if err != nil {
		return // It has already ended.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[name] = p
	data, err := json.Marshal(s.records)
	if err == nil {
		err = s.replace("run/services.json", data)
	}
	if err != nil {
		s.log.Printf("services.json: %v", err)
	}
}

func (s *supervisor) replace(name string, data []byte) error {
	if err := s.state.WriteFile(name+".new", data, 0o600); err != nil {
		return err
	}
	return s.state.Rename(name+".new", name)
}

// argv is the command of a service with the loss of rights in front. setpriv
// (util-linux) replaces itself with the program, so that the process shows the
// program's own command line.
func (s *supervisor) argv(service Service) []string {
	var rights []string
	if service.User != "" {
		rights = append(rights, "--reuid="+service.User, "--regid="+service.User, "--clear-groups")
	}
	if service.DropCapabilities {
		rights = append(rights, "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all",
			"--bounding-set="+strings.Join(append([]string{"-all"}, prefixed("+", service.KeepCapabilities)...), ","))
	}
	if len(rights) == 0 {
		return service.Command
	}
	program := "/usr/bin/setpriv"
	if _, err := os.Stat(program); err != nil {
		program = "/bin/setpriv"
	}
	return slices.Concat([]string{program}, rights, []string{"--"}, service.Command)
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, 0, len(names))
	for _, name := range names {
		out = append(out, prefix+name)
	}
	return out
}

// interrupted is what ends a supervisor or a guard.
var interrupted = []os.Signal{syscall.SIGTERM, syscall.SIGINT}
