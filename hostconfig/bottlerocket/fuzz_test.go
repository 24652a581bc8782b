package bottlerocket

import (
	"fmt"
	"testing"
	"time"
)

func FuzzRender(f *testing.F) {
	f.Add("vm.max_map_count", "1", "example.org/a", "b", "motd", int64(5))
	f.Fuzz(func(t *testing.T, name, value, label, labelled, motd string, number int64) {
		spec := Spec{Platform: SelfManaged, ClusterName: name, Sysctls: map[string]string{name: value},
			Labels: map[string]string{label: labelled}, Modules: map[string]Module{label: {Allowed: pointer(true)}},
			TimeServers: []string{value}, MaxPods: number,
			Settings: Settings{Motd: &motd, Kubernetes: &Kubernetes{EventQPS: &number, EvictionHard: map[string]string{name: value}}}}
		_ = spec.Validate(time.Unix(0, 0))
		settings, _ := spec.Effective() // what was refused is left out
		for _, item := range CIS() {
			for _, r := range item.Requirements {
				if r.Path[0] == "kernel" && len(item.Unmet(ManagedGroup, settings)) > 0 {
					t.Fatalf("%s is weakened", item.ID)
				}
			}
		}
		if data, err := spec.Render(); err == nil {
			if len(data.Bytes) > MaximumUserData {
				t.Fatal("too large")
			}
			roundTrip(t, data.TOML)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("[settings.kernel]\nlockdown = 'none'\n[settings.network]\nhosts = [['10.0.0.1', ['a']]]\n"))
	f.Fuzz(func(t *testing.T, document []byte) {
		settings, err := Decode(document)
		if err != nil {
			return
		}
		spec := Spec{Platform: ManagedGroup, Settings: settings}
		_ = spec.Validate(time.Unix(0, 0))
		if data, err := spec.Render(); err == nil {
			roundTrip(t, data.TOML)
		}
	})
}

func BenchmarkRender(b *testing.B) {
	for name, spec := range specs(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := spec.Render(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTenThousandNodes(b *testing.B) {
	spec := selfManaged(b)
	for b.Loop() {
		for i := range 10_000 {
			spec.Labels = map[string]string{"example.org/node": fmt.Sprint(i)}
			if _, err := spec.Render(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
