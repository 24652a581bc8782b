package flatcar

import (
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
	"github.com/redoubt-dev/redoubt/hostconfig/systemd"
)

// now is the time of every test that is not about time.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// image stands in for the bytes of the system extension.
const image = "a system extension"

func imageHash() string {
	sum := sha512.Sum512([]byte(image))
	return "sha512-" + hex.EncodeToString(sum[:])
}

const imageURL = "https://extensions.example.org/kubernetes-v1.35.4-x86-64.raw"

func cluster() hostconfig.Cluster {
	return hostconfig.Cluster{
		Name: "prod", Endpoint: "https://10.80.0.10:6443", DNS: []string{"10.82.0.10"},
		PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/20"}, NodeCIDRs: []string{"10.80.0.0/24"},
		ControlPlanes: []hostconfig.Machine{{Name: "node-1", Address: "10.80.0.10"}, {Name: "node-2", Address: "10.80.0.20"}, {Name: "node-3", Address: "10.80.0.30"}},
		Workers:       []hostconfig.Machine{{Name: "node-4", Address: "10.80.0.11"}},
		Operators:     []string{"10.83.0.0/29"},
	}
}

// encryption is the file of keys that a control plane gets besides its
// specification.
func encryption() hostconfig.File {
	configuration, err := hostconfig.Encryption{Keys: []hostconfig.EncryptionKey{{Name: "key-1", Secret: strings.Repeat("A", 43) + "="}}}.Configuration()
	if err != nil {
		panic(err)
	}
	return hostconfig.File{Path: hostconfig.Paths{}.Encryption(), Mode: 0o600, Owner: "root", Contents: configuration, Secret: true}
}

func spec(role hostconfig.Role, platform hostconfig.Platform) Spec {
	s := Spec{
		Node: hostconfig.Node{
			Role: role, Platform: platform, Cluster: cluster(),
			Registries: hostconfig.Registries{Endpoint: "https://registry.example.org", Allowed: []hostconfig.Registry{
				{Name: "docker.io", MirrorsOnly: true, Mirrors: []hostconfig.Mirror{{URL: "https://docker.example.org"}}},
			}},
		},
		Kubernetes: Image{Source: imageURL, Hash: imageHash()},
		Kubeadm:    Kubeadm{Settings: kubeadm.Settings{SkipKubeProxy: true}},
	}
	if role == hostconfig.RoleControlPlane {
		s.Kubeadm.Init, s.Kubeadm.Files = true, []hostconfig.File{encryption()}
	}
	if platform == hostconfig.PlatformMetal {
		n := &s.Node
		n.Name, n.Address = "node-1", "10.80.0.10"
		if role == hostconfig.RoleWorker {
			n.Name, n.Address = "node-4", "10.80.0.11"
		}
		n.TimeServers = []string{"time.example.org", "10.80.0.2"}
		n.Surroundings.TimeServers = []string{"10.80.0.0/29"} // where time.example.org is
		n.Updates.Strategy = hostconfig.UpdateInPlace
		n.DataDisk = &hostconfig.DataDisk{Device: "/dev/disk/by-id/data"}
		n.Files = []hostconfig.File{{Path: "/etc/motd", Mode: 0o644, Owner: "root", Contents: "Redoubt\n"}}
		n.Units = []systemd.Service{{Name: "hello.service", Description: "Say hello", Type: systemd.TypeOneshot,
			Start: []systemd.Command{{"/usr/bin/echo", "100%", "$HOME"}}, WantedBy: []string{"multi-user.target"}}}
		n.Sysctls = map[string]string{"vm.max_map_count": "262144"}
		n.Modules = hostconfig.Modules{Load: []string{"ip_vs"}, Deny: []string{"pcspkr"}}
		s.KernelArguments = []string{"console=ttyS0,115200n8"}
		s.AuditRules = []string{"-w /srv/ -p wa -k data"}
	}
	return s
}

// joining is a further control plane.
func joining(platform hostconfig.Platform) Spec {
	s := spec(hostconfig.RoleControlPlane, platform)
	s.Kubeadm.Init = false
	return s
}

func specs() map[string]Spec {
	all := map[string]Spec{}
	for _, role := range []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker} {
		for _, platform := range []hostconfig.Platform{hostconfig.PlatformAWS, hostconfig.PlatformGCP, hostconfig.PlatformMetal} {
			all[string(role)+"-"+string(platform)] = spec(role, platform)
		}
	}
	all["control-plane-join-aws"] = joining(hostconfig.PlatformAWS)
	return all
}

// of gives the machine for another Kubernetes version.
func (s Spec) of(version string) Spec {
	s.Kubernetes.Source = strings.ReplaceAll(s.Kubernetes.Source, hostconfig.DefaultKubernetesVersion, version)
	s.Node.KubernetesVersion = version
	return s
}

func accept(control string) hostconfig.Exception {
	return hostconfig.Exception{Control: control, Reason: "accepted by the owner for a test", Expires: "2026-12-31"}
}

// refused fails unless exactly this field has a problem that mentions the text.
func refused(t *testing.T, err error, field, text string) {
	t.Helper()
	for _, problem := range split(err) {
		if problem.Field == field && strings.Contains(problem.Error(), text) {
			if problem.Remedy == "" {
				t.Errorf("%s is refused without a remedy", field)
			}
			return
		}
	}
	t.Errorf("%s: want a refusal with %q, got: %v", field, text, err)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func TestGolden(t *testing.T) {
	for _, minor := range hostconfig.SupportedMinors() {
		for name, s := range specs() {
			s = s.of(minor.Proven)
			golden.Compare(t, minor.Name+"/"+name+".yaml", string(must[[]byte](t)(s.Butane(now))))
			golden.Compare(t, minor.Name+"/"+name+".ign", string(must[[]byte](t)(s.Ignition(now))))
		}
	}
	s := spec(hostconfig.RoleWorker, hostconfig.PlatformAWS)
	golden.Compare(t, "pointer.ign", string(must[UserData](t)(s.UserData(now, "s3://redoubt-prod/ignition/worker.ign")).Contents))
}
