package local

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var fileChecks = []check{
	{"M34_private_keys_are_readable_by_their_owner_only", nothing, privateKeysAreProtected},
	{"M18_encryption_keys_are_readable_by_root_only", nothing, encryptionKeysAreProtected},
	{"M14_service_definitions_are_writable_by_root_only", nothing, definitionsAreProtected},
}

func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// privateKeysAreProtected finds keys by what they are, not by their names, in
// everything that the environment wrote.
func privateKeysAreProtected(t *testing.T, c *Cluster) {
	found := 0
	require.NoError(t, filepath.WalkDir(c.StateDir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return skipAbsent(err)
		}
		if entry.IsDir() && insideContainers(path) {
			return filepath.SkipDir
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil || info.Size() > 4<<20 { // a log or a database, no key
			return skipAbsent(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return skipAbsent(err)
		}
		if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
			found++
			assert.Zero(t, info.Mode().Perm()&0o177, "%s holds a private key and has mode %s", path, info.Mode())
		}
		return nil
	}))
	assert.GreaterOrEqual(t, found, 8, "too few keys were found to believe the search")
}

// insideContainers tells directories of containerd and of pods, whose files are
// images' and workloads'.
func insideContainers(path string) bool {
	base := filepath.Base(path)
	return base == "containerd" || base == "pods" && filepath.Base(filepath.Dir(path)) == "kubelet"
}

func encryptionKeysAreProtected(t *testing.T, c *Cluster) {
	path := c.Path(c.ControlPlane.Name, "/etc/kubernetes/encryption/config.yaml")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm()&0o177, "%s has mode %s", path, info.Mode())
	if c.Isolated {
		assert.Zero(t, ownerOf(info))
		_, err := c.exec(t.Context(), c.ControlPlane.Name, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
			"cat", "/etc/kubernetes/encryption/config.yaml")
		assert.ErrorContains(t, err, "Permission denied")
	}
}

// definitionsAreProtected covers what CIS 1.1.1 to 1.1.8 and 4.1.1 ask of pod
// manifests and unit files, in the form that this platform has: the supervisor's
// definition of the machine.
func definitionsAreProtected(t *testing.T, c *Cluster) {
	for _, machine := range c.Machines() {
		path := filepath.Join(c.MachineDir(machine), "machine.json")
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm()&0o177, "%s has mode %s", path, info.Mode())
		assert.Equal(t, os.Getuid(), ownerOf(info), path)
	}
}
