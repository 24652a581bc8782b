package selfmanaged

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// TestAuditShip: every control plane ships its audit log, from its first boot on,
// until after its API server has stopped and while it still has a network; it cannot
// write to the log. No worker has any of it (M17, M38).
func TestAuditShip(t *testing.T) {
	for name, m := range machines(t) {
		plane := m.Role == hostconfig.RoleControlPlane
		var unit *systemd.Service
		for _, service := range m.Spec.Services() {
			if service.Name == unitAuditShip {
				unit = &service
			}
		}
		var scopes, config string
		for _, file := range m.Spec.Parts.Files {
			switch file.Path {
			case "/etc/systemd/system/cri-containerd-.scope.d/10-redoubt.conf":
				scopes = file.Contents
			case nodeconfig.File:
				config = file.Contents
			}
		}
		if plane != (unit != nil) || plane != strings.Contains(scopes, "After="+unitAuditShip+"\n") || plane != strings.Contains(config, `"prod-audit"`) {
			t.Errorf("%s: unit %v, scopes %q", name, unit, scopes)
		}
		if unit == nil {
			continue
		}
		for _, first := range []string{"network.target", unitFirewall} {
			if !slices.Contains(unit.After, first) {
				t.Errorf("%s: stops after %s", name, first)
			}
		}
		if len(unit.Conditions) > 0 || unit.Restart != "always" || !slices.Contains(unit.WantedBy, "multi-user.target") || unit.StopTimeout <= nodeconfig.AuditShipStop {
			t.Errorf("%s: %+v", name, *unit)
		}
		if slices.ContainsFunc(unit.After, func(other string) bool {
			return other == unitKubelet || other == "time-sync.target" || other == unitControlPlane
		}) {
			t.Errorf("%s: containers wait for %q", name, unit.After)
		}
		if unit.Sandbox.Open || !slices.Equal(unit.Sandbox.Writable, []string{shipDir}) || len(unit.Sandbox.Capabilities) > 0 {
			t.Errorf("%s: %+v", name, unit.Sandbox)
		}
	}
}
