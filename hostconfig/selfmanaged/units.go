package selfmanaged

import (
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

const documentation = "https://kubernetes.io/docs/reference/setup-tools/kubeadm/"

// cloudNetwork is what a program that asks the cloud and the cluster needs.
// AF_UNIX is the resolver's and the journal's.
var cloudNetwork = []string{"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}

// controlPlaneUnits adds the units of one control plane.
func (s Spec) controlPlaneUnits(spec *flatcar.Spec, plane ControlPlane) {
	p := &spec.Parts
	p.Services = append(p.Services, volumeUnit(), foldersUnit())
	// nofail: without it systemd puts a mount before local-fs.target (systemd.mount(5)),
	// and so before the services that these two need: a cycle, out of which systemd
	// throws jobs at will.
	p.Mounts = append(p.Mounts,
		systemd.Mount{Description: "Volume of etcd", What: plane.Device, Where: volumePath, Type: "ext4",
			Options: []string{"nodev", "nosuid", "noexec", "nofail"}, Requires: []string{unitVolume}, After: []string{unitVolume}},
		systemd.Mount{Description: "Data of etcd", What: volumePath + "/etcd", Where: etcdPath, Type: "none",
			Options: []string{"bind", "nofail"}, Requires: []string{unitFolders}, After: []string{unitFolders}})
	p.KubeletMounts = []string{etcdPath}
	// With a certificate that the kubelet could not renew while the machine was off
	// it would not start: this one holds the authority's key, and makes a new one.
	p.KubeletBefore = []systemd.Command{{nodeconfig.Program, "issue", "kubelet", "--server", ownURL(plane, s.Cluster.Ports.APIServer)}}
	if len(s.Encryption.Keys) > 0 {
		p.Services = append(p.Services, kmsUnit())
		p.KubeletWants = append(p.KubeletWants, unitKMS)
	}
	p.Services = append(p.Services, controlPlaneUnit(), approveUnit(), joinConfigUnit(), reencryptUnit(), snapshotUnit(), auditShipUnit())
	if len(s.ControlPlanes) > 1 {
		p.Services = append(p.Services, yieldUnit())
	}
	p.Files = append(p.Files, s.containersBetween())
	p.Timers = append(p.Timers, joinConfigTimer(), reencryptTimer(), s.snapshotTimer())
	if s.LoadBalancer.Passthrough != "" {
		p.Services = append(p.Services, apiAddressUnit())
	}
}

// volumeUnit waits for as long as it takes: a volume moves when the machine that
// had it is gone, and what needs the volume would not be tried again by itself.
func volumeUnit() systemd.Service {
	return systemd.Service{
		Name: unitVolume, Description: "Format the volume of etcd once",
		Documentation: []string{"man:mkfs.ext4(8)"},
		After:         []string{"systemd-udevd.service"},
		Type:          systemd.TypeOneshot, RemainAfterExit: true,
		Start:        []systemd.Command{{volumeScript}},
		StartTimeout: 365 * 24 * time.Hour,
		Sandbox: systemd.Sandbox{
			Capabilities: []string{"CAP_DAC_OVERRIDE"}, HostUser: true,
			Devices: []string{"block-* rw"},
		},
	}
}

func foldersUnit() systemd.Service {
	return systemd.Service{
		Name: unitFolders, Description: "Folders on the volume of etcd",
		Type: systemd.TypeOneshot, RemainAfterExit: true,
		RequiresMountsFor: []string{volumePath},
		Start:             []systemd.Command{{foldersScript}},
		Sandbox:           systemd.Sandbox{Writable: []string{volumePath}, Capabilities: []string{"CAP_DAC_OVERRIDE", "CAP_FOWNER"}, HostUser: true},
	}
}

// controlPlaneUnit runs until the machine is a control plane, and then never again
// in this machine's life.
func controlPlaneUnit() systemd.Service {
	return systemd.Service{
		Name: unitControlPlane, Description: "Create, join or take up again the control plane",
		Documentation: []string{documentation},
		Requires:      []string{unitContainerd, unitFirewall},
		Wants:         []string{"network-online.target"},
		After: []string{unitContainerd, unitFirewall, "network-online.target", "systemd-sysext.service",
			"systemd-sysctl.service", "time-sync.target"},
		RequiresMountsFor: []string{etcdPath, volumePath},
		Conditions:        []systemd.Condition{{Kind: "PathExists", Value: "!" + controlPlaneMark}},
		Type:              systemd.TypeOneshot, RemainAfterExit: true,
		Start:        []systemd.Command{{controlPlaneScript}},
		Restart:      "on-failure",
		RestartDelay: 15 * time.Second, // another control plane may still be starting
		StartTimeout: 30 * time.Minute, // images are pulled in between
		Sandbox:      systemd.Sandbox{Open: true},
		WantedBy:     []string{"multi-user.target"},
	}
}

// program is a unit that runs redoubt-node on a machine that is a control plane.
func program(name, description string, arguments ...string) systemd.Service {
	return systemd.Service{
		Name: name, Description: description,
		Wants:   []string{"network-online.target"},
		After:   []string{"network-online.target", "time-sync.target", unitKubelet},
		Start:   []systemd.Command{append(systemd.Command{nodeconfig.Program}, arguments...)},
		Sandbox: systemd.Sandbox{Network: cloudNetwork},
	}
}

// joined lets a unit start only on a machine that is a control plane.
func joined() []systemd.Condition {
	return []systemd.Condition{{Kind: "PathExists", Value: controlPlaneMark}}
}

// kmsUnit is a unit and not a static pod: it needs no image of a registry, and is
// up before the API server asks it.
func kmsUnit() systemd.Service {
	u := program(unitKMS, "KMS plugin of the API server", "kms")
	u.After = []string{"network-online.target", "time-sync.target", "systemd-tmpfiles-setup.service"}
	u.Before = []string{unitKubelet}
	u.Type = systemd.TypeNotify
	u.Restart, u.RestartDelay = "always", 5*time.Second
	u.Sandbox.Writable = []string{kmsDir}
	u.WantedBy = []string{"multi-user.target"}
	return u
}

// approveUnit answers requests of machines, and looks after their Node objects.
func approveUnit() systemd.Service {
	u := program(unitApprove, "Answer the certificate requests of nodes", "approve", "--runtime-dir", approveDir)
	u.Conditions = joined()
	u.Sandbox.Writable = []string{approveDir}
	u.Restart, u.RestartDelay = "always", 10*time.Second
	u.WantedBy = []string{"multi-user.target"}
	return u
}

func joinConfigUnit() systemd.Service {
	u := program(unitJoinConfig, "Rotate the tokens with which workers join", "join-config", "rotate")
	u.Type, u.Conditions, u.StartTimeout = systemd.TypeOneshot, joined(), 10*time.Minute
	// In a new cluster its rights are made at the same moment, by redoubt-approve.
	u.Restart, u.RestartDelay = "on-failure", 5*time.Second
	return u
}

// joinConfigTimer is short, because a run that finds nothing due does nothing: the
// first token of a cluster must not be hours away, nor that of a new pool.
func joinConfigTimer() systemd.Timer {
	return systemd.Timer{Name: timerJoinConfig, Description: "Rotate the tokens with which workers join",
		AfterBoot: time.Minute, Every: 5 * time.Minute, Spread: time.Minute}
}

// reencryptUnit has the API server write anew what is stored under another key than
// the one that writes (M18).
func reencryptUnit() systemd.Service {
	u := program(unitReencrypt, "Have what is stored under another key written anew", "reencrypt")
	u.Type, u.Conditions, u.StartTimeout = systemd.TypeOneshot, joined(), 15*time.Minute // its lock ends after ten
	return u
}

// reencryptTimer is short, because a change of key takes two runs on every control
// plane: one in which all have said that they write with it, and one that rewrites.
func reencryptTimer() systemd.Timer {
	return systemd.Timer{Name: timerReencrypt, Description: "Have what is stored under another key written anew",
		AfterBoot: 3 * time.Minute, Every: 10 * time.Minute, Spread: time.Minute}
}

func snapshotUnit() systemd.Service {
	u := program(unitSnapshot, "Copy etcd into the bucket of snapshots", "snapshot")
	u.Type, u.Conditions, u.StartTimeout = systemd.TypeOneshot, joined(), 30*time.Minute
	return u
}

func (s Spec) snapshotTimer() systemd.Timer {
	every := s.Snapshots.Every.Duration
	return systemd.Timer{Name: timerSnapshot, Description: "Copy etcd into the bucket of snapshots",
		AfterBoot: every / 12, Every: every * 9 / 10, Spread: every / 10}
}

// apiAddressUnit: the control-plane script starts it in the first boot, once the
// API server is ready.
func apiAddressUnit() systemd.Service {
	return systemd.Service{
		Name: unitAPIAddress, Description: "Take the address of the load balancer",
		Wants: []string{"network-online.target"}, After: []string{"network-online.target"},
		Conditions: joined(), Type: systemd.TypeOneshot, RemainAfterExit: true,
		Start:        []systemd.Command{{addressScript}},
		Restart:      "on-failure",
		RestartDelay: 10 * time.Second,
		Sandbox:      systemd.Sandbox{Capabilities: []string{"CAP_NET_ADMIN"}, HostUser: true, Network: []string{"AF_NETLINK"}},
		WantedBy:     []string{"multi-user.target"},
	}
}

// hostnameScript keeps the first label of the name that the cloud gave: a node's
// name is what the cloud's list of instances has.
func hostnameScript() hostconfig.File {
	return script(hostnamePath, `#!/bin/sh
# The name of the node is the first label of the machine's.
set -eu
name=$(uname -n)
short=${name%%.*}
[ -n "$short" ]
echo "$short" >/etc/hostname
[ "$name" = "$short" ] || echo "$short" >/proc/sys/kernel/hostname
`)
}

func hostnameUnit() systemd.Service {
	return systemd.Service{
		Name: unitHostname, Description: "Name the machine as its cloud does, without the domain",
		Wants: []string{"network-online.target"}, After: []string{"network-online.target"},
		Type: systemd.TypeOneshot, RemainAfterExit: true,
		Start:    []systemd.Command{{hostnamePath}},
		Sandbox:  systemd.Sandbox{Hostname: true, KernelTunables: true, HostUser: true, Writable: []string{"/etc"}},
		WantedBy: []string{"multi-user.target"},
	}
}

// fetchJoinUnit runs before each attempt to join, so that no attempt has a token
// that has expired.
func fetchJoinUnit() systemd.Service {
	u := program(unitFetchJoin, "Fetch the configuration with which the machine joins", "fetch-join", "--out", nodeconfig.JoinFile)
	u.After = []string{"network-online.target", "time-sync.target"}
	u.Conditions = []systemd.Condition{{Kind: "PathExists", Value: "!" + workerMark}}
	u.Type, u.StartTimeout = systemd.TypeOneshot, 35*time.Minute // its own limit is half an hour
	u.Sandbox.Writable = []string{"/etc/kubernetes"}
	return u
}

// workerMark is the one that package flatcar's joining leaves.
const workerMark = "/var/lib/redoubt/kubeadm-join.done"
