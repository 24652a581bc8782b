package bottlerocket

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func FuzzSpec(f *testing.F) {
	f.Add("vm.max_map_count", "1", "example.org/a", "b", "motd", int64(5), true)
	f.Add("net.ipv4.conf.all.send_redirects", "1", "usb-storage", "", "it says \"no\"", int64(-1), true)
	f.Add("net/ipv4/conf/eth0.1/log_martians", "0", "sctp", "x", "\x00", int64(1<<40), false)
	f.Add("memory.available", "5%", "admin", "notation", "\n[settings.kernel]\n", int64(0), false)
	f.Fuzz(func(t *testing.T, name, value, label, labelled, motd string, number int64, self bool) {
		spec := managed(t)
		if self {
			spec.Group = SelfManaged
		}
		spec.Node.Sysctls, spec.Node.Labels = map[string]string{name: value}, map[string]string{label: labelled}
		spec.Node.Modules.Load, spec.Node.TimeServers = []string{label}, []string{value}
		spec.Node.Kubelet = hostconfig.Kubelet{MaxPods: number, EvictionHard: map[string]string{name: value}}
		spec.Node.Registries.Allowed = []hostconfig.Registry{{Name: name, Mirrors: []hostconfig.Mirror{{URL: value}}}}
		spec.HostContainers = map[string]HostContainer{label: {Enabled: &self, Source: &value}}
		spec.ImageVerifiers = map[string]string{labelled: value}
		spec.Settings = Settings{Motd: &motd, Kubernetes: &Kubernetes{EventQPS: &number},
			Kernel: &Kernel{Modules: map[string]Module{label: {Allowed: pointer(true)}}}}
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
	f.Add([]byte("[settings.image-verifier-plugins]\nenabled = true\n[settings.image-verifier-plugins.x]\ntrustpolicy = 'e30='\n"))
	f.Add([]byte("[settings.kernel.hugepages.static]\nessential = true\n'2Mi' = { count = '512' }\n"))
	goldens, err := filepath.Glob("testdata/worker/*/*.toml")
	if err != nil || len(goldens) == 0 {
		f.Fatal("no goldens", err)
	}
	for _, name := range goldens {
		document, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		settings, err := Decode(document)
		if err != nil {
			return
		}
		spec := managed(t)
		spec.Settings = settings
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
			spec.Node.Labels = map[string]string{"example.org/node": fmt.Sprint(i)}
			if _, err := spec.Render(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
