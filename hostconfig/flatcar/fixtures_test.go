package flatcar

import (
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
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

func spec(role hostconfig.Role, platform Platform) Spec {
	s := Spec{
		Role: role, Platform: platform,
		Node: hostconfig.Worker{
			ClusterName: "prod", Name: "node-1", APIServer: "https://10.80.0.10:6443", ClusterPodCIDR: "10.81.0.0/16",
			ClusterDNS: []string{"10.82.0.10"},
			Registries: hostconfig.Registries{
				Endpoint: "https://registry.example.org",
				Allowed: []hostconfig.Registry{{Name: "docker.io", MirrorsOnly: true,
					Mirrors: []hostconfig.Mirror{{URL: "https://docker.example.org"}}}},
			},
		},
		Firewall: hostconfig.Firewall{
			ControlPlane: []string{"10.80.0.10"}, Workers: []string{"10.80.0.11"}, Operators: []string{"10.83.0.0/29"},
		},
		Kubernetes: Image{Source: imageURL, Hash: imageHash()},
		Kubeadm:    Kubeadm{Configuration: "apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration\n"},
	}
	if role == hostconfig.RoleControlPlane {
		s.Kubeadm = Kubeadm{
			Init:          true,
			Configuration: "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n",
			Files:         []hostconfig.File{{Path: "/etc/kubernetes/audit-policy.yaml", Mode: 0o600, Owner: "root", Contents: "apiVersion: audit.k8s.io/v1\n"}},
		}
	}
	if platform == PlatformMetal {
		s.Node.NodeIP = "10.80.0.10"
		if role == hostconfig.RoleWorker {
			s.Node.NodeIP = "10.80.0.11"
		}
		s.TimeServers = []string{"time.example.org", "10.80.0.2"}
		s.Updates = UpdateInPlace
		s.DataDisk = &DataDisk{Device: "/dev/disk/by-id/data"}
		s.Files = []hostconfig.File{{Path: "/etc/motd", Mode: 0o644, Owner: "root", Contents: "Redoubt\n"}}
		s.Units = []systemd.Service{{Name: "hello.service", Description: "Say hello", Type: systemd.TypeOneshot,
			Start: []systemd.Command{{"/usr/bin/echo", "100%", "$HOME"}}, WantedBy: []string{"multi-user.target"}}}
		s.Sysctls = map[string]string{"vm.max_map_count": "262144"}
		s.LoadModules, s.DenyModules = []string{"ip_vs"}, []string{"pcspkr"}
		s.KernelArguments = []string{"console=ttyS0,115200n8"}
		s.AuditRules = []string{"-w /srv/ -p wa -k data"}
	}
	return s
}

func specs() map[string]Spec {
	all := map[string]Spec{}
	for _, role := range []hostconfig.Role{hostconfig.RoleControlPlane, hostconfig.RoleWorker} {
		for _, platform := range []Platform{PlatformAWS, PlatformGCP, PlatformMetal} {
			all[string(role)+"-"+string(platform)] = spec(role, platform)
		}
	}
	return all
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
	for name, s := range specs() {
		golden.Compare(t, name+".yaml", string(must[[]byte](t)(s.Butane(now))))
		golden.Compare(t, name+".ign", string(must[[]byte](t)(s.Ignition(now))))
	}
	s := spec(hostconfig.RoleWorker, PlatformAWS)
	golden.Compare(t, "pointer.ign", string(must[UserData](t)(s.UserData(now, "s3://redoubt-prod/ignition/worker.ign")).Contents))
}
