package local

import (
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

func valid() ClusterArgs {
	return ClusterArgs{Environment: "local", StateDirectory: "/state", ProgramsDirectory: "/bin", Isolated: true, Workers: 2, KubernetesVersion: "v1.35.4"}
}

func TestPlanAddresses(t *testing.T) {
	p, err := newPlan(valid())
	if err != nil {
		t.Fatal(err)
	}
	if p.nodeAddress != "10.80.0.10" || p.nodeEndpoint != "https://10.80.0.10:6443" {
		t.Errorf("control plane at %s, %s", p.nodeAddress, p.nodeEndpoint)
	}
	if len(p.workers) != 2 || p.workers[1] != (workerPlan{"worker-2", "10.80.0.12", "10.81.2.0/24"}) {
		t.Errorf("workers = %v", p.workers)
	}
}

// Two environments on one host must not get one operator network by default.
func TestOperatorCIDRDependsOnTheName(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"local", "dev", "prod", "it-1", "it-2"} {
		cidr := operatorCIDR(name)
		if other, taken := seen[cidr]; taken {
			t.Errorf("%s and %s share %s", name, other, cidr)
		}
		seen[cidr] = name
		if !strings.HasPrefix(cidr, "10.83.") || !strings.HasSuffix(cidr, "/29") {
			t.Errorf("%s gets %s", name, cidr)
		}
	}
}

func TestPlainClusterListensOnLoopbackWithItsOffset(t *testing.T) {
	args := valid()
	args.Isolated, args.Workers, args.PortOffset = false, 0, 1000
	p, err := newPlan(args)
	if err != nil {
		t.Fatal(err)
	}
	if p.endpoint != "https://127.0.0.1:7443" {
		t.Errorf("endpoint = %s", p.endpoint)
	}
	if got := p.controlPlaneNode().ControlPlaneSpec().BindAddress; got != "127.0.0.1" {
		t.Errorf("the API server listens on %s", got)
	}
}

// Everything that is wrong is said at once, with the field's name.
func TestPlanRefusals(t *testing.T) {
	for field, spoil := range map[string]func(*ClusterArgs){
		"workers: 21":               func(a *ClusterArgs) { a.Workers = 21 },
		"workers: 2 worker needs":   func(a *ClusterArgs) { a.Isolated = false },
		"stateDirectory":            func(a *ClusterArgs) { a.StateDirectory = "state" },
		"network.nodeCIDR":          func(a *ClusterArgs) { a.Network = &NetworkArgs{NodeCIDR: "10.80.0.0"} },
		"has host bits":             func(a *ClusterArgs) { a.Network = &NetworkArgs{NodeCIDR: "10.80.0.1/24"} },
		"is too small":              func(a *ClusterArgs) { a.Network = &NetworkArgs{OperatorCIDR: "10.83.0.0/30"} },
		"is not a private range":    func(a *ClusterArgs) { a.Network = &NetworkArgs{PodCIDR: "8.8.0.0/16"} },
		"overlaps network.nodeCIDR": func(a *ClusterArgs) { a.Network = &NetworkArgs{PodCIDR: "10.80.0.0/16"} },
	} {
		args := valid()
		spoil(&args)
		_, err := newPlan(args)
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("want an error with %q, got %v", field, err)
		}
	}
	args := valid()
	args.Workers, args.StateDirectory = -1, ""
	if _, err := newPlan(args); err == nil || len(strings.Split(err.Error(), "\n")) != 2 {
		t.Errorf("want both errors, got %v", err)
	}
}

// A setting of the workers and one of the control plane are both reported.
func TestEverythingIsValidatedAtOnce(t *testing.T) {
	args := valid()
	args.ExtraArgs = map[string]map[string]string{"kube-apiserver": {"profiling": "true"}}
	args.ExtraKubelet = map[string]any{"readOnlyPort": 10255}
	p, err := newPlan(args)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	err = p.validate(now)
	for _, want := range []string{"profiling", "CIS-1.2.15", "readOnlyPort", "CIS-4.2.4"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	p.args.Exceptions = []hostconfig.Exception{
		{Control: "CIS-1.2.15", Reason: "profiling with the vendor", Expires: "2026-12-01"},
		{Control: "CIS-4.2.4", Reason: "an old collector needs it", Expires: "2026-12-01"},
	}
	if err := p.validate(now); err != nil {
		t.Errorf("accepted risks are refused: %v", err)
	}
	if err := p.validate(now.AddDate(0, 1, 0)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired exception still counts: %v", err)
	}
}
