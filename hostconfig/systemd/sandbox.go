package systemd

import (
	"strings"
)

// Sandbox says what a service may do. The zero value allows the least: no
// capability, no network, no device, a read-only file system, no other user's
// processes, no kernel interface.
type Sandbox struct {
	// Open leaves out every directive that gives the service a mount namespace
	// or takes kernel interfaces away. It is for the kubelet and for what runs
	// kubeadm: their mounts must be seen by the host, and they start programs
	// that need all that root has. The other fields then mean nothing; what holds
	// even so is native system calls only, a locked personality, no real-time
	// scheduling.
	Open bool
	// Capabilities are the only ones that the service can ever have.
	Capabilities []string
	// Network allows address families besides none, for example AF_INET, and
	// the host's network, which AF_ALG alone, the kernel's ciphers, does not need.
	// Families without IP keep IP traffic denied.
	Network []string
	// Writable are absolute paths that stay writable; "-" before one lets it be absent.
	Writable []string
	// Devices are the device nodes or groups that may be used, with "rw" or "r"
	// after a blank: "/dev/tpmrm0 rw", "block-* rw".
	Devices []string
	// KernelTunables leaves /proc/sys and /sys writable.
	KernelTunables bool
	// Hostname lets the name of the machine be changed, and be seen as it changes;
	// KernelTunables too, which make it writable.
	Hostname bool
	// KernelModules lets modules be loaded.
	KernelModules bool
	// Processes shows the other processes.
	Processes bool
	// SystemCalls are groups allowed beyond @system-service without @privileged
	// and @resources, for example "@mount".
	SystemCalls []string
	// HostUser keeps the host's users; root in a user namespace of its own has
	// no power over the host. Needed for any capability to mean something.
	HostUser bool
}

// directives gives the lines of the sandbox.
func (s Sandbox) directives() []directive {
	always := []directive{
		{"LockPersonality", "yes"},
		{"RestrictRealtime", "yes"},
		{"SystemCallArchitectures", "native"},
	}
	if s.Open {
		return always
	}
	lines := append([]directive{
		{"NoNewPrivileges", "yes"},
		{"CapabilityBoundingSet", strings.Join(s.Capabilities, " ")},
		{"AmbientCapabilities", ""},
		{"ProtectSystem", "strict"},
		{"ProtectHome", "yes"},
		{"PrivateTmp", "yes"},
		{"ProtectClock", yes(!s.clock())},
		{"ProtectHostname", yes(!s.Hostname)},
		{"ProtectControlGroups", "yes"},
		{"ProtectKernelLogs", "yes"},
		{"ProtectKernelModules", yes(!s.KernelModules)},
		{"ProtectKernelTunables", yes(!s.KernelTunables)},
		{"RestrictNamespaces", "yes"},
		{"RestrictSUIDSGID", "yes"},
		{"MemoryDenyWriteExecute", "yes"},
		{"RemoveIPC", "yes"},
		{"KeyringMode", "private"},
		{"UMask", "0077"},
		{"PrivateUsers", yes(!s.HostUser)},
		{"SystemCallErrorNumber", "EPERM"},
	}, always...)
	if s.Processes {
		lines = append(lines, directive{"ProtectProc", "default"})
	} else {
		lines = append(lines, directive{"ProtectProc", "invisible"}, directive{"ProcSubset", procSubset(s)})
	}
	lines = append(lines, s.devices()...)
	lines = append(lines, s.network()...)
	lines = append(lines, s.systemCalls()...)
	if len(s.Writable) > 0 {
		lines = append(lines, directive{"ReadWritePaths", strings.Join(s.Writable, " ")})
	}
	return lines
}

// clock tells whether the service may set the clock.
func (s Sandbox) clock() bool {
	for _, each := range s.Capabilities {
		if each == "CAP_SYS_TIME" {
			return true
		}
	}
	return false
}

// procSubset: without tunables nothing but processes is needed of /proc.
func procSubset(s Sandbox) string {
	if s.KernelTunables || s.KernelModules || len(s.Devices) > 0 || len(s.Network) > 0 {
		return "all"
	}
	return "pid"
}

func (s Sandbox) devices() []directive {
	if len(s.Devices) == 0 {
		return []directive{{"PrivateDevices", "yes"}, {"DevicePolicy", "closed"}}
	}
	lines := []directive{{"PrivateDevices", "no"}, {"DevicePolicy", "closed"}}
	for _, each := range s.Devices {
		lines = append(lines, directive{"DeviceAllow", each})
	}
	return lines
}

func (s Sandbox) network() []directive {
	ip, host, families := false, false, "none"
	for _, family := range s.Network {
		ip = ip || family == "AF_INET" || family == "AF_INET6"
		host = host || family != "AF_ALG"
	}
	if len(s.Network) > 0 {
		families = strings.Join(s.Network, " ")
	}
	lines := []directive{{"PrivateNetwork", yes(!host)}, {"RestrictAddressFamilies", families}}
	if !ip {
		lines = append(lines, directive{"IPAddressDeny", "any"})
	}
	return lines
}

// systemCalls: an allow list first, then what is taken from it again. A later
// line of the other kind removes from what the first one allowed.
func (s Sandbox) systemCalls() []directive {
	lines := []directive{{"SystemCallFilter", strings.Join(append([]string{"@system-service"}, s.SystemCalls...), " ")}}
	var removed []string
	for _, group := range []string{"@privileged", "@resources"} {
		if !contains(s.SystemCalls, group) {
			removed = append(removed, group)
		}
	}
	if len(removed) > 0 {
		lines = append(lines, directive{"SystemCallFilter", "~" + strings.Join(removed, " ")})
	}
	return lines
}

func contains(values []string, value string) bool {
	for _, each := range values {
		if each == value {
			return true
		}
	}
	return false
}

func yes(value bool) string {
	if value {
		return "yes"
	}
	return "no"
}
