//go:build !linux

package netns

import (
	"context"
	"errors"
)

// errLinux is the answer to everything here but DialContext on the host.
var errLinux = errors.New("network namespaces need Linux: on this system run the control plane alone (redoubt:workers: 0)")

// Ensure needs Linux.
func Ensure(context.Context, Topology) error { return errLinux }

// Check needs Linux.
func Check(context.Context, Topology) ([]string, error) { return nil, errLinux }

// Remove needs Linux.
func Remove(context.Context, Topology) error { return errLinux }

// RemoveMachine needs Linux.
func RemoveMachine(context.Context, string, string) error { return errLinux }

// ApplyFirewall needs Linux.
func ApplyFirewall(context.Context, string, string) error { return errLinux }

// FirewallFingerprint needs Linux.
func FirewallFingerprint(context.Context, string) (string, error) { return "", errLinux }
