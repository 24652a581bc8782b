package local

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// HostFacts are what this machine can do. They choose between an isolated
// cluster and a control plane alone, and name what the kernel withholds.
type HostFacts struct {
	// Isolation says that namespaces can be made: Linux and root.
	Isolation bool
	// CgroupV1 says that the kubelet finds version 1 of cgroups only.
	CgroupV1 bool
	// RestrictOOMScoreAdj says that CAP_SYS_RESOURCE is withheld, without which
	// containerd cannot lower a container's OOM score.
	RestrictOOMScoreAdj bool
}

// capSysResource is the number of CAP_SYS_RESOURCE in capability(7).
const capSysResource = 24

// DetectHost reads the facts from /proc and /sys.
func DetectHost() HostFacts {
	facts := HostFacts{Isolation: runtime.GOOS == "linux" && os.Geteuid() == 0}
	if runtime.GOOS != "linux" {
		return facts
	}
	// cgroup.controllers at the top exists on version 2 alone.
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err != nil {
		facts.CgroupV1 = true
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return facts
	}
	for _, line := range strings.Split(string(status), "\n") {
		if mask, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
			facts.RestrictOOMScoreAdj = err == nil && set&(1<<capSysResource) == 0
		}
	}
	return facts
}

// DefaultWorkers is one where workers can run, otherwise none.
func (h HostFacts) DefaultWorkers() int {
	if h.Isolation {
		return 1
	}
	return 0
}
