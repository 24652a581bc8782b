package hostconfig

import (
	"fmt"
	"reflect"
)

// clusterIndex is what one look at a cluster leaves for its nodes.
type clusterIndex struct {
	// machines are by role and name, owners the fields of machines by address.
	machines map[string]Machine
	owners   map[string]string
	// refused are the fields that are wrong, with their lists.
	refused []string
	// firewalls are judged by role and interfaces.
	firewalls map[string]bool
}

// judged are the clusters that were judged, by what identifies them.
type judged map[string]*clusterIndex

// identity tells clusters apart without reading their machines: by the lists
// themselves, which nobody changes while they are judged.
func (c Cluster) identity() string {
	list := func(values any) string {
		v := reflect.ValueOf(values)
		return fmt.Sprintf("%x+%d", v.Pointer(), v.Len())
	}
	return fmt.Sprintf("%q %t %q %q %q %s %s %s %s %s %s %s %v", c.Name, c.Managed, c.Endpoint, c.CACertificate, c.Domain,
		list(c.DNS), list(c.PodCIDRs), list(c.ServiceCIDRs), list(c.NodeCIDRs), list(c.ControlPlanes), list(c.Workers), list(c.Operators), c.Ports)
}

// cluster gives the index of a cluster, and what is wrong with it the first time.
func (j judged) cluster(c Cluster) (*clusterIndex, problems) {
	identity := c.identity()
	if index, found := j[identity]; found {
		return index, nil
	}
	index := &clusterIndex{machines: map[string]Machine{}, owners: map[string]string{}, firewalls: map[string]bool{}}
	j[identity] = index
	for role, machines := range map[Role][]Machine{RoleControlPlane: c.ControlPlanes, RoleWorker: c.Workers} {
		for i, machine := range machines {
			index.machines[string(role)+"/"+machine.Name] = machine
			index.owners[machine.Address] = fmt.Sprintf("%s[%d]", machineFields[role], i)
		}
	}
	var p problems
	p.within("cluster", c.Validate())
	for _, each := range p {
		field := each.(*FieldError).Field
		index.refused = append(index.refused, field, indexless(field))
	}
	return index, p
}

// firewall gives what is wrong with the firewall of the node's role, the first
// time. It names every machine, so its time is that of the cluster.
func (j judged) firewall(n Node) problems {
	index := j[n.Cluster.identity()]
	// In the syntax of Go, which quotes texts: no list can look like another one.
	key := fmt.Sprintf("%q %q %#v %#v %q", n.Role, n.Platform, n.Interfaces, n.Surroundings, n.TimeServers)
	if index == nil || index.firewalls[key] {
		return nil
	}
	index.firewalls[key] = true
	var found, p problems
	found.derived(derivedFirewall, n.HostFirewall().Validate())
	refused := map[string]bool{}
	for _, field := range index.refused {
		refused[field] = true
	}
	for _, each := range found {
		if field := each.(*FieldError).Field; field != "role" && !refused[field] && !refused[indexless(field)] {
			p = append(p, each)
		}
	}
	return p
}

// machineFields are the lists of machines by role.
var machineFields = map[Role]string{RoleControlPlane: "cluster.controlPlanes", RoleWorker: "cluster.workers"}

// nodeListed wants a node that the cluster lists to be the one that it lists.
func (p *problems) nodeListed(n Node, index *clusterIndex) {
	listed, found := index.machines[string(n.Role)+"/"+n.Name]
	field := machineFields[n.Role]
	if !found || field == "" {
		// The address of another machine would have its rights in every firewall.
		if owner := index.owners[n.Address]; owner != "" && n.Address != "" && n.Name != "" {
			p.add("address", fmt.Sprintf("%q is that of %s, which has another name or role", n.Address, owner), "write the node's own address, or its name and role as they are listed")
		}
		return
	}
	if n.Address != "" && n.Address != listed.Address {
		p.add("address", fmt.Sprintf("%q differs from that in %s, %q", n.Address, field, listed.Address), "write the same in both")
	}
	if n.PodCIDR != "" && listed.PodCIDR != "" && n.PodCIDR != listed.PodCIDR {
		p.add("podCIDR", fmt.Sprintf("%q differs from that in %s, %q", n.PodCIDR, field, listed.PodCIDR), "write the same in both")
	}
}
