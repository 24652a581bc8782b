// Package booted is the cluster of an environment whose machines run themselves: what the simulated cloud was given boots
// on this machine, see package boot, and is attacked there. It knows no cloud: how machines are found in one, its caller
// says.
//
// It needs root on Linux, for namespaces. Elsewhere the local cluster stands where this one would, and the report says
// what is left out.
package booted

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/machines"
)

// Provider is what differs between clouds.
type Provider struct {
	// Machines finds the machines in a cloud, with what they boot from.
	Machines func(*simcloud.Cloud) (machines.Cluster, error)
	// Lose makes the machine of an id fail. Its address and its volume stay.
	Lose func(c *simcloud.Cloud, id string) error
}

// unique is a name that no other rehearsal on this host has, of whichever environment and repository.
func unique(environment, directory string) string {
	sum := sha256.Sum256([]byte(directory))
	return environment[:min(len(environment), 20)] + "-" + hex.EncodeToString(sum[:3])
}

// directory is where a rehearsal's machines have their disks.
func directory(r cloud.Rehearsal) (string, error) {
	absolute, err := filepath.Abs(filepath.Join(r.Directory(), "state", "boot"))
	if err != nil {
		return "", fmt.Errorf("the directory of machines: %w", err)
	}
	return absolute, nil
}
