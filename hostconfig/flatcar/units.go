package flatcar

import (
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// Programs of Flatcar and of the Kubernetes system extension. Flatcar has one
// /usr, read-only and verified; every program of ours lies there.
const (
	containerdProgram = "/usr/bin/containerd"
	kubeletProgram    = "/usr/bin/kubelet"
	kubeadmProgram    = "/usr/bin/kubeadm"
	nftProgram        = "/usr/sbin/nft"
)

// Names of units that this package writes or completes.
const (
	unitFirewall    = "redoubt-nftables.service"
	unitKubelet     = "kubelet.service"
	unitContainerd  = "containerd.service"
	unitKubeadmInit = "kubeadm-init.service"
	unitKubeadmJoin = "kubeadm-join.service"
	unitEnrol       = "redoubt-tpm-enrol.service"
	unitMetadata    = "coreos-metadata.service"
)

// metadataPath is written by Flatcar's agent for the metadata service:
// https://www.flatcar.org/docs/latest/provisioning/ignition/dynamic-data/
const metadataPath = "/run/metadata/flatcar"

// metadata names the variable with the machine's own address.
var metadata = map[hostconfig.Platform]string{
	hostconfig.PlatformAWS: "COREOS_EC2_IPV4_LOCAL",
	hostconfig.PlatformGCP: "COREOS_GCE_IP_LOCAL_0",
}

// Services gives the units that this machine runs in full, in the order in
// which they start.
func (s Spec) Services() []systemd.Service {
	s = s.WithDefaults()
	services := []systemd.Service{firewallUnit()}
	if s.Node.DataDisk != nil {
		services = append(services, s.enrolUnit())
	}
	if s.controlPlane() {
		services = append(services, s.renewUnit())
	}
	services = append(services, s.kubeletUnit())
	if s.Parts.JoinedMark == "" {
		services = append(services, s.kubeadmUnit())
	}
	return append(services, s.Parts.Services...)
}

// Timers gives the timers of this machine.
func (s Spec) Timers() []systemd.Timer {
	s = s.WithDefaults()
	var timers []systemd.Timer
	if s.controlPlane() {
		timers = append(timers, s.renewTimer())
	}
	return append(timers, s.Parts.Timers...)
}

// firewallUnit replaces our table, and only ours, in one transaction before any
// interface is up. It never flushes: the other tables belong to the network
// agent and the service proxy.
func firewallUnit() systemd.Service {
	load := systemd.Command{nftProgram, "--file", nftablesPath}
	return systemd.Service{
		Name:          unitFirewall,
		Description:   "Host firewall of Redoubt",
		Documentation: []string{"https://wiki.nftables.org/"},
		After:         []string{"systemd-modules-load.service", "local-fs.target"},
		Before:        []string{"network-pre.target"},
		Wants:         []string{"network-pre.target"},
		Early:         true,
		Type:          systemd.TypeOneshot,
		// Stopping it leaves the rules: a firewall is not down between two starts.
		RemainAfterExit: true,
		Start:           []systemd.Command{load},
		Reload:          []systemd.Command{load},
		Sandbox: systemd.Sandbox{
			Capabilities: []string{"CAP_NET_ADMIN"}, HostUser: true,
			Network: []string{"AF_NETLINK"},
		},
		WantedBy: []string{"sysinit.target"},
	}
}

// kubeletUnit starts once kubeadm has written a kubeconfig, not before: a start
// that must fail would only fill the journal. It needs the firewall: no pod runs
// on a machine whose firewall did not load.
func (s Spec) kubeletUnit() systemd.Service {
	unit := systemd.Service{
		Name:          unitKubelet,
		Description:   "Kubernetes kubelet",
		Documentation: []string{"https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/"},
		Requires:      []string{unitContainerd, unitFirewall},
		Wants:         []string{"network-online.target"},
		After: []string{unitContainerd, unitFirewall, "network-online.target", "systemd-sysext.service",
			"systemd-sysctl.service", "time-sync.target"},
		Conditions: []systemd.Condition{
			{Kind: "PathExists", Value: "|/etc/kubernetes/kubelet.conf"},
			{Kind: "PathExists", Value: "|/etc/kubernetes/bootstrap-kubelet.conf"},
		},
		Type:         systemd.TypeNotify,
		Start:        []systemd.Command{s.kubeletCommand()},
		Restart:      "always",
		RestartDelay: 10 * time.Second, // the API server of a single control plane takes some seconds
		KillMode:     "process",        // containers outlive a restart of the kubelet
		// The kernel ends containers first; the value that the kubelet sets for itself.
		OOMScoreAdjust: -999,
		Sandbox:        systemd.Sandbox{Open: true},
		WantedBy:       []string{"multi-user.target"},
	}
	unit.Wants = append(unit.Wants, s.Parts.KubeletWants...)
	unit.After = append(unit.After, s.Parts.KubeletWants...)
	unit.RequiresMountsFor = s.Parts.KubeletMounts
	unit.StartPre = s.Parts.KubeletBefore
	if s.Node.LearnsAddress() {
		// Wanted and not required: the metadata server may be slow to answer at first, and
		// what fails with a unit that it requires is not tried again. What makes the
		// kubelet wait is the file, without which each start fails until it is there.
		unit.Wants = append(unit.Wants, unitMetadata)
		unit.After = append(unit.After, unitMetadata)
		unit.EnvironmentFile = metadataPath
	}
	return unit
}

// kubeletCommand takes the arguments of hostconfig and puts the files where
// kubeadm puts its own. The kubelet lets a flag win over its configuration.
func (s Spec) kubeletCommand() systemd.Command {
	replaced := map[string]string{
		"config":               kubeletConfigPath,
		"kubeconfig":           "/etc/kubernetes/kubelet.conf",
		"bootstrap-kubeconfig": "/etc/kubernetes/bootstrap-kubelet.conf",
	}
	if s.Node.LearnsAddress() {
		address := systemd.Variable(metadata[s.Node.Platform])
		replaced["node-ip"], replaced["address"] = address, address
	}
	command := systemd.Command{kubeletProgram}
	for _, argument := range s.Node.Worker().KubeletArgs() {
		name, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
		if value, found := replaced[name]; found {
			argument = "--" + name + "=" + value
			delete(replaced, name)
		}
		command = append(command, argument)
	}
	if address, found := replaced["address"]; found {
		command = append(command, "--address="+address)
	}
	slices.Sort(command[1:])
	return command
}

// containerdDropIn makes Flatcar's own unit read our configuration:
// https://www.flatcar.org/docs/latest/container-runtimes/customizing-containerd/
func (s Spec) containerdDropIn() string {
	command := append(systemd.Command{containerdProgram}, s.Node.Worker().ContainerdArgs()...)
	dropIn := "[Service]\nExecStart=\nExecStart=" + command.String() + "\n"
	if s.Node.DataDisk != nil {
		dropIn = "[Unit]\nRequiresMountsFor=" + s.Node.DataDisk.Path + "\n\n" + dropIn
	}
	return dropIn
}

// emptyDropIn takes the place of the drop-in of the same name in the Kubernetes
// system extension, which would give the kubelet other arguments.
const emptyDropIn = "# Takes the place of the file of this name in the system extension.\n[Unit]\n"
