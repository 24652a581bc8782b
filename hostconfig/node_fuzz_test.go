package hostconfig

import (
	"encoding/json"
	"testing"
)

// FuzzNodeValidate wants no panic, and that what validates renders.
func FuzzNodeValidate(f *testing.F) {
	for _, kind := range nodeKinds {
		document, err := json.Marshal(nodeOf(f, kind.os, kind.role))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	for _, a := range attempts() {
		n := nodeOf(f, a.os, a.role)
		a.spoil(&n)
		document, err := json.Marshal(n)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		var n Node
		if json.Unmarshal(document, &n) != nil {
			return
		}
		if n.Validate(now) != nil || n.OS == OSBottlerocket {
			return
		}
		if n.Role == RoleWorker || n.OS == OSFlatcar {
			if _, err := n.Worker().Files(); err != nil {
				t.Errorf("a valid node has no files: %v", err)
			}
			n.Worker().KubeletArgs()
		}
		if n.Role == RoleControlPlane {
			c := n.ControlPlaneSpec()
			if _, err := c.Files(); err != nil {
				t.Errorf("a valid control plane has no files: %v", err)
			}
			c.APIServerArgs()
			c.EtcdArgs()
		}
		if n.Paths.Root == "" {
			if _, err := Nftables(n.HostFirewall()); err != nil {
				t.Errorf("a valid node has no firewall: %v", err)
			}
		}
		if err := n.WithDefaults().Validate(now); err != nil {
			t.Errorf("valid without its defaults, and not with them: %v", err)
		}
	})
}
