package machine

import "time"

// Status is what a machine does now.
type Status struct {
	// Running tells that the machine's first process (PID 1 of an isolated
	// machine, the supervisor in plain mode) is alive.
	Running bool `json:"running"`
	// Guarded tells that the guard, which restarts a machine that dies, is
	// alive.
	Guarded bool `json:"guarded"`
	// InitPID is the machine's first process as the host sees it; 0 when the
	// machine does not run.
	InitPID int `json:"initPID,omitempty"`
	// Boot identifies this start of the machine; it changes with each restart
	// of the whole machine.
	Boot string `json:"boot,omitempty"`
	// Revision is that of the Spec in effect.
	Revision string `json:"revision,omitempty"`
	// Since is when the machine started.
	Since time.Time `json:"since,omitzero"`
	// Failure is why the machine could not start, when it could not.
	Failure string `json:"failure,omitempty"`
	// Services are in the order of the Spec.
	Services []ServiceStatus `json:"services,omitempty"`
}

// ServiceStatus is what one service does now.
type ServiceStatus struct {
	Name string `json:"name"`
	// PID is the process as the machine sees it (the host's number in plain
	// mode); 0 while there is none.
	PID int `json:"pid,omitempty"`
	// State is one of "waiting" (for a service of After), "starting" (not yet
	// ready), "ready", "restarting" (it ended, and starts again soon) and
	// "stopped".
	State string `json:"state"`
	Ready bool   `json:"ready"`
	// Detail says what the service waits for or why it is not ready.
	Detail string `json:"detail,omitempty"`
	// Restarts counts starts after the first, since the machine started.
	Restarts int `json:"restarts"`
	// Since is when the present process started.
	Since time.Time `json:"since,omitzero"`
	// LastExit says how the previous process ended.
	LastExit string `json:"lastExit,omitempty"`
}

// Ready tells whether the machine runs and each of its services is ready.
func (s Status) Ready() bool {
	for _, service := range s.Services {
		if !service.Ready {
			return false
		}
	}
	return s.Running
}
