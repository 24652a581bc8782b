//go:build !linux

package booted

import "github.com/redoubt-dev/redoubt/test/rehearse/cloud"

// Place gives a rehearsal its cluster: the local one, because machines are namespaces of Linux.
func Place(r cloud.Rehearsal, _ Provider) (cloud.Rehearsal, error) {
	var err error
	r.LeftOut = "the machines are not booted, and no proof on them runs: that needs root on Linux. The baseline goes into the local cluster"
	r.Cluster, err = r.ThisMachine("")
	return r, err
}
