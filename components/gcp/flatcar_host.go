package gcp

import (
	"fmt"
	"maps"
	"slices"
	"time"

	parts "github.com/redoubt-dev/redoubt/components/internal/selfmanaged"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/selfmanaged"
)

// spec is what every machine of the cluster is made from, without what resources
// tell it.
func (a FlatcarClusterArgs) spec() (selfmanaged.Spec, error) {
	s := a.Host
	balancer, addresses, err := ControlPlaneAddresses(a.ControlPlaneCIDR, a.ControlPlane.Machines)
	if err != nil {
		return s, err
	}
	s.Cloud = nodeconfig.Cloud{Platform: hostconfig.PlatformGCP, Region: a.Project.Region, Project: a.Project.ID, Zones: a.Zones}
	s.Cluster.Name, s.Cluster.Endpoint = a.Cluster, endpointOf(balancer)
	s.Cluster.PodCIDRs, s.Cluster.ServiceCIDRs = []string{a.PodCIDR}, []string{a.ServiceCIDR}
	s.Cluster.NodeCIDRs, s.Cluster.Operators = []string{a.NodeCIDR, a.ControlPlaneCIDR}, a.Operators
	s.KubernetesVersion, s.Exceptions = a.KubernetesVersion, a.Exceptions
	s.Kubernetes = flatcar.Image{Source: a.Kubernetes.Source, Hash: a.Kubernetes.Hash}
	s.ControlPlanes = nil
	for i, address := range addresses {
		s.ControlPlanes = append(s.ControlPlanes, selfmanaged.ControlPlane{Name: a.controlPlaneName(i), Address: address})
	}
	s.ControlPlaneRole = a.Project.email(FlatcarAccount(a.Cluster, ""))
	s.Pools = nil
	for _, p := range a.Pools {
		s.Pools = append(s.Pools, p.spec(a))
	}
	s.LoadBalancer.Passthrough = balancer
	s.Network.CNI = selfmanaged.CNI(a.CNI)
	s.Node.Surroundings.Services = append([]hostconfig.Service{hostconfig.RestrictedGoogleAPIs()}, s.Node.Surroundings.Services...)
	s.Store, s.Snapshots.Bucket, s.AuditLog.Bucket = StoreName(a.Project, a.Cluster), SnapshotsName(a.Project, a.Cluster), AuditLogName(a.Project, a.Cluster)
	s.Encryption.Provider = hostconfig.EncryptionProvider(a.Encryption.Provider)
	s.Program, err = parts.ReadProgram(a.ProgramFile)
	return s, err
}

func (a FlatcarClusterArgs) localKeys() bool {
	return a.Encryption.Provider == string(hostconfig.EncryptionSecretbox)
}

func endpointOf(address string) string {
	return fmt.Sprintf("https://%s:%d", address, hostconfig.DefaultPorts().APIServer)
}

// spec is the pool as package selfmanaged describes it.
func (p FlatcarPoolArgs) spec(a FlatcarClusterArgs) selfmanaged.Pool {
	pool := selfmanaged.Pool{
		Pool:   nodeconfig.Pool{Name: p.Name, Role: a.Project.email(FlatcarAccount(a.Cluster, p.Name)), Group: poolGroup(a.Cluster, p.Name)},
		Labels: maps.Clone(p.NodeLabels), Taints: slices.Clone(p.Taints), RuntimeClasses: p.RuntimeClasses, Extensions: p.Extensions,
	}
	if p.Isolation != "" {
		pool.Taints = append([]string{isolationKey + "=" + p.Isolation + ":NoSchedule"}, pool.Taints...)
	}
	return pool
}

// checkHost reports what machines refuse, below "host".
func (a FlatcarClusterArgs) checkHost(now time.Time) error {
	spec, err := a.spec()
	if err != nil {
		return &hostconfig.FieldError{Field: "programFile", Problem: err.Error(), Remedy: "build it with make node-program"}
	}
	example := a.Project.path("keyRings", a.Cluster) + "/cryptoKeys/" + a.Cluster + "-secrets"
	return hostconfig.Within("host", parts.Check(spec, selfmanaged.PersistentDiskDevice(dataDevice), example, a.localKeys(), now))
}
