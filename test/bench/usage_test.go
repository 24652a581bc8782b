package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// treeTime is the processor time of this process and of those it started that have ended.
func treeTime() time.Duration {
	var ended syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ended); err != nil {
		panic(err)
	}
	return processorTime() + time.Duration(ended.Utime.Nano()+ended.Stime.Nano())
}

// peakMemory is the most memory, in MiB, that this process and those it has started hold at one time during do. What
// they share counts twice: it is a little too much.
func peakMemory(do func()) (peak float64) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				peak = max(peak, treeMemory())
			}
		}
	}()
	do()
	close(stop)
	<-done
	return peak
}

// treeMemory is the memory in MiB that this process and those it has started hold now.
func treeMemory() (total float64) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents := map[string]string{}
	for _, file := range files {
		data, _ := os.ReadFile(file)
		if _, rest, ok := strings.Cut(string(data), ") "); ok {
			if fields := strings.Fields(rest); len(fields) > 1 {
				parents[filepath.Base(filepath.Dir(file))] = fields[1]
			}
		}
	}
	own := strconv.Itoa(os.Getpid())
	for process := range parents {
		for at := process; at != ""; at = parents[at] {
			if at == own {
				total += memoryOf(filepath.Join("/proc", process, "status"), "VmRSS:")
				break
			}
		}
	}
	return total
}
