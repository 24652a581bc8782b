package selfmanaged

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// nodeConfig renders what redoubt-node reads on a control plane or in a pool.
func (s Spec) nodeConfig(node, pool string) (hostconfig.File, error) {
	contents, err := json.MarshalIndent(s.config(node, pool), "", "  ")
	if err != nil {
		return hostconfig.File{}, err
	}
	return hostconfig.File{Path: nodeconfig.File, Mode: 0o644, Owner: "root", Contents: string(contents) + "\n"}, nil
}

func (s Spec) config(node, pool string) nodeconfig.Config {
	c := nodeconfig.Config{
		Cluster: s.Cluster.Name, Cloud: s.Cloud, Store: s.Store, Endpoint: s.Cluster.Endpoint,
		CACertificate: s.Cluster.CACertificate, Node: node, Pool: pool,
	}
	if node == "" {
		return c
	}
	for _, plane := range s.ControlPlanes {
		c.ControlPlanes = append(c.ControlPlanes, nodeconfig.ControlPlane{Name: plane.Name, Address: plane.Address})
	}
	c.ControlPlaneRole = s.ControlPlaneRole
	for _, plane := range s.ControlPlanes {
		if plane.Name == node {
			c.APIServer = ownURL(plane, s.Cluster.Ports.APIServer)
		}
	}
	for _, each := range s.Pools {
		c.Pools = append(c.Pools, each.Pool)
	}
	if len(s.Encryption.Keys) > 0 {
		c.KMS = &nodeconfig.KMS{Keys: s.Encryption.Keys}
	}
	c.Snapshots = &nodeconfig.Snapshots{Bucket: s.Snapshots.Bucket}
	c.AuditLog = &nodeconfig.AuditLog{Bucket: s.AuditLog.Bucket}
	c.NetworkAgent, c.RepairAfter = s.Network.Agent, s.RepairAfter
	return c
}

// endpointHost is the name or address under which machines know the cluster.
func (s Spec) endpointHost() string {
	if u, err := url.Parse(s.Cluster.Endpoint); err == nil {
		return u.Hostname()
	}
	return ""
}

func ownURL(plane ControlPlane, port int) string {
	return fmt.Sprintf("https://%s:%d", plane.Address, port)
}
