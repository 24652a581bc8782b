package hostconfig

import (
	"fmt"
	"sort"
	"time"
)

// File is one file of a host, with everything needed to write it.
type File struct {
	// Path is absolute, with the prefix of [Paths.Root] already applied.
	Path string `json:"path"`
	// Mode holds the permission bits, for example 0o600.
	Mode uint32 `json:"mode"`
	// Owner is the name of the user and of the group that own the file: "root"
	// or "etcd". An empty owner means whoever writes the file.
	Owner string `json:"owner"`
	// Contents is the whole file.
	Contents string `json:"contents"`
	// Secret says that the contents must be treated as a secret: encrypted in
	// state, never printed.
	Secret bool `json:"secret"`
}

// File modes. CIS Kubernetes 1.1.13 to 1.1.21 and 4.1.1 to 4.1.10 ask for 600
// or tighter for what only one program reads, 644 for public certificates.
const (
	modePrivate uint32 = 0o600
	modePublic  uint32 = 0o644
)

// ownerRoot owns everything but etcd's own files.
const ownerRoot = "root"

// sortFiles orders files by path, so that a rendering does not depend on the
// order in which the renderers ran, and refuses two files for one path.
func sortFiles(files []File) ([]File, error) {
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	for i := 1; i < len(files); i++ {
		if files[i].Path == files[i-1].Path {
			return nil, fmt.Errorf("two files are rendered for %s: give each its own path", files[i].Path)
		}
	}
	return files, nil
}

// secondsOf gives a whole number of seconds as a duration.
func secondsOf(seconds int) time.Duration { return time.Duration(seconds) * time.Second }
