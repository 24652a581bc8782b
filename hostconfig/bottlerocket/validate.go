package bottlerocket

import (
	"errors"
	"strconv"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

func (p *problems) join(err error) {
	if err != nil {
		*p = append(*p, err)
	}
}

// Validate reports everything that is wrong with the specification, as joined
// [hostconfig.FieldError] values; those of the node stand below "node". The time
// decides whether exceptions still hold. Defaults are filled in first.
func (s Spec) Validate(now time.Time) error {
	var p problems
	p.join(hostconfig.Within("node", s.Node.Validate(now)))
	s = s.WithDefaults()
	p.node(s.Node)
	p.group(s)
	p.variant(s)
	if s.AdminContainer && !hostconfig.Excepted(s.Node.Exceptions, adminContainer) {
		p.add("adminContainer", "the SSH server is locked off by control "+adminContainer, hostconfig.AcceptRisk(adminContainer))
	}
	if len(s.ImageVerifiers) > 0 && !s.installsVerifiers() {
		p.add("imageVerifiers", "need a program that the image does not have, and without it containerd pulls every image",
			"add an essential container with mode once or always to bootstrapContainers, which installs it into /opt/civ/bin")
	}
	settings, refused := s.effective()
	p = append(p, refused...)
	p.image(s, settings)
	p.consistent(settings)
	p.mergeable(s, settings)
	if len(p) == 0 {
		_, err := s.Render()
		p.join(err)
	}
	return errors.Join(p...)
}

// node refuses what Bottlerocket cannot honour, besides what
// [hostconfig.Node.Validate] knows of operating systems.
func (p *problems) node(n hostconfig.Node) {
	if n.OS != hostconfig.OSBottlerocket {
		p.add("node.os", strconv.Quote(string(n.OS))+" is another operating system", "write bottlerocket")
	}
	for _, each := range []struct{ field, value, reason string }{
		{"node.name", n.Name, "the operating system takes the node's name from EC2, which the cloud provider demands"},
		{"node.address", n.Address, "EC2 gives the node its address"},
		{"node.podCIDR", n.PodCIDR, "pods take addresses that the cluster's network agent hands out"},
	} {
		if each.value != "" {
			p.add(each.field, "has no effect on bottlerocket: "+each.reason, "leave it out")
		}
	}
}

// group wants what the node needs to reach the cluster where nothing injects it.
func (p *problems) group(s Spec) {
	switch s.Group {
	case ManagedGroup:
		return
	case SelfManaged:
	default:
		p.add("group", strconv.Quote(string(s.Group))+" is not a group", "write managed-group or self-managed")
		return
	}
	for _, each := range []struct {
		field string
		isSet bool
	}{
		{"node.cluster.endpoint", s.Node.Cluster.Endpoint != ""},
		{"node.cluster.caCertificate", s.Node.Cluster.CACertificate != ""}, {"node.cluster.dns", len(s.Node.Cluster.DNS) > 0},
	} {
		if !each.isSet {
			p.add(each.field, "is missing", "write it: nothing injects it into a self-managed node")
		}
	}
}

// installsVerifiers tells whether a bootstrap container can, without which the
// node does not boot.
func (s Spec) installsVerifiers() bool {
	for _, container := range s.BootstrapContainers {
		if container.Essential != nil && *container.Essential && (is(container.Mode, "once") || is(container.Mode, "always")) {
			return true
		}
	}
	return false
}
