package netns

import (
	"strings"
	"testing"
)

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	err := Topology{
		Environment: "A_b", NodeCIDR: "10.80.0.1/24", OperatorCIDR: "10.83.0.0/31",
		Members: []Member{
			{Machine: "switch", NodeAddress: "10.80.0.10"},
			{Machine: "worker-1", NodeAddress: "nonsense", PodCIDR: "10.83.0.0/16"},
			{Machine: "worker-1", NodeAddress: "10.80.0.10", PodCIDR: "fd00::/64"},
		},
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`environment: "A_b"`, "nodeCIDR: 10.80.0.1/24 has host bits: write 10.80.0.0/24", "operatorCIDR: 10.83.0.0/31 has no room",
		`members[0].machine: "switch"`, "members[1].nodeAddress", "members[2].nodeAddress: 10.80.0.10 is the address of switch",
		`members[2].machine: "worker-1"`, "members[2].podCIDR: fd00::/64 must be IPv4", "overlap",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q:\n%v", want, err)
		}
	}
}

func TestAddressesMustBeInTheirNetworks(t *testing.T) {
	top := Topology{
		Environment: "x", NodeCIDR: "10.80.0.0/24", OperatorCIDR: "10.83.0.0/29",
		Members: []Member{{Machine: "a", NodeAddress: "10.90.0.10", OperatorAddress: "10.83.0.1"}},
	}
	err := top.Validate()
	if err == nil || !strings.Contains(err.Error(), "10.90.0.10 is not in 10.80.0.0/24") || !strings.Contains(err.Error(), "10.83.0.1 is the address of the host") {
		t.Errorf("Validate: %v", err)
	}
}

func TestNamesFitTheKernel(t *testing.T) {
	if name := HostInterface(strings.Repeat("x", 32)); len(name) > 15 {
		t.Errorf("%s is too long for an interface", name)
	}
	if HostInterface("a") == HostInterface("b") {
		t.Error("two environments share an interface")
	}
}
