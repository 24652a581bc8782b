// Package whereabouts says where the machines of a cluster are that package boot
// runs on this host, so that another process can look at them: the verify suite of
// the local cluster, for one.
package whereabouts

import (
	"encoding/json"
	"os"
)

// Cluster is a booted cluster.
type Cluster struct {
	// Name is the cluster's, Endpoint the https URL of its API servers.
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	// Outside is the file of a network namespace from which the API is used as from
	// elsewhere in the cloud's network.
	Outside string `json:"outside"`
	// Admin holds client.crt and client.key of an administrator.
	Admin string `json:"admin"`
	// Image is one that pods can run: it serves HTTP on 8080. It is named by digest.
	Image string `json:"image"`
	// Tenants are namespaces of tenants.
	Tenants []string `json:"tenants"`
	// ControlPlane is the one whose controller manager acts, Workers are the others that run pods of tenants.
	ControlPlane Machine   `json:"controlPlane"`
	Workers      []Machine `json:"workers"`
}

// Machine is one that runs.
type Machine struct {
	// Node is the name of its node.
	Node    string `json:"node"`
	Address string `json:"address"`
	PodCIDR string `json:"podCIDR"`
	// Init is its first process, as this host counts it: its namespaces are the
	// machine's, and /proc/INIT/root is its root.
	Init int `json:"init"`
}

// Write puts it into a file that its owner alone reads.
func (c Cluster) Write(file string) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o600)
}

// Read reads what Write wrote.
func Read(file string) (c Cluster, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &c)
	}
	return c, err
}
