package hostconfig

import (
	"reflect"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// nodeOf is a node of testCluster, as each operating system has it.
func nodeOf(t testing.TB, os OS, role Role) Node {
	t.Helper()
	n := Node{Role: role, OS: os, Cluster: testCluster(t)}
	switch os {
	case OSBottlerocket:
		n.Platform = PlatformAWS
		n.Cluster.ControlPlanes, n.Cluster.Managed = nil, true
	case OSFlatcar:
		n.Platform = PlatformGCP
	case OSHost:
		n.Platform, n.Name, n.Address = PlatformLocal, "worker-1", "10.80.0.11"
		n.PodCIDR = "10.81.1.0/24"
		n.Registries.Endpoint = "http://127.0.0.1:5000"
	}
	if os == OSHost && role == RoleControlPlane {
		n.Name, n.Address, n.PodCIDR, n.Registries.Endpoint = "control-plane", "10.80.0.10", "", ""
		n.ControlPlane = &ControlPlaneSettings{EtcdUser: "etcd"}
	}
	return n
}

// nodeKinds are all kinds of nodes.
var nodeKinds = []struct {
	os   OS
	role Role
}{{OSBottlerocket, RoleWorker}, {OSFlatcar, RoleWorker}, {OSFlatcar, RoleControlPlane}, {OSHost, RoleWorker}, {OSHost, RoleControlPlane}}

func TestNodeIsAccepted(t *testing.T) {
	for _, kind := range nodeKinds {
		accepted(t, nodeOf(t, kind.os, kind.role).Validate(now))
	}
}

func TestNodeDefaultsAreIdempotent(t *testing.T) {
	for _, kind := range nodeKinds {
		n := nodeOf(t, kind.os, kind.role)
		n.DataDisk = &DataDisk{Device: "/dev/sdb"}
		once := n.WithDefaults()
		if twice := once.WithDefaults(); !reflect.DeepEqual(once, twice) {
			t.Errorf("%s %s: defaults differ the second time:\n%+v\n%+v", kind.os, kind.role, once, twice)
		}
		if n.DataDisk.Path != "" {
			t.Error("the caller's disk was changed")
		}
		if kind.os != OSFlatcar {
			continue
		}
		once.DataDisk = nil
		accepted(t, once.Validate(now))
	}
}

// What a node with its defaults written out renders is what it renders without.
func TestNodeValidatesWithItsDefaults(t *testing.T) {
	for _, kind := range nodeKinds {
		accepted(t, nodeOf(t, kind.os, kind.role).WithDefaults().Validate(now))
	}
}

// Every file and every argument list of a local machine, per role and minor.
func TestNodeGolden(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		for _, role := range []Role{RoleControlPlane, RoleWorker} {
			n := nodeOf(t, OSHost, role)
			n.KubernetesVersion = version
			directory := "node/" + minor(version) + "/host-" + string(role) + "/"
			var files []File
			var err error
			arguments := map[string][]string{}
			if role == RoleWorker {
				n.Kubelet.KubeReserved = map[string]string{"cpu": "200m"}
				w := n.Worker()
				files, err = w.Files()
				arguments[componentKubelet], arguments["containerd"] = w.KubeletArgs(), w.ContainerdArgs()
			} else {
				c := n.ControlPlaneSpec()
				files, err = c.Files()
				for _, component := range []string{ComponentEtcd, ComponentAPIServer, ComponentControllerManager, ComponentScheduler} {
					arguments[component] = c.arguments(component)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			accepted(t, n.Validate(now))
			for _, file := range files {
				golden.Compare(t, directory+strings.TrimPrefix(file.Path, "/"), file.Contents)
			}
			for component, list := range arguments {
				golden.Compare(t, directory+component+".args", strings.Join(list, "\n")+"\n")
			}
			rules, err := Nftables(n.HostFirewall())
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, directory+"nftables.nft", rules)
		}
	})
}

// A node gives its renderers what a hand-written specification would.
func TestNodeDerivesTheSameSpecifications(t *testing.T) {
	want := worker(t)
	n := nodeOf(t, OSHost, RoleWorker)
	n.Labels, n.Taints, n.SandboxImage = want.Labels, want.Taints, want.SandboxImage
	if got := n.Worker(); !reflect.DeepEqual(got, want) {
		t.Errorf("worker:\n%+v\nwant\n%+v", got, want)
	}
	control := isolated()
	n = nodeOf(t, OSHost, RoleControlPlane)
	n.ControlPlane.SANs = control.SANs
	if got := n.ControlPlaneSpec(); !reflect.DeepEqual(got, control) {
		t.Errorf("control plane:\n%+v\nwant\n%+v", got, control)
	}
	n.Cluster.ControlPlanes = []Machine{{Name: "control-plane", Address: "10.80.0.10"}, {Name: "control-plane-2", Address: "10.80.0.20"}, {Name: "control-plane-3", Address: "10.80.0.30"}}
	if got := n.ControlPlaneSpec(); !reflect.DeepEqual(got.EtcdMembers, several().EtcdMembers) {
		t.Errorf("members of etcd: %v", got.EtcdMembers)
	}
	accepted(t, n.Validate(now))
}

// A group's machine learns its address, and its kubelet cannot listen before.
func TestNodeThatLearnsItsAddress(t *testing.T) {
	n := nodeOf(t, OSFlatcar, RoleWorker)
	if w := n.Worker(); w.NodeIP != AddressLearnedAtBoot || w.PodCIDR != "10.81.0.0/16" {
		t.Errorf("worker at %s with %s", w.NodeIP, w.PodCIDR)
	}
	n.Platform = PlatformMetal
	n.TimeServers = []string{"10.80.0.2"}
	refused(t, n.Validate(now), "address", "")
	n.Address = "10.80.0.11"
	accepted(t, n.Validate(now))
}

// Fields of the kubelet reach its configuration, and add to the hardened ones.
func TestNodeKubeletFields(t *testing.T) {
	n := nodeOf(t, OSHost, RoleWorker)
	n.Kubelet.KubeReserved = map[string]string{"memory": "1Gi"}
	n.Kubelet.EvictionHard = map[string]string{"memory.available": "5%"}
	n.Kubelet.MaxPods = 30
	n.Kubelet.Extra = map[string]any{"podPidsLimit": 100}
	accepted(t, n.Validate(now))
	c, err := n.Worker().KubeletConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	if c.KubeReserved["memory"] != "1Gi" || c.KubeReserved["cpu"] != "100m" || c.EvictionHard["memory.available"] != "5%" ||
		c.EvictionHard["pid.available"] != "10%" || c.MaxPods != 30 || *c.PodPidsLimit != 100 {
		t.Errorf("kubelet: %v %v %d %d", c.KubeReserved, c.EvictionHard, c.MaxPods, *c.PodPidsLimit)
	}
	if len(n.Kubelet.Extra) != 1 {
		t.Error("the caller's extra fields were changed")
	}
}
