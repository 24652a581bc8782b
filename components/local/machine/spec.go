package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Spec is everything that a machine is: where its state lives, what it sees
// of the host, and the services that run in it. It is stored, as JSON, in
// <Dir>/machine.json; it holds no secret.
type Spec struct {
	// Environment is the name of the environment, for example "local": lower
	// case letters, digits and dashes, at most 32 characters.
	Environment string `json:"environment"`
	// Name is the machine's name, host name and, by convention, node name.
	Name string `json:"name"`
	// Isolated gives the machine PID, mount, UTS, IPC and network namespaces
	// of its own. It needs Linux and root. Without it ("plain mode") the
	// services are ordinary processes of the user who starts them.
	Isolated bool `json:"isolated"`
	// NetworkNamespace is the name, in /run/netns, of the machine's network
	// namespace. It must exist before Start. Isolated machines only.
	NetworkNamespace string `json:"networkNamespace,omitempty"`
	// Dir is the absolute path of the machine's state. <Dir>/etc and <Dir>/var
	// become /etc and /var of an isolated machine.
	Dir string `json:"dir"`
	// LogDir is the absolute path of the host directory that takes
	// <service>.log and becomes /var/log of an isolated machine.
	LogDir string `json:"logDir"`
	// Binds are the further parts of the host that the machine sees. Isolated
	// machines only.
	Binds []Bind `json:"binds,omitempty"`
	// Users exist in the machine besides root and nobody. Each has a group of
	// the same name and number. Isolated machines only.
	Users []User `json:"users,omitempty"`
	// Hosts are the names in the machine's /etc/hosts besides localhost and
	// its own: name to address. Isolated machines only.
	Hosts map[string]string `json:"hosts,omitempty"`
	// KernelSettings are settings of the host's kernel (sysctl names, not
	// net.*: those belong to a network namespace) that hold while the machine
	// exists: see ClaimKernelSettings. A value ">=N" asks for at least N.
	KernelSettings map[string]string `json:"kernelSettings,omitempty"`
	// CgroupRoot is the machine's cgroup in every hierarchy, for example
	// "/redoubt/local/worker-1". The machine's own processes run in
	// <CgroupRoot>/system, because version 2 of cgroups wants processes in
	// leaves only; the kubelet makes its pods' groups beside it. Isolated
	// machines only.
	CgroupRoot string `json:"cgroupRoot,omitempty"`
	// Ports are the "host:port" that the services will listen on: Preflight
	// reports the ones that another program holds. Plain mode only, for an
	// isolated machine has all ports for itself.
	Ports []string `json:"ports,omitempty"`
	// Services run in the machine.
	Services []Service `json:"services"`
}

// Bind is one directory or file of the host made visible in the machine.
type Bind struct {
	// Source is an absolute path of the host. It must exist.
	Source string `json:"source"`
	// Target is an absolute path in the machine. Missing directories on the
	// way are made in the machine's own /etc, /var or root, never in the
	// host's /usr.
	Target string `json:"target"`
	// ReadOnly refuses writes. A machine's /etc is read-only, so a directory
	// there that a service must write is a Bind without it.
	ReadOnly bool `json:"readOnly,omitempty"`
}

// User is a user of the machine, with a group of the same name and number.
type User struct {
	Name string `json:"name"`
	ID   int    `json:"id"`
}

// Service is one long-running program of a machine.
type Service struct {
	// Name is unique in the machine and names the log file.
	Name string `json:"name"`
	// Command is the program, an absolute path as the machine sees it, and its
	// arguments.
	Command []string `json:"command"`
	// Environment adds "NAME=value" to PATH and HOME, the only variables that
	// a service gets.
	Environment []string `json:"environment,omitempty"`
	// User runs the program as that user of the machine. Isolated machines
	// only; "" is the user who runs the machine.
	User string `json:"user,omitempty"`
	// DropCapabilities empties the capability sets, the bounding set included,
	// and sets no_new_privs. Isolated machines only.
	DropCapabilities bool `json:"dropCapabilities,omitempty"`
	// KeepCapabilities are what DropCapabilities leaves to root, by the names of
	// capabilities(7) in lower case without cap_, such as net_admin.
	KeepCapabilities []string `json:"keepCapabilities,omitempty"`
	// After names the services that must be ready before this one starts.
	After []string `json:"after,omitempty"`
	// Ready tells when the service is ready. Without it, a service is ready
	// when it has lived for half a second.
	Ready *Probe `json:"ready,omitempty"`
	// Hash stands for what the command line does not show, such as the
	// contents of configuration files: a change of it restarts the service.
	Hash string `json:"hash,omitempty"`
	// StopSignal is "SIGTERM" (the default), "SIGINT" or "SIGQUIT".
	StopSignal string `json:"stopSignal,omitempty"`
	// Grace is how long the service may take to end after StopSignal before it
	// is killed; 5 s when zero.
	Grace Duration `json:"grace,omitempty"`
}

// Probe is one test of readiness; exactly one of TCP, HTTPS and File is set.
type Probe struct {
	// TCP is a "host:port" that must accept connections.
	TCP string `json:"tcp,omitempty"`
	// HTTPS is a URL, https or http, that must answer 200.
	HTTPS string `json:"https,omitempty"`
	// CAFile verifies the server of HTTPS; CertFile and KeyFile, when set, are
	// the client's certificate. They are paths as the machine sees them and
	// are read at each attempt, so that renewed certificates count.
	CAFile   string `json:"caFile,omitempty"`
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
	// File is a path, as the machine sees it, that must exist.
	File string `json:"file,omitempty"`
	// Timeout is how long the service may take to become ready. When it has
	// passed the service is restarted; zero never does that.
	Timeout Duration `json:"timeout,omitempty"`
}

// Duration is a time.Duration whose JSON form is a string such as "5s".
type Duration time.Duration

// MarshalJSON writes the string form, for example "1m30s".
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// UnmarshalJSON reads the string form.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	value, err := time.ParseDuration(text)
	*d = Duration(value)
	return err
}

// Revision identifies the contents of a Spec: two Specs with the same Revision
// are the same machine running the same services.
func (s Spec) Revision() string { return digest(s) }

// shape identifies the part of a Spec that is fixed when the machine boots: a
// change of it restarts the machine, not only services.
func (s Spec) shape() string {
	s.Users, s.Hosts, s.KernelSettings, s.Ports, s.Services = nil, nil, nil, nil, nil
	return digest(s)
}

// digest is the first 16 hexadecimal digits of the SHA-256 of a value's JSON.
// encoding/json sorts map keys, so equal values give equal digests.
func digest(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		// Only strings, numbers, booleans and lists of them reach here.
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
