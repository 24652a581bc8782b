package hostconfig

import (
	"fmt"
	"path"
	"slices"
)

// NodeIdentity is a node that may join: the approver grants a serving
// certificate for these addresses and no others.
type NodeIdentity struct {
	// Name is the node's name, a DNS label.
	Name string `json:"name"`
	// Addresses are all of its addresses.
	Addresses []string `json:"addresses"`
}

// AgentConfig is the configuration of the control plane's agent, which issues
// leaf certificates, keeps the bootstrap objects applied and approves the
// certificate requests of nodes.
type AgentConfig struct {
	// APIServer is the URL at which the agent reaches the API server.
	APIServer string `json:"apiServer"`
	// ClusterCA is the path of the cluster's authority without its suffix.
	ClusterCA string `json:"clusterCA"`
	// Kubeconfig is the agent's own, with the identity [UserAgent].
	Kubeconfig string `json:"kubeconfig"`
	// ReadyFile is written when every leaf certificate exists.
	ReadyFile string `json:"readyFile"`
	// ClusterDomain is the domain of services and pods.
	ClusterDomain string `json:"clusterDomain"`
	// Certificates are what the agent issues and renews.
	Certificates []LeafCertificate `json:"certificates"`
	// Nodes are the only nodes that may join.
	Nodes []NodeIdentity `json:"nodes"`
}

// AgentConfig gives the agent's configuration for a cluster with these nodes.
// It holds no secret.
func (c ControlPlane) AgentConfig(nodes []NodeIdentity) AgentConfig {
	c = c.WithDefaults()
	nodes = append([]NodeIdentity{}, nodes...)
	for i := range nodes {
		nodes[i].Addresses = slices.Clone(nodes[i].Addresses)
	}
	return AgentConfig{
		APIServer:     c.localEndpoint(),
		ClusterCA:     c.Authorities().Cluster,
		Kubeconfig:    c.Paths.Kubeconfig("agent"),
		ReadyFile:     path.Join(c.Paths.PKI(), ".ready"),
		ClusterDomain: c.ClusterDomain,
		Certificates:  c.LeafCertificates(),
		Nodes:         nodes,
	}
}

// Validate reports everything that is wrong with the inventory of nodes: two
// nodes with one address could each obtain the other's serving certificate.
func (a AgentConfig) Validate() error {
	var p problems
	names, addresses := map[string]bool{}, map[string]string{}
	for i, node := range a.Nodes {
		at := fmt.Sprintf("nodes[%d]", i)
		p.dnsLabel(at+".name", node.Name)
		if names[node.Name] {
			p.add(at+".name", quote(node.Name)+" is listed twice", "list each node once, with all its addresses")
		}
		names[node.Name] = true
		if len(node.Addresses) == 0 {
			p.add(at+".addresses", "is empty", "write the node's address")
		}
		for j, address := range node.Addresses {
			at := fmt.Sprintf("%s.addresses[%d]", at, j)
			p.ipv4(at, address)
			if other := addresses[address]; other != "" {
				p.add(at, address+" is also "+other+"'s", "give each node addresses of its own")
			}
			addresses[address] = node.Name
		}
	}
	return p.join()
}
