package hostpolicy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Stage says what a policy does to the traffic that it does not allow.
type Stage string

// Stages.
const (
	// Enforce drops it. The default.
	Enforce Stage = "enforce"
	// Audit only reports it, for a cluster that already serves. With Calico the
	// policies are staged (v3.30 and later). With Cilium the whole agent only
	// audits, policies of pods included: keep it short.
	Audit Stage = "audit"
)

// Machine is one machine of the cluster.
type Machine struct {
	// Name is the node's name, a DNS label. Required.
	Name string `json:"name"`
	// Address is its IPv4 address on the node network. Required.
	Address string `json:"address"`
	// PodCIDR is the range of a worker's own pods, which its kubelet probes.
	// Required for workers, not read for control planes.
	PodCIDR string `json:"podCIDR,omitempty"`
}

// Cluster describes whose traffic the policies judge.
type Cluster struct {
	Ports hostconfig.Ports `json:"ports"`
	// ControlPlanes is required.
	ControlPlanes []Machine `json:"controlPlanes"`
	Workers       []Machine `json:"workers,omitempty"`
	// Operators are the ranges from which people reach the API server.
	Operators []string `json:"operators,omitempty"`
	// PodCIDR is the whole cluster's range of pods. Required.
	PodCIDR string `json:"podCIDR"`
	// Stage is Enforce by default.
	Stage Stage `json:"stage,omitempty"`
}

// WithDefaults gives a copy with the default ports and stage.
func (c Cluster) WithDefaults() Cluster {
	c.Ports = c.Ports.WithDefaults()
	if c.Stage == "" {
		c.Stage = Enforce
	}
	return c
}

// firewall is the same cluster as the nftables renderer sees it.
func (c Cluster) firewall(role hostconfig.Role) hostconfig.Firewall {
	f := hostconfig.Firewall{Role: role, Ports: c.Ports, Operators: c.Operators, PodCIDR: c.PodCIDR}
	for _, machine := range c.ControlPlanes {
		f.ControlPlane = append(f.ControlPlane, machine.Address)
	}
	for _, machine := range c.Workers {
		f.Workers = append(f.Workers, machine.Address)
	}
	return f
}

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. Addresses and ranges are judged by [hostconfig.Firewall.Validate].
func (c Cluster) Validate() error {
	c = c.WithDefaults()
	var p problems
	p.firewall(c.firewall(hostconfig.RoleControlPlane).Validate())
	if c.Stage != Enforce && c.Stage != Audit {
		p.add("stage", fmt.Sprintf("%q is not a stage", c.Stage), "write enforce or audit")
	}
	names, addresses := map[string]bool{}, map[string]bool{}
	for field, machines := range map[string][]Machine{"controlPlanes": c.ControlPlanes, "workers": c.Workers} {
		for i, machine := range machines {
			at := fmt.Sprintf("%s[%d]", field, i)
			if len(validation.IsDNS1123Label(machine.Name)) > 0 {
				p.add(at+".name", fmt.Sprintf("%q is not a DNS label", machine.Name), "write the node's name")
			}
			if address, err := netip.ParseAddr(machine.Address); err != nil || !address.Is4() {
				p.add(at+".address", fmt.Sprintf("%q is not an IPv4 address", machine.Address), "write the machine's address")
			}
			if names[machine.Name] || addresses[machine.Address] {
				p.add(at, "its name or address is that of another machine", "list each machine once")
			}
			names[machine.Name], addresses[machine.Address] = true, true
		}
	}
	p.podRanges(c)
	slices.SortStableFunc(p, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(p...)
}

// firewall takes over what the firewall refuses, under the names used here.
func (p *problems) firewall(err error) {
	joined, several := err.(interface{ Unwrap() []error })
	if !several {
		return
	}
	for _, each := range joined.Unwrap() {
		var one *hostconfig.FieldError
		if errors.As(each, &one) {
			field := strings.Replace(one.Field, "controlPlane", "controlPlanes", 1)
			if strings.HasPrefix(field, "controlPlanes[") || strings.HasPrefix(field, "workers[") {
				field += ".address"
			}
			p.add(field, one.Problem, one.Remedy)
		}
	}
}

func (p *problems) podRanges(c Cluster) {
	all, err := netip.ParsePrefix(c.PodCIDR)
	if err != nil {
		return // reported already
	}
	var seen []netip.Prefix
	for i, machine := range c.Workers {
		at := fmt.Sprintf("workers[%d].podCIDR", i)
		own, err := netip.ParsePrefix(machine.PodCIDR)
		switch {
		case err != nil || !own.Addr().Is4() || own != own.Masked():
			p.add(at, fmt.Sprintf("%q is not an IPv4 range", machine.PodCIDR), "write the node's own range, such as 10.81.1.0/24")
		case !all.Contains(own.Addr()) || own.Bits() < all.Bits():
			p.add(at, fmt.Sprintf("%s lies outside podCIDR %s", own, all), "write a part of the cluster's range")
		case slices.ContainsFunc(seen, own.Overlaps):
			p.add(at, fmt.Sprintf("%s overlaps that of an earlier worker", own), "give each worker a range of its own")
		}
		seen = append(seen, own)
	}
}
