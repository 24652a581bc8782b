package simcloud

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strconv"
)

// surroundings are the programs around a cloud: its own, in which the program of the environment runs, and those that
// it has started, among which is the engine.
type surroundings struct {
	blind    bool // the system does not tell
	started  []string
	lookedUp bool
}

// busy tells whether anything runs, is about to, or waits for a disk. What a program waits for is taken up by a thread
// or a goroutine in the moment in which it comes.
func (s *surroundings) busy() bool {
	if !s.lookedUp {
		s.started, s.blind = descendants()
		s.lookedUp = true
	}
	own := []metrics.Sample{{Name: "/sched/goroutines/running:goroutines"}, {Name: "/sched/goroutines/runnable:goroutines"}}
	metrics.Read(own)
	if own[0].Value.Uint64()+own[1].Value.Uint64() > 1 { // one looks
		return true
	}
	for _, process := range s.started {
		threads, _ := filepath.Glob(filepath.Join("/proc", process, "task", "*", "stat"))
		for _, thread := range threads {
			if state, _ := condition(thread); state == 'R' || state == 'D' {
				return true
			}
		}
	}
	return false
}

// descendants are the processes below this one; blind where there is no list of processes.
func descendants() (below []string, blind bool) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := map[string][]string{}
	for _, file := range all {
		if _, parent := condition(file); parent != "" {
			children[parent] = append(children[parent], filepath.Base(filepath.Dir(file)))
		}
	}
	below = children[strconv.Itoa(os.Getpid())]
	for i := 0; i < len(below); i++ {
		below = append(below, children[below[i]]...)
	}
	return below, len(all) == 0
}

// condition reads the state and the parent of a process or thread: "<id> (<name>) <state> <parent> ...".
func condition(file string) (state byte, parent string) {
	data, _ := os.ReadFile(file)
	if i := bytes.LastIndexByte(data, ')'); i >= 0 { // a name may hold anything
		if fields := bytes.Fields(data[i+1:]); len(fields) > 1 {
			return fields[0][0], string(fields[1])
		}
	}
	return 0, ""
}
