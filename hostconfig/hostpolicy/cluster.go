package hostpolicy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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

// Cluster describes whose traffic the policies judge. Machines that are known are
// guarded by name and address; where NodeCIDRs stand for those of a role, every
// machine is guarded by the role that its node has.
type Cluster struct {
	hostconfig.Cluster
	hostconfig.Surroundings
	// Stage is Enforce by default.
	Stage Stage `json:"stage,omitempty"`
}

// WithDefaults gives a copy with the defaults of the cluster and the stage.
func (c Cluster) WithDefaults() Cluster {
	c.Cluster = c.Cluster.WithDefaults()
	f := c.firewall(hostconfig.RoleWorker)
	c.Surroundings, c.Ports = f.Surroundings, f.Ports
	if c.Stage == "" {
		c.Stage = Enforce
	}
	return c
}

// firewall is the same cluster as the nftables renderer sees it.
func (c Cluster) firewall(role hostconfig.Role) hostconfig.Firewall {
	return c.Cluster.Firewall(role, c.Surroundings)
}

// grouped tells whether machines of a role are not known one by one. The plugin
// then guards every machine alike, because an endpoint for one machine and a
// general one would stand in each other's way.
func (c Cluster) grouped() bool {
	return len(c.NodeCIDRs) > 0 && (len(c.Workers) == 0 || len(c.ControlPlanes) == 0)
}

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// Validate reports everything that is wrong, as joined [hostconfig.FieldError]
// values. The description is judged by [hostconfig.Cluster.Validate], what the
// policies make of it by [hostconfig.Firewall.Validate].
func (c Cluster) Validate() error {
	c = c.WithDefaults()
	var p problems
	p.take(c.Cluster.Validate(), func(field string) string { return field })
	described := len(p) == 0
	if len(c.ControlPlanes) == 0 && !c.Managed && len(c.NodeCIDRs) == 0 {
		p.add("controlPlanes", "is empty", "list the machines of the control plane")
	}
	if len(c.PodCIDRs) == 0 {
		p.add("podCIDRs", "is empty", "write the ranges of pods")
	}
	if described && len(p) == 0 {
		// One mistake is reported once, where it was made.
		role := hostconfig.RoleControlPlane
		if c.Managed {
			role = hostconfig.RoleWorker
		}
		p.take(c.firewall(role).Validate(), c.fieldOfFirewall)
	}
	if c.Stage != Enforce && c.Stage != Audit {
		p.add("stage", fmt.Sprintf("%q is not a stage", c.Stage), "write enforce or audit")
	}
	slices.SortStableFunc(p, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(p...)
}

// fieldOfFirewall names a field of the firewall as the cluster does.
func (c Cluster) fieldOfFirewall(field string) string {
	switch {
	case field == "controlPlane" || strings.HasPrefix(field, "controlPlane["):
		field = strings.Replace(field, "controlPlane", "controlPlanes", 1)
		if len(c.ControlPlanes) == 0 {
			return strings.Replace(field, "controlPlanes", "nodeCIDRs", 1)
		}
	case strings.HasPrefix(field, "workers[") && len(c.Workers) == 0:
		return strings.Replace(field, "workers", "nodeCIDRs", 1)
	case field == "podCIDR":
		return "podCIDRs[0]"
	}
	if strings.HasPrefix(field, "controlPlanes[") || strings.HasPrefix(field, "workers[") {
		field += ".address"
	}
	return field
}

func (p *problems) take(err error, rename func(string) string) {
	if joined, several := err.(interface{ Unwrap() []error }); several {
		for _, each := range joined.Unwrap() {
			p.take(each, rename)
		}
		return
	}
	var one *hostconfig.FieldError
	if errors.As(err, &one) {
		p.add(rename(one.Field), one.Problem, one.Remedy)
	}
}
