package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ownerDir holds a file for each environment that has a network on this host.
// Namespaces have names for the whole host: without it, two checkouts with an
// environment of one name would share, and tear down, one network.
var ownerDir = "/run/redoubt"

func (t Topology) ownerFile() string { return filepath.Join(ownerDir, "network-"+t.Environment) }

// owner is the directory that the environment's network on this host belongs
// to, or "" when it belongs to nobody, or to a directory that is gone.
func (t Topology) owner() (string, error) {
	data, err := os.ReadFile(t.ownerFile())
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(string(data)); err != nil {
		return "", nil
	}
	return string(data), nil
}

// mayClaim says whose the network is when it is somebody else's.
func (t Topology) mayClaim() error {
	foreign, owner, err := t.foreign()
	if foreign {
		return fmt.Errorf("environment %s is already up on this host, from %s: take that one down, or choose another name for this one", t.Environment, owner)
	}
	return err
}

// claim makes the network the owner's.
func (t Topology) claim() error {
	if t.Owner == "" {
		return nil
	}
	for {
		if err := os.MkdirAll(ownerDir, 0o755); err != nil {
			return err
		}
		// Whoever gave up the last claim may have removed the directory meanwhile.
		if err := os.WriteFile(t.ownerFile(), []byte(t.Owner), 0o644); !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
}

// release ends the claim. The directory goes with the last one.
func (t Topology) release() error {
	if err := os.Remove(t.ownerFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_ = os.Remove(ownerDir)
	return nil
}

// foreign tells that the network on this host is somebody else's, and whose.
func (t Topology) foreign() (bool, string, error) {
	owner, err := t.owner()
	return t.Owner != "" && owner != "" && owner != t.Owner, owner, err
}
