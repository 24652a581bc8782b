package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/redoubt-dev/redoubt/components/local/machine"
)

// Machine declares a machine: an instance that never changes in place except
// through this declaration. On Linux with root it has its own process, mount,
// hostname and network namespaces and a read-only root; otherwise (plain mode)
// its services are ordinary processes under its directory.
type Machine struct {
	Environment string `pulumi:"environment"`
	Name        string `pulumi:"name"`
	// Directory holds the machine's own /etc and /var.
	Directory string `pulumi:"directory"`
	// LogDirectory is /var/log inside the machine.
	LogDirectory string `pulumi:"logDirectory"`
	// Runtime is the path of the redoubt-machine program.
	Runtime          string            `pulumi:"runtime"`
	Isolated         bool              `pulumi:"isolated"`
	NetworkNamespace *string           `pulumi:"networkNamespace,optional"`
	CgroupRoot       *string           `pulumi:"cgroupRoot,optional"`
	Binds            []Bind            `pulumi:"binds,optional"`
	Users            map[string]int    `pulumi:"users,optional"`
	Hosts            map[string]string `pulumi:"hosts,optional"`
	KernelSettings   map[string]string `pulumi:"kernelSettings,optional"`
	// Ports are the host:port listeners of a plain machine, checked for
	// strangers before the first start.
	Ports       []string    `pulumi:"ports,optional"`
	Directories []Directory `pulumi:"directories,optional"`
	Files       []File      `pulumi:"files,optional"`
	Services    []Service   `pulumi:"services,optional"`
}

// Directory is a directory that must exist with this mode and owner before the
// machine starts.
type Directory struct {
	Path  string `pulumi:"path"`
	Mode  int    `pulumi:"mode"`
	Owner string `pulumi:"owner"`
}

// Bind makes a host path visible inside the machine.
type Bind struct {
	Source   string `pulumi:"source"`
	Target   string `pulumi:"target"`
	ReadOnly bool   `pulumi:"readOnly"`
}

// File is a file of the machine, by its path inside the machine.
type File struct {
	Path     string `pulumi:"path"`
	Mode     int    `pulumi:"mode"`
	Owner    string `pulumi:"owner"`
	Contents string `pulumi:"contents" provider:"secret"`
}

// Service is a process that the machine keeps running.
type Service struct {
	Name             string   `pulumi:"name"`
	Command          []string `pulumi:"command"`
	User             *string  `pulumi:"user,optional"`
	DropCapabilities bool     `pulumi:"dropCapabilities"`
	KeepCapabilities []string `pulumi:"keepCapabilities,optional"`
	After            []string `pulumi:"after,optional"`
	// ReadsFiles are the machine's files whose change restarts the service.
	ReadsFiles []string `pulumi:"readsFiles,optional"`
	Ready      *Probe   `pulumi:"ready,optional"`
}

// Probe tells when a service is ready; one of its addresses is set.
type Probe struct {
	TCP            *string `pulumi:"tcp,optional"`
	HTTPS          *string `pulumi:"https,optional"`
	CAFile         *string `pulumi:"caFile,optional"`
	CertFile       *string `pulumi:"certFile,optional"`
	KeyFile        *string `pulumi:"keyFile,optional"`
	File           *string `pulumi:"file,optional"`
	TimeoutSeconds int     `pulumi:"timeoutSeconds"`
}

// spec is the declaration as the machine runtime takes it. Extra files (such
// as the encryption configuration, whose contents change while keys rotate)
// count for the restart decision like the declared ones.
func (m Machine) spec(extra ...File) machine.Spec {
	s := machine.Spec{
		Environment: m.Environment, Name: m.Name, Isolated: m.Isolated,
		NetworkNamespace: deref(m.NetworkNamespace), CgroupRoot: deref(m.CgroupRoot),
		Dir: m.Directory, LogDir: m.LogDirectory,
		Hosts: m.Hosts, KernelSettings: m.KernelSettings, Ports: m.Ports,
	}
	for _, b := range m.Binds {
		s.Binds = append(s.Binds, machine.Bind{Source: b.Source, Target: b.Target, ReadOnly: b.ReadOnly})
	}
	for name, id := range m.Users {
		s.Users = append(s.Users, machine.User{Name: name, ID: id})
	}
	sort.Slice(s.Users, func(i, j int) bool { return s.Users[i].ID < s.Users[j].ID })
	files := append(append([]File{}, m.Files...), extra...)
	for _, declared := range m.Services {
		s.Services = append(s.Services, declared.service(files))
	}
	return s
}

func (s Service) service(files []File) machine.Service {
	service := machine.Service{
		Name: s.Name, Command: s.Command, User: deref(s.User),
		DropCapabilities: s.DropCapabilities, KeepCapabilities: s.KeepCapabilities, After: s.After, Hash: fileHash(s.ReadsFiles, files),
	}
	if s.Ready != nil {
		service.Ready = &machine.Probe{
			TCP: deref(s.Ready.TCP), HTTPS: deref(s.Ready.HTTPS), File: deref(s.Ready.File),
			CAFile: deref(s.Ready.CAFile), CertFile: deref(s.Ready.CertFile), KeyFile: deref(s.Ready.KeyFile),
			Timeout: machine.Duration(time.Duration(s.Ready.TimeoutSeconds) * time.Second),
		}
	}
	return service
}

// fileHash identifies the contents of the named files.
func fileHash(paths []string, files []File) string {
	sum := sha256.New()
	for _, path := range paths {
		for _, f := range files {
			if f.Path == path {
				fmt.Fprintf(sum, "%s\x00%d\x00%s\x00", path, len(f.Contents), f.Contents)
			}
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// drift says how the machine on the host differs from its declaration.
func (m Machine) drift(files []File) []string {
	drift := append(m.directoryDrift(), m.fileDrift(files)...)
	status, err := machine.Inspect(m.Directory)
	switch {
	case err != nil || !status.Running:
		drift = append(drift, fmt.Sprintf("%s: the machine is not running", m.Name))
	case m.Isolated && !sameNamespace(deref(m.NetworkNamespace), status.InitPID):
		drift = append(drift, fmt.Sprintf("%s: the machine is not in network namespace %s", m.Name, deref(m.NetworkNamespace)))
	}
	return drift
}

// converge makes the machine run as declared: started if it is not running,
// restarted if its network was made anew, otherwise told what changed. A change
// that Apply cannot make in place (a mount, a user) restarts the machine.
func (m Machine) converge(ctx context.Context, extra ...File) error {
	spec := m.spec(extra...)
	status, err := machine.Inspect(m.Directory)
	running := err == nil && status.Running
	if running && m.Isolated && !sameNamespace(spec.NetworkNamespace, status.InitPID) {
		if err := machine.Stop(ctx, m.Directory); err != nil {
			return err
		}
		running = false
	}
	if running {
		return machine.Apply(ctx, spec)
	}
	if err := machine.Preflight(spec); err != nil {
		if !m.Isolated {
			err = fmt.Errorf("%w\n(two environments without isolation need different redoubt:portOffset)", err)
		}
		return err
	}
	return machine.Start(ctx, m.Runtime, spec)
}

// sameNamespace reports whether process pid is in the named network namespace.
func sameNamespace(name string, pid int) bool {
	named, err := os.Stat(filepath.Join("/run/netns", name))
	if err != nil {
		return false
	}
	own, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	return err == nil && os.SameFile(named, own)
}

// remove stops the machine and deletes what it wrote.
func (m Machine) remove(ctx context.Context) error {
	if err := machine.Stop(ctx, m.Directory); err != nil {
		return err
	}
	if err := os.RemoveAll(m.Directory); err != nil {
		return fmt.Errorf("machine %s: %w", m.Name, err)
	}
	if err := os.RemoveAll(m.LogDirectory); err != nil {
		return fmt.Errorf("machine %s: %w", m.Name, err)
	}
	m.removeEmptyParents()
	return nil
}

// removeEmptyParents removes the directories of all machines and of all logs,
// when this was the last of them: an error means that it was not.
func (m Machine) removeEmptyParents() {
	_ = os.Remove(filepath.Dir(m.Directory))
	_ = os.Remove(m.LogDirectory)
	_ = os.Remove(filepath.Dir(m.LogDirectory))
	_ = os.Remove(filepath.Dir(filepath.Dir(m.Directory)))
}
