package hostconfig

import (
	"fmt"
	"maps"
	"path"
	"slices"
)

// Runtime classes that sandbox a pod (M28). The name is that of the RuntimeClass
// object and of its handler alike.
const (
	// RuntimeClassGVisor runs a pod on a kernel of its own in user space. The
	// machine's image must have runsc and containerd-shim-runsc-v1.
	RuntimeClassGVisor = "gvisor"
	// RuntimeClassKata runs a pod in a virtual machine of its own. The machine's
	// image must have containerd-shim-kata-v2, and the machine /dev/kvm.
	RuntimeClassKata = "kata"
)

// handlerRunc is the handler of pods that name no runtime class.
const handlerRunc = "runc"

// DefaultKataConfig is where Kata's own releases keep its configuration.
const DefaultKataConfig = "/opt/kata/share/defaults/kata-containers/configuration.toml"

// gVisorPlatforms are the ways in which gVisor intercepts system calls. KVM
// needs virtualization of the machine; ptrace is deprecated.
// https://gvisor.dev/docs/user_guide/platforms/
var gVisorPlatforms = []string{"systrap", "kvm"}

// RuntimeClasses gives the names that a node can be given, sorted.
func RuntimeClasses() []string { return []string{RuntimeClassGVisor, RuntimeClassKata} }

// handler is one entry of containerd's table of runtimes.
type handler struct {
	name, runtimeType string
	options           []tomlLine
}

// handlers gives runc and those of the runtime classes.
func (w Worker) handlers() []handler {
	known := map[string]handler{
		// containerd finds the shim containerd-shim-runsc-v1 by this name.
		RuntimeClassGVisor: {RuntimeClassGVisor, "io.containerd.runsc.v1", []tomlLine{
			{"TypeUrl", "io.containerd.runsc.v1.options", ""}, {"ConfigPath", w.Paths.Runsc(), ""},
		}},
		RuntimeClassKata: {RuntimeClassKata, "io.containerd.kata.v2", []tomlLine{{"ConfigPath", w.KataConfig, ""}}},
	}
	handlers := []handler{{handlerRunc, "io.containerd.runc.v2", []tomlLine{{"SystemdCgroup", w.CgroupDriver == "systemd", ""}}}}
	for _, name := range RuntimeClasses() {
		if slices.Contains(w.RuntimeClasses, name) {
			handlers = append(handlers, known[name])
		}
	}
	return handlers
}

func (p *problems) runtimeClasses(w Worker) {
	for i, name := range w.RuntimeClasses {
		at := fmt.Sprintf("runtimeClasses[%d]", i)
		if !slices.Contains(RuntimeClasses(), name) {
			p.add(at, quote(name)+" is not a sandboxed runtime", "write "+RuntimeClassGVisor+" or "+RuntimeClassKata)
		} else if slices.Contains(w.RuntimeClasses[:i], name) {
			p.add(at, quote(name)+" is listed twice", "list it once")
		}
	}
	if !slices.Contains(gVisorPlatforms, w.GVisorPlatform) {
		p.add("gVisorPlatform", quote(w.GVisorPlatform)+" is not a platform of gVisor", "write systrap or kvm")
	}
	if !filePattern.MatchString(w.KataConfig) || path.Clean(w.KataConfig) != w.KataConfig {
		p.add("kataConfig", quote(w.KataConfig)+" is not a clean absolute path", "write the path of Kata's configuration.toml in the machine's image")
	}
}

// runscFlags are what gVisor's shim gives runsc, each as --flag=value. They hold
// the sandbox closed; that they are the defaults of one release says nothing of
// the next. Their names are those of runsc/config/flags.go.
// https://gvisor.dev/docs/architecture_guide/security/
func (w Worker) runscFlags() map[string]string {
	return map[string]string{
		"platform":                  w.GVisorPlatform,
		"network":                   "sandbox", // the pod's packets pass gVisor's own network stack, not the host's
		"net-raw":                   "false",
		"allow-packet-socket-write": "false",
		"host-uds":                  "none", // no Unix socket of the host can be reached
		"host-fifo":                 "none",
		"file-access":               "exclusive",
		"oci-seccomp":               "true",  // the pod's seccomp profile holds inside the sandbox as well
		"allow-flag-override":       "false", // or a pod's annotations change all of this
		"rootless":                  "false",
		"ignore-cgroups":            "false",
		"profile":                   "false",
		"debug":                     "false", // logs of system calls hold what the pod reads
		"strace":                    "false",
		"systemd-cgroup":            fmt.Sprint(w.CgroupDriver == "systemd"),
	}
}

// runscFile renders the configuration of gVisor's shim.
// https://gvisor.dev/docs/user_guide/containerd/configuration/
func (w Worker) runscFile() File {
	flags := w.runscFlags()
	table := tomlTable{path: []string{"runsc_config"}}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		table.lines = append(table.lines, tomlLine{name, flags[name], ""})
	}
	return File{Path: w.Paths.Runsc(), Mode: modePrivate, Owner: ownerRoot, Contents: renderTOML([]tomlTable{table})}
}
