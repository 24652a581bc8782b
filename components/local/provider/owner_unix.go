//go:build unix

package provider

import (
	"os"
	"syscall"
)

// owner is the numeric owner of a file, or -1 where the system has none.
func owner(info os.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}
