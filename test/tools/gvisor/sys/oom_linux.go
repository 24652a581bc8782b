// Package sys takes the place of a file of containerd's package of this name when the shim of gVisor is built for tests:
// the shim wants a score that takes CAP_SYS_RESOURCE, which a host may withhold even from root, and does not start
// without it.
package sys

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// OOMScoreAdjMax is the highest score.
const OOMScoreAdjMax = 1000

// SetOOMScore sets a process's score where that is allowed.
func SetOOMScore(pid, score int) error {
	err := os.WriteFile(scoreOf(pid), []byte(strconv.Itoa(score)), 0o644)
	if errors.Is(err, os.ErrPermission) {
		return nil
	}
	return err
}

// AdjustOOMScore raises a process's score.
func AdjustOOMScore(pid, score int) error {
	now, err := GetOOMScoreAdj(pid)
	if err != nil || now >= score {
		return err
	}
	return SetOOMScore(pid, score)
}

// GetOOMScoreAdj gives a process's score.
func GetOOMScoreAdj(pid int) (int, error) {
	text, err := os.ReadFile(scoreOf(pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func scoreOf(pid int) string { return fmt.Sprintf("/proc/%d/oom_score_adj", pid) }
