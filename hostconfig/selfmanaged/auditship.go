package selfmanaged

import (
	"fmt"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// auditShipUnit brings the API server's audit log into its bucket. It runs from the
// machine's first minute: what is done before the machine is a control plane is
// audited, too. It stops after the containers, and so after the API server, see
// [Spec.containersBetween], and before whatever leads to the store.
//
// Containers start after it, and so it waits for nothing that may never come, such as
// the clock: a log that is not stored is no reason for an API server that is not there.
func auditShipUnit() systemd.Service {
	u := program(unitAuditShip, "Copy the audit log of the API server into its bucket", "audit-ship", "--state-dir", shipDir)
	u.After = []string{"network-online.target", "network.target", "nss-lookup.target", "systemd-tmpfiles-setup.service", unitFirewall}
	u.Sandbox.Writable = []string{shipDir}
	u.Restart, u.RestartDelay = "always", 5*time.Second
	u.StopTimeout = nodeconfig.AuditShipStop + 10*time.Second // it gives up by itself before
	u.WantedBy = []string{"multi-user.target"}
	return u
}

// auditLog refuses what the shipper could not follow.
func (p *problems) auditLog(s Spec) {
	const flag = "audit-log-compress"
	if value, set := s.Settings.ExtraArgs[hostconfig.ComponentAPIServer][flag]; set && value != "false" {
		p.add(fmt.Sprintf("settings.extraArgs[%q][%q]", hostconfig.ComponentAPIServer, flag), "packs files before they are stored, and then they never are",
			"leave it out: the bucket has them packed (M17)")
	}
}
