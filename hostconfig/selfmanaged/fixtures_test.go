package selfmanaged

import (
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// now is the time of every test that is not about time.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// authority stands in for the certificate of a cluster: goldens need one that does
// not change.
const authority = `-----BEGIN CERTIFICATE-----
MIIBXTCCAQOgAwIBAgIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwprdWJlcm5l
dGVzMCAXDTI1MDYwMTEyMDAwMFoYDzIwNzYwNjAxMTIwMDAwWjAVMRMwEQYDVQQD
EwprdWJlcm5ldGVzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1jyRkhbbYzSG
lxPDo+yakS8qweKMHWM3ONTqfzrUamL2awyy1w48gmpNsPtbSNawDL75CmmfRWeZ
G2ChQ9MmHaNCMEAwDgYDVR0PAQH/BAQDAgIEMA8GA1UdEwEB/wQFMAMBAf8wHQYD
VR0OBBYEFMyceDNyfrFWE8vSrYj6w+I75ExZMAoGCCqGSM49BAMCA0gAMEUCIDHM
pqcRIof5AAXvNSnjHh7OdWcrMaEAbaVXBWliDrbwAiEAn6w10L7C+ToAKpyGKQDd
yZucCsh5Nx2QxdwCDvEtTZc=
-----END CERTIFICATE-----
`

// secret is what files of the store hold in these tests; no rendered byte may.
func secret(name string) []byte { return []byte("SECRET of " + name) }

func pki(names ...string) map[string]string {
	hashes := map[string]string{}
	for _, name := range names {
		hashes[name] = Hash(secret(name))
	}
	return hashes
}

func allPKI() map[string]string {
	names := PKIFiles()
	hashes := pki(names...)
	delete(hashes, EncryptionFile)
	return hashes
}

// aws is a cluster of three with KMS, Calico and two pools.
func aws() Spec {
	return Spec{
		Cloud: nodeconfig.Cloud{Platform: hostconfig.PlatformAWS, Region: "eu-central-1", Account: "123456789012"},
		Cluster: hostconfig.Cluster{
			Name: "prod", Endpoint: "https://api.prod.internal:6443", CACertificate: authority, DNS: []string{"10.82.0.10"},
			PodCIDRs: []string{"10.81.0.0/16"}, ServiceCIDRs: []string{"10.82.0.0/20"}, NodeCIDRs: []string{"10.80.0.0/24"},
			Operators: []string{"10.83.0.0/29"},
		},
		ControlPlaneRole: "arn:aws:iam::123456789012:instance-profile/prod-control-plane",
		ControlPlanes: []ControlPlane{
			{Address: "10.80.1.10", Device: EBSDevice("vol-0aaaaaaaaaaaaaaa1")},
			{Address: "10.80.2.10", Device: EBSDevice("vol-0aaaaaaaaaaaaaaa2")},
			{Address: "10.80.3.10", Device: EBSDevice("vol-0aaaaaaaaaaaaaaa3")},
		},
		LoadBalancer: LoadBalancer{CIDRs: []string{"10.80.1.0/28", "10.80.2.0/28", "10.80.3.0/28"}},
		Network:      Network{CNI: CNICalico},
		Store:        "prod-store", PKI: allPKI(),
		Encryption: Encryption{Keys: []string{"arn:aws:kms:eu-central-1:123456789012:key/1111-2222"}},
		Snapshots:  Snapshots{Bucket: "prod-snapshots"},
		AuditLog:   AuditLog{Bucket: "prod-audit"},
		Program:    Program{Hash: Hash([]byte("redoubt-node"))},
		Kubernetes: flatcar.Image{Source: "https://extensions.example.org/kubernetes-v1.35.4-x86-64.raw", Hash: Hash([]byte("kubernetes"))},
		Pools: []Pool{
			{Pool: nodeconfig.Pool{Name: "general", Role: "arn:aws:iam::123456789012:instance-profile/prod-general", Group: "prod-general"}},
			{Pool: nodeconfig.Pool{Name: "isolated", Role: "arn:aws:iam::123456789012:instance-profile/prod-isolated", Group: "prod-isolated"},
				Taints: []string{"example.org/tenant=a:NoSchedule"}, RuntimeClasses: []string{"gvisor"},
				Extensions: []flatcar.Extension{{Name: "gvisor", Source: "https://extensions.example.org/gvisor.raw", Hash: Hash([]byte("gvisor"))}}},
		},
	}
}

// gcp is a cluster of three with local keys, Cilium and a load balancer that
// leaves packets as they are.
func gcp() Spec {
	s := aws()
	s.Cloud = nodeconfig.Cloud{Platform: hostconfig.PlatformGCP, Region: "europe-west3", Project: "example-project", Zones: []string{"europe-west3-a", "europe-west3-b", "europe-west3-c"}}
	s.Cluster.Endpoint = "https://10.80.1.100:6443"
	s.LoadBalancer = LoadBalancer{Passthrough: "10.80.1.100"}
	s.ControlPlaneRole = "control-plane@example-project.iam.gserviceaccount.com"
	for i := range s.ControlPlanes {
		s.ControlPlanes[i].Device = PersistentDiskDevice("etcd")
	}
	s.Network.CNI, s.Kubeadm.SkipKubeProxy = CNICilium, true
	s.Encryption = Encryption{Provider: hostconfig.EncryptionSecretbox}
	s.PKI[EncryptionFile] = Hash(secret(EncryptionFile))
	for i := range s.Pools {
		s.Pools[i].Role = s.Pools[i].Name + "@example-project.iam.gserviceaccount.com"
	}
	return s
}

// alone is one control plane, with the bridge.
func alone() Spec {
	s := aws()
	s.Network.CNI = CNIBridge
	s.ControlPlanes = s.ControlPlanes[:1]
	s.ControlPlanes[0].PodCIDR = "10.81.1.0/24"
	s.Pools = s.Pools[:1]
	s.Pools[0].PodCIDR = "10.81.2.0/24"
	return s
}

func specs() map[string]Spec { return map[string]Spec{"aws": aws(), "gcp": gcp(), "alone": alone()} }

// of gives the cluster for another Kubernetes version.
func (s Spec) of(version string) Spec {
	s.Kubernetes.Source = strings.ReplaceAll(s.Kubernetes.Source, hostconfig.DefaultKubernetesVersion, version)
	s.KubernetesVersion = version
	return s
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
