package aws

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
	"github.com/redoubt-dev/redoubt/stacks/kept"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// flatcarSettings are whole.
func flatcarSettings(t *testing.T, change func(*FlatcarEnvironment)) flatcarEnvironment {
	t.Helper()
	program := filepath.Join(t.TempDir(), "redoubt-node")
	if err := os.WriteFile(program, []byte("a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := FlatcarDefaults()
	e.Account = Account{ID: "111122223333", Region: "eu-central-1"}
	e.Network.Zones = []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"}
	e.Kubernetes = KubernetesImage{Source: "s3://images/kubernetes-v1.35.4-x86-64.raw", Hash: selfmanaged.Hash([]byte("kubernetes"))}
	e.ImageID, e.NodeProgram, e.ControlPlane.InstanceType = "ami-0123456789abcdef0", program, "m7i.large"
	e.NodePools = []FlatcarPool{{Name: "general", InstanceTypes: []string{"m7i.large"}}}
	if change != nil {
		change(&e)
	}
	return flatcarEnvironment{FlatcarEnvironment: e, name: "prod", root: "/"}
}

func wrong(e flatcarEnvironment) error {
	r := settings.New(nil)
	e.validate(r, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC))
	return r.Err()
}

func TestFlatcarSettings(t *testing.T) {
	if err := wrong(flatcarSettings(t, nil)); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*FlatcarEnvironment){
		"redoubt:imageId: ":                           func(e *FlatcarEnvironment) { e.ImageID = "stable" },
		"redoubt:nodeProgram: ":                       func(e *FlatcarEnvironment) { e.NodeProgram = "/nowhere/redoubt-node" },
		"redoubt:kubernetes":                          func(e *FlatcarEnvironment) { e.Kubernetes.Hash = "" },
		"redoubt:controlPlane.addresses: there are 2": func(e *FlatcarEnvironment) { e.ControlPlane.Count = 2 },
		"redoubt:controlPlane.addresses[1]: 10.9.0.1 is not in": func(e *FlatcarEnvironment) {
			e.ControlPlane.Addresses = []string{"10.0.0.16", "10.9.0.1", "10.0.64.16"}
		},
		"redoubt:controlPlane.instanceType: ":                       func(e *FlatcarEnvironment) { e.ControlPlane.InstanceType = "big" },
		"redoubt:controlPlane.dataDiskGiB: 1 GiB":                   func(e *FlatcarEnvironment) { e.ControlPlane.DataDiskGiB = 1 },
		"redoubt:network.zones: there are 2":                        func(e *FlatcarEnvironment) { e.Network.Zones = e.Network.Zones[:2] },
		"redoubt:nodePools: there are none":                         func(e *FlatcarEnvironment) { e.NodePools = nil },
		"redoubt:nodePools[0].name: ":                               func(e *FlatcarEnvironment) { e.NodePools[0].Name = "a-name-that-is-too-long" },
		"redoubt:nodePools[0].instanceTypes[0]: m7g.large is arm64": func(e *FlatcarEnvironment) { e.NodePools[0].InstanceTypes = []string{"m7g.large"} },
		"redoubt:nodePools[0].taints":                               func(e *FlatcarEnvironment) { e.NodePools[0].Taints = []string{"nothing"} },
		"redoubt:uses[0]: \"ssm\"":                                  func(e *FlatcarEnvironment) { e.Uses = []string{"ssm"} },
		"redoubt:podCIDR":                                           func(e *FlatcarEnvironment) { e.PodCIDR = "10.0.0.0/12" },
		"redoubt:encryption.keys: are missing":                      func(e *FlatcarEnvironment) { e.Encryption.Provider = "secretbox" },
		"redoubt:encryption.provider: \"none\"":                     func(e *FlatcarEnvironment) { e.Encryption.Provider = "none" },
		"redoubt:authorities.trusted[0]: 1 is trusted already":      func(e *FlatcarEnvironment) { e.Authorities.Trusted = []int{1} },
		"redoubt:authorities.validityDays: 36500":                   func(e *FlatcarEnvironment) { e.Authorities.ValidityDays = 36500 },
		"redoubt:snapshots.lock: who gets into a control plane":     func(e *FlatcarEnvironment) { e.Snapshots.Lock = "none" },
		"redoubt:snapshots.lockDays: 1 days":                        func(e *FlatcarEnvironment) { e.Snapshots.LockDays = 1 },
		"redoubt:auditLog.lock: who gets into a control plane":      func(e *FlatcarEnvironment) { e.AuditLog.Lock = "none" },
		"redoubt:auditLog.lock: \"forever\" is not a lock":          func(e *FlatcarEnvironment) { e.AuditLog.Lock = "forever" },
		"redoubt:auditLog.lockDays: 30 days is less than a year":    func(e *FlatcarEnvironment) { e.AuditLog.LockDays = 30 },
		"redoubt:firewall.operators[0]: 0.0.0.0/0 is open":          func(e *FlatcarEnvironment) { e.Firewall.Operators = []string{"0.0.0.0/0"} },
		"redoubt:host.": func(e *FlatcarEnvironment) { e.Host.Node.Role = hostconfig.RoleWorker },
		"redoubt:allowReplacement[0]: \"imageId\"": func(e *FlatcarEnvironment) { e.AllowReplacement = []string{"imageId"} },
	} {
		err := wrong(flatcarSettings(t, change))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	everything := wrong(flatcarSettings(t, func(e *FlatcarEnvironment) { e.ImageID, e.CNI, e.NodePools, e.Uses = "", "none", nil, []string{"ssm"} }))
	for _, field := range []string{"imageId", "nodePools", "uses[0]"} {
		if everything == nil || !strings.Contains(everything.Error(), "redoubt:"+field) {
			t.Errorf("%s is not among: %v", field, everything)
		}
	}
}

// What would take data with it is refused, by the name of the setting, unless it is meant.
func TestFlatcarGuard(t *testing.T) {
	before := flatcarSettings(t, func(e *FlatcarEnvironment) {
		e.Encryption = FlatcarEncryption{Provider: "secretbox", Keys: []string{"key-1"}}
		e.ControlPlane.DataDiskGiB = 40
	})
	last := before.standing()
	if err := before.compare(last); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*FlatcarEnvironment){
		"redoubt:network.cidr":       func(e *FlatcarEnvironment) { e.Network.CIDR = "10.1.0.0/16" },
		"redoubt:podCIDR":            func(e *FlatcarEnvironment) { e.PodCIDR = "10.160.0.0/14" },
		"redoubt:controlPlane.count": func(e *FlatcarEnvironment) { e.ControlPlane.Count = 1 },
		"redoubt:controlPlane.addresses": func(e *FlatcarEnvironment) {
			e.Network.Zones = []string{"eu-central-1b", "eu-central-1a", "eu-central-1c"}
		},
		"redoubt:controlPlane.dataDiskGiB: was 40":       func(e *FlatcarEnvironment) { e.ControlPlane.DataDiskGiB = 20 },
		"redoubt:kubernetesVersion: skips":               func(e *FlatcarEnvironment) { e.KubernetesVersion = "v1.37.0" },
		"redoubt:kubernetesVersion: goes down":           func(e *FlatcarEnvironment) { e.KubernetesVersion = "v1.34.0" },
		"redoubt:encryption.provider":                    func(e *FlatcarEnvironment) { e.Encryption = FlatcarEncryption{Provider: "kms"} },
		"redoubt:encryption.keys: key-1 is left out":     func(e *FlatcarEnvironment) { e.Encryption.Keys = []string{"key-2"} },
		"redoubt:encryption.keys: key-2 becomes the one": func(e *FlatcarEnvironment) { e.Encryption.Keys = []string{"key-2", "key-1"} },
		"redoubt:host.encryption.resources: was secrets": func(e *FlatcarEnvironment) { e.Host.Encryption.Resources = []string{"secrets", "configmaps"} },
		"redoubt:snapshots.lock":                         func(e *FlatcarEnvironment) { e.Snapshots.Lock = "none" },
		"redoubt:auditLog.lock":                          func(e *FlatcarEnvironment) { e.AuditLog.Lock = "none" },
		"redoubt:authorities.generation: goes from 1 to": func(e *FlatcarEnvironment) { e.Authorities = Authorities{Generation: 2, Trusted: []int{1}} },
		"redoubt:authorities.validityDays":               func(e *FlatcarEnvironment) { e.Authorities.ValidityDays = 365 },
	} {
		e := before
		change(&e.FlatcarEnvironment)
		if err := e.compare(last); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	grown := before
	grown.Encryption.Keys, grown.KubernetesVersion, grown.ControlPlane.DataDiskGiB = []string{"key-1", "key-2"}, "v1.36.1", 80
	grown.Network.Zones = append(grown.Network.Zones[:3:3], "eu-central-1d")
	if err := grown.compare(last); err != nil {
		t.Errorf("what deletes nothing: %v", err)
	}
}

// So does one of local keys of encryption (M18).
func TestFlatcarRotationOfKeys(t *testing.T) {
	at := func(keys ...string) flatcarEnvironment {
		return flatcarSettings(t, func(e *FlatcarEnvironment) {
			e.Encryption, e.AllowReplacement = FlatcarEncryption{Provider: "secretbox", Keys: keys}, []string{kept.LocalKeys}
		})
	}
	steps := []flatcarEnvironment{at("a"), at("a", "b"), at("b", "a"), at("b")}
	for i, step := range steps[1:] {
		if err := step.compare(steps[i].standing()); err != nil {
			t.Errorf("step %d: %v", i+1, err)
		}
	}
	for _, jump := range [][2]flatcarEnvironment{{at("a"), at("b")}, {at("a"), at("b", "a")}, {at("a", "b"), at("b")}, {at("a", "b"), at("c", "b", "a")}} {
		if jump[1].compare(jump[0].standing()) == nil {
			t.Errorf("from %q to %q is not refused", jump[0].Encryption.Keys, jump[1].Encryption.Keys)
		}
	}
}

// A rotation of the authorities goes through all of its steps, and through no other.
func TestFlatcarRotationOfAuthorities(t *testing.T) {
	at := func(generation int, trusted ...int) flatcarEnvironment {
		return flatcarSettings(t, func(e *FlatcarEnvironment) { e.Authorities = Authorities{Generation: generation, Trusted: trusted} })
	}
	steps := []flatcarEnvironment{at(1), at(1, 2), at(2, 1), at(2)}
	for i, step := range steps[1:] {
		if err := step.compare(steps[i].standing()); err != nil {
			t.Errorf("step %d: %v", i+1, err)
		}
		if err := wrong(step); err != nil {
			t.Errorf("step %d: %v", i+1, err)
		}
	}
	for _, jump := range [][2]flatcarEnvironment{{at(1), at(2)}, {at(1), at(2, 1)}, {at(1, 2), at(2)}, {at(1, 2), at(3, 1)}} {
		if jump[1].compare(jump[0].standing()) == nil {
			t.Errorf("from %+v to %+v is not refused", jump[0].Authorities, jump[1].Authorities)
		}
	}
}
