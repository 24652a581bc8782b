package selfmanaged

import (
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestGolden(t *testing.T) {
	for _, minor := range hostconfig.SupportedMinors() {
		for name, s := range specs() {
			r := must[Rendering](t)(s.of(minor.Proven).Render(now))
			for _, machine := range append(r.ControlPlanes, r.Pools...) {
				if minor.Name != "v1.35" && machine.Name != s.WithDefaults().ControlPlanes[0].Name {
					continue // what differs between minors is in one of them
				}
				document := must[[]byte](t)(machine.Spec.Butane(now))
				golden.Compare(t, minor.Name+"/"+name+"/"+machine.Name+".yaml", string(document))
			}
		}
	}
	r := must[Rendering](t)(aws().Render(now))
	golden.Compare(t, "pointer.ign", string(r.ControlPlanes[0].UserData))
}
