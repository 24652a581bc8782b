package hostconfig

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate reports everything that is wrong with the node and its cluster, as
// joined [FieldError] values under the names of Node's fields. The time decides
// whether exceptions still hold. Defaults are filled in first.
//
// It looks at every machine of the cluster. For many nodes of one cluster,
// [ValidateNodes] does that once.
func (n Node) Validate(now time.Time) error {
	own, cluster := n.check(now, judged{})
	return arranged(append(own, cluster...)).join()
}

// ValidateNodes validates nodes together, each under "nodes[i]". What is wrong
// with a cluster is reported with the first node that is part of it. Two nodes of
// one cluster cannot have one name, one address or one range of pods.
func ValidateNodes(nodes []Node, now time.Time) error {
	known, taken := judged{}, map[string]int{}
	var all problems
	for i, n := range nodes {
		own, cluster := n.check(now, known)
		at := fmt.Sprintf("nodes[%d]", i)
		all.within(at, arranged(append(own, cluster...)).join())
		for _, each := range []struct{ field, value string }{{"name", n.Name}, {"address", n.Address}, {"podCIDR", n.PodCIDR}} {
			key := n.Cluster.Name + "\x00" + each.field + "\x00" + each.value
			if other, found := taken[key]; found && each.value != "" {
				all.add(at+"."+each.field, fmt.Sprintf("%q is also that of nodes[%d]", each.value, other), "give each node its own")
			} else {
				taken[key] = i
			}
		}
	}
	return all.join()
}

// arranged sorts problems, so that two runs report the same, and leaves out what
// two parts of a node report alike.
func arranged(p problems) problems {
	slices.SortStableFunc(p, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return slices.CompactFunc(p, func(a, b error) bool { return a.Error() == b.Error() })
}

// check gives what is wrong with the node, and with its cluster unless that was
// judged before.
func (n Node) check(now time.Time, known judged) (own, cluster problems) {
	own.nodeSystem(n)
	own.nodeFields(n)
	n = n.WithDefaults()
	index, cluster := known.cluster(n.Cluster)
	own.version("kubernetesVersion", n.KubernetesVersion, n.Exceptions, now)
	if n.Name != "" {
		own.dnsLabel("name", n.Name)
	}
	own.nodeLabels("labels", n.Labels)
	own.nodeNeeds(n)
	own.nodeListed(n, index)
	own.nodeKubelet(n.Kubelet)
	own.nodeKernel(n)
	own.nodeRuntime(n)
	own.nodeRegistries(n)
	own.nodeHost(n)
	own.nodeAdditions(n)
	own.exceptions("exceptions", n.Exceptions, now)
	if n.OS == OSBottlerocket {
		for i, taint := range n.Taints {
			if _, err := parseTaint(taint); err != nil {
				own.add(fmt.Sprintf("taints[%d]", i), err.Error(), "write key=value:NoSchedule, or key:NoExecute")
			}
		}
		return own, cluster
	}
	// A local control plane has no kubelet: its programs run beside each other.
	if n.Role == RoleWorker || n.OS == OSFlatcar {
		own.derived(derivedWorker, n.named().Worker().Validate(now))
	}
	if n.Role == RoleControlPlane {
		own.derived(derivedControlPlane, n.named().controlPlaneAlone().Validate(now))
	}
	// Without isolation a machine has no network of its own to guard.
	if n.Paths.Root == "" {
		cluster = append(cluster, known.firewall(n)...)
	}
	// The cluster's own report of one of its fields is the better one.
	reported := map[string]bool{}
	for _, each := range index.refused {
		reported[each] = true
	}
	own = slices.DeleteFunc(own, func(err error) bool {
		field := err.(*FieldError).Field
		return reported[field] || strings.HasPrefix(field, "cluster.") && reported[indexless(field)]
	})
	return own, cluster
}

// named gives a group's node a stand-in for the name that its machines get.
func (n Node) named() Node {
	setDefault(&n.Name, "node")
	return n
}

// controlPlaneAlone is the control plane, without its peers while the machine
// does not know its address: it could be none of those that are listed.
func (n Node) controlPlaneAlone() ControlPlane {
	c := n.ControlPlaneSpec()
	if n.Address == "" {
		c.EtcdMembers = nil
	}
	return c
}

// indexless gives "cluster.podCIDRs" for "cluster.podCIDRs[0]".
func indexless(field string) string {
	if end := strings.Index(field, "["); end >= 0 {
		return field[:end]
	}
	return field
}

// systems are the platforms of each operating system.
var systems = map[OS][]Platform{
	OSBottlerocket: {PlatformAWS},
	OSFlatcar:      {PlatformAWS, PlatformGCP, PlatformMetal},
	OSHost:         {PlatformLocal},
}

func (p *problems) nodeSystem(n Node) {
	if n.Role != RoleControlPlane && n.Role != RoleWorker {
		p.add("role", quote(string(n.Role))+" is not a role", "write control-plane or worker")
	}
	platforms, known := systems[n.OS]
	switch {
	case !known:
		p.add("os", quote(string(n.OS))+" is not an operating system", "write bottlerocket, flatcar or host")
	case !slices.Contains(platforms, n.Platform):
		p.add("platform", fmt.Sprintf("%q is no platform of %s", n.Platform, n.OS), fmt.Sprintf("write one of %v", platforms))
	}
	if n.OS == OSBottlerocket && n.Role == RoleControlPlane {
		p.add("role", "no Bottlerocket variant of EKS runs a control plane", "write worker, or the operating system flatcar")
	}
}

// nodeNeeds wants what the node cannot do without.
func (p *problems) nodeNeeds(n Node) {
	if n.OS == OSBottlerocket {
		return // the cloud gives it to managed groups, and the renderer knows which is one
	}
	wants := func(isSet bool, field, remedy string) {
		if !isSet {
			p.add(field, "is missing", remedy)
		}
	}
	wants(n.Cluster.Endpoint != "" || n.OS == OSHost && n.Role == RoleControlPlane, "cluster.endpoint", "write the URL at which nodes reach the API server")
	wants(len(n.Cluster.PodCIDRs) > 0, "cluster.podCIDRs", "write the range of the cluster's pods")
	if n.Role == RoleControlPlane {
		wants(len(n.Cluster.ServiceCIDRs) > 0, "cluster.serviceCIDRs", "write the range of the cluster's services")
	}
	if n.OS == OSHost && n.Role == RoleControlPlane {
		for _, each := range []struct {
			field string
			isSet bool
		}{
			{"kubelet.extra", len(n.Kubelet.Extra) > 0}, {"kubelet.kubeReserved", len(n.Kubelet.KubeReserved) > 0},
			{"kubelet.systemReserved", len(n.Kubelet.SystemReserved) > 0}, {"kubelet.evictionHard", len(n.Kubelet.EvictionHard) > 0},
			{"labels", len(n.Labels) > 0}, {"taints", len(n.Taints) > 0}, {"runtimeClasses", len(n.RuntimeClasses) > 0},
		} {
			if each.isSet {
				p.add(each.field, "has no effect on a local control plane, which has no kubelet", "leave it out, or write it for a worker")
			}
		}
	}
	if n.OS == OSFlatcar {
		wants(len(n.TimeServers) > 0, "timeServers", "write at least one server: certificates and logs depend on the time")
	}
}
