package systemd

import (
	"time"
)

// Service types, as systemd.service(5) defines them.
const (
	// TypeOneshot is a service that does one thing and ends.
	TypeOneshot = "oneshot"
	// TypeExec is a daemon; the start fails if the program cannot be executed,
	// which "simple" does not notice.
	TypeExec = "exec"
	// TypeNotify is a daemon that says when it is ready.
	TypeNotify = "notify"
)

// Command is one program with its arguments. The program is an absolute path.
// Every argument reaches the program as it is written: specifiers, variables
// and quotes are escaped.
type Command []string

// Condition is one test that must hold when the unit starts; otherwise systemd
// skips it without a failure.
type Condition struct {
	// Kind is the name after "Condition", for example "PathExists".
	Kind string
	// Value is the test, negated with a leading "!".
	Value string
}

// Service is one service unit.
type Service struct {
	// Name is the unit's file name, with ".service". Required.
	Name string
	// Description is one line. Required.
	Description string
	// Documentation holds http, https, file or man URLs.
	Documentation []string
	// After and Before order; Wants, Requires and BindsTo pull in; Conflicts stops.
	After, Before, Wants, Requires, BindsTo, Conflicts []string
	// RequiresMountsFor are absolute paths whose mounts the unit needs.
	RequiresMountsFor []string
	// Conditions are all required.
	Conditions []Condition
	// Early leaves out the default dependencies on sysinit.target and
	// basic.target, for what must run before them. It still stops at shutdown.
	Early bool

	// Type is TypeExec by default.
	Type string
	// RemainAfterExit keeps a oneshot active once it is done.
	RemainAfterExit bool
	// StartPre, Start, StartPost, Reload and Stop are run in order. A service that
	// is not a oneshot has exactly one Start.
	StartPre, Start, StartPost, Reload, Stop []Command
	// Environment holds literal values.
	Environment map[string]string
	// EnvironmentFile is an absolute path that must exist when the unit starts.
	// Its variables may stand in arguments of Start as Variable(name).
	EnvironmentFile string
	// Restart is "no" by default; with anything else RestartDelay is required.
	Restart      string
	RestartDelay time.Duration
	// StartTimeout and StopTimeout are systemd's own default when they are zero.
	StartTimeout, StopTimeout time.Duration
	// KillMode is systemd's default, the whole cgroup, when it is empty.
	KillMode string
	// Delegate hands the subtree of cgroups to the service.
	Delegate bool
	// OOMScoreAdjust lies between -1000 and 1000.
	OOMScoreAdjust int
	Sandbox        Sandbox

	// WantedBy and RequiredBy say what starts the unit once it is enabled.
	WantedBy, RequiredBy []string
}

// Variable is an argument that systemd replaces by a variable of the service's
// environment, as one word. Only the whole argument or its end can be one:
// "--node-ip=" + Variable("ADDRESS").
func Variable(name string) string { return variableMark + name + variableMark }

// variableMark cannot occur in a valid argument: a NUL ends a string in exec.
const variableMark = "\x00"
