package hostconfig

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCNI(t *testing.T) {
	file, err := worker(t).cniFile()
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		CNIVersion string
		Plugins    []struct {
			Type, Bridge                   string
			IsGateway, IPMasq, PromiscMode bool
			IPAM                           struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal([]byte(file.Contents), &list); err != nil {
		t.Fatal(err)
	}
	if file.Mode != 0o600 || list.CNIVersion != "1.0.0" || len(list.Plugins) != 1 {
		t.Fatalf("%+v", file)
	}
	bridge := list.Plugins[0]
	if bridge.Type != "bridge" || bridge.Bridge != "cni0" || !bridge.IsGateway || bridge.IPMasq || bridge.PromiscMode {
		t.Errorf("%+v", bridge)
	}
	if bridge.IPAM.Ranges[0][0].Subnet != "10.81.1.0/24" {
		t.Errorf("%+v", bridge.IPAM)
	}
	if strings.Contains(file.Contents, "portmap") {
		t.Error("pods could open ports of the host")
	}
	// The firewall names the same bridge.
	if got := (Firewall{}).WithDefaults().PodInterface; got != bridge.Bridge {
		t.Errorf("the firewall expects pods behind %s", got)
	}
}
