package selfmanaged

import (
	"fmt"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// What a control plane waits for at most before it stops, and what systemd gives
// the program for it. EC2 waits some minutes for a machine that stops, Compute
// Engine 90 seconds: then the machine is off, whatever it waits for.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/how-ec2-instance-termination-works.html
// and https://cloud.google.com/compute/docs/instances/graceful-shutdown-overview
const (
	yieldTimeout = 8 * time.Minute
	yieldMargin  = time.Minute
)

// yieldUnit holds the machine's shutdown up until etcd can do without it: replacing
// or restarting control planes one after the other must not take the quorum, and
// whoever does it may know nothing of etcd. It stops before whatever the machine
// needs for that, and before the containers, see [Spec.containersBetween].
func yieldUnit() systemd.Service {
	u := program(unitYield, "Keep this machine up until etcd can do without it", "etcd-yield")
	u.Start = []systemd.Command{{"/usr/bin/true"}}
	u.Stop = []systemd.Command{{nodeconfig.Program, "etcd-yield", "--timeout", yieldTimeout.String()}}
	u.StopTimeout = yieldTimeout + yieldMargin
	u.After = append(u.After, "network.target", unitContainerd, unitFirewall, unitKMS)
	u.Conditions = joined()
	u.Type, u.RemainAfterExit = systemd.TypeOneshot, true
	u.RequiresMountsFor = []string{etcdPath}
	u.WantedBy = []string{"multi-user.target"}
	return u
}

// containersBetween orders every container's scope: systemd would end them all in
// the moment in which the machine is told to stop, etcd among them, and the shipper
// of the audit log with them. It is a drop-in for all units whose name begins so
// (systemd.unit(5)), as containerd names them.
//
// An API server whose etcd has gone with it waits for answers that never come, so
// that their time is short where the kubelet does not end them before: systemd's own
// 90 seconds are all that Compute Engine gives a machine.
func (s Spec) containersBetween() hostconfig.File {
	lines := "[Unit]\nAfter=" + unitAuditShip + "\n"
	if len(s.ControlPlanes) > 1 {
		lines += fmt.Sprintf("Before=%s\n[Scope]\nTimeoutStopSec=%.0f\n", unitYield, nodeconfig.ContainersStop.Seconds())
	}
	return hostconfig.File{Path: "/etc/systemd/system/cri-containerd-.scope.d/10-redoubt.conf", Mode: 0o644, Owner: "root", Contents: lines}
}
