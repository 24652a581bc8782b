package hostconfig

import (
	"encoding/json"
	"fmt"
	"path"
)

// PodBridge is the bridge to which a worker's pods are attached.
const PodBridge = "cni0"

// networkList is a CNI network configuration list, version 1.0.0:
// https://www.cni.dev/docs/spec/#section-1-network-configuration-format
type networkList struct {
	CNIVersion string `json:"cniVersion"`
	Name       string `json:"name"`
	Plugins    []any  `json:"plugins"`
}

type bridgePlugin struct {
	Type        string    `json:"type"`
	Bridge      string    `json:"bridge"`
	IsGateway   bool      `json:"isGateway"`
	IPMasq      bool      `json:"ipMasq"`
	PromiscMode bool      `json:"promiscMode"`
	HairpinMode bool      `json:"hairpinMode"`
	IPAM        hostLocal `json:"ipam"`
}

type hostLocal struct {
	Type    string        `json:"type"`
	Ranges  [][]hostRange `json:"ranges"`
	Routes  []hostRoute   `json:"routes"`
	DataDir string        `json:"dataDir"`
}

type hostRange struct {
	Subnet string `json:"subnet"`
}

type hostRoute struct {
	Destination string `json:"dst"`
}

// cniFile renders the network of pods: a bridge with this node's own range.
// There is no address translation, so that a pod is seen by its own address
// everywhere, and no portmap plugin, so that no pod opens a port of the host.
// The loopback of each pod is set up by containerd itself.
func (w Worker) cniFile() (File, error) {
	contents, err := json.MarshalIndent(networkList{
		CNIVersion: "1.0.0",
		Name:       "redoubt",
		Plugins: []any{bridgePlugin{
			Type:        "bridge",
			Bridge:      PodBridge,
			IsGateway:   true,
			HairpinMode: true, // a pod reaches itself through its own service
			IPAM: hostLocal{
				Type:    "host-local",
				Ranges:  [][]hostRange{{{Subnet: w.PodCIDR}}},
				Routes:  []hostRoute{{Destination: "0.0.0.0/0"}},
				DataDir: w.Paths.CNIState(),
			},
		}},
	}, "", "  ")
	if err != nil {
		return File{}, fmt.Errorf("network configuration: %w", err)
	}
	// 10-: containerd loads the first list of the directory and no other.
	return File{Path: path.Join(w.Paths.CNIConfig(), "10-redoubt.conflist"), Mode: modePrivate, Owner: ownerRoot,
		Contents: string(contents) + "\n"}, nil
}
