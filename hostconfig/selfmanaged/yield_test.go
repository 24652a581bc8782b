package selfmanaged

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// TestYield: a control plane among several stops its containers, its kubelet and its
// network only after etcd was asked; a machine that nobody could wait for has none of
// that (M12).
func TestYield(t *testing.T) {
	for name, s := range map[string]Spec{"aws": aws(), "gcp": gcp(), "alone": alone()} {
		for _, extra := range []map[string]any{nil, {"shutdownGracePeriod": "60s", "shutdownGracePeriodCriticalPods": "10s", "maxPods": 50}} {
			s.Node.Kubelet.Extra = extra
			r := must[Rendering](t)(s.Render(now))
			for _, machine := range append(r.ControlPlanes, r.Pools...) {
				several := machine.Role == hostconfig.RoleControlPlane && len(s.ControlPlanes) > 1
				var unit, dropIn string
				for _, service := range machine.Spec.Services() {
					if service.Name == unitYield {
						unit = must[string](t)(service.Render())
						if want := []string{"/opt/redoubt/bin/redoubt-node", "etcd-yield", "--timeout", "8m0s"}; !slices.Equal(service.Stop[0], want) || service.StopTimeout <= 8*time.Minute {
							t.Errorf("%s: %q, for %v", machine.Name, service.Stop, service.StopTimeout)
						}
						for _, each := range []string{unitKubelet, unitContainerd, unitFirewall, unitKMS, "network.target"} {
							if !slices.Contains(service.After, each) && each != unitKMS {
								t.Errorf("%s: %s stops before etcd was asked", machine.Name, each)
							}
						}
					}
				}
				for _, file := range machine.Spec.Parts.Files {
					if file.Path == "/etc/systemd/system/cri-containerd-.scope.d/10-redoubt.conf" {
						dropIn = file.Contents
					}
				}
				if several != (unit != "") || several != strings.Contains(dropIn, "Before="+unitYield) || several != strings.Contains(dropIn, "TimeoutStopSec=20\n") {
					t.Errorf("%s/%s: unit %q, scopes %q", name, machine.Name, unit, dropIn)
				}
				_, graceful := machine.Spec.Node.Kubelet.Extra["shutdownGracePeriod"]
				if graceful == several {
					t.Errorf("%s/%s: the kubelet ends pods by itself: %v", name, machine.Name, graceful)
				}
				if extra != nil && machine.Spec.Node.Kubelet.Extra["maxPods"] == nil {
					t.Errorf("%s/%s: other settings of the kubelet are lost", name, machine.Name)
				}
			}
		}
	}
}
