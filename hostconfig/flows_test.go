package hostconfig

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestPortTableGolden(t *testing.T) {
	rendered, err := json.MarshalIndent(PortTable(Ports{Webhooks: []int{9443}}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "flows.json", string(rendered)+"\n")
}

func TestPortTable(t *testing.T) {
	names := map[string]bool{}
	for _, flow := range PortTable(Ports{}) {
		if names[flow.Name] || flow.Reason == "" || len(flow.Controls) == 0 {
			t.Errorf("repeated, or without reason or control: %+v", flow)
		}
		names[flow.Name] = true
		for _, control := range flow.Controls {
			if !controlPattern.MatchString(control) {
				t.Errorf("%s: %q is not a control", flow.Name, control)
			}
		}
		// Operators reach the API and nothing else.
		if flow.From == Operators && (flow.To != ControlPlanes || flow.Port != 6443) || flow.To == Operators {
			t.Errorf("operators: %+v", flow)
		}
		// etcd is for control planes, its metrics and the managers for the machine itself.
		if slices.Contains([]int{2379, 2380, 2381, 10257, 10259, 10248}, flow.Port) && flow.From != Loopback &&
			!(flow.From == ControlPlanes && flow.To == ControlPlanes && flow.Port < 2381) {
			t.Errorf("too open: %+v", flow)
		}
		if flow.Port == 10250 && flow.From != ControlPlanes {
			t.Errorf("kubelets answer to control planes only: %+v", flow)
		}
	}
}
