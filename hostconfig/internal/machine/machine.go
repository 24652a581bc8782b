// Package machine has what a package of hostconfig adds to a machine that another
// one renders. It is internal, so that nobody else can: these parts meet none of
// the locks that a user's additions do.
package machine

import (
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// Fetched is a file that Ignition fetches, with the machine's own role where it
// lies in an object store. Root owns it.
type Fetched struct {
	// Path is absolute; Mode holds the permission bits. Required.
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	// Source is an https, s3 or gs URL without a query. Required.
	Source string `json:"source"`
	// Hash is "sha512-" or "sha256-" and hexadecimal digits. Required: Ignition
	// refuses a file that has another one.
	Hash string `json:"hash"`
}

// Parts are added to a machine.
type Parts struct {
	Files    []hostconfig.File
	Fetched  []Fetched
	Services []systemd.Service
	Timers   []systemd.Timer
	Mounts   []systemd.Mount
	// Masked are units that nothing can start.
	Masked []string
	// JoinedMark, if not empty, is the file that says that kubeadm has done its work
	// on this machine. The parts then have the units and the files of kubeadm, which
	// the machine has none of by itself, but for the renewal of certificates.
	JoinedMark string
	// KubeletWants are units that the kubelet starts after, and KubeletMounts
	// directories without whose mounts it does not start.
	KubeletWants, KubeletMounts []string
	// KubeletBefore are commands that the kubelet's unit runs before each start.
	KubeletBefore []systemd.Command
	// JoinNeeds are units that a joining machine's kubeadm needs before each attempt.
	JoinNeeds []string
}
