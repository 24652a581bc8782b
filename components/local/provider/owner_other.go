//go:build !unix

package provider

import "os"

// owner is the numeric owner of a file, or -1 where the system has none.
func owner(os.FileInfo) int { return -1 }
