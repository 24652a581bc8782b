package network

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Ranges that are no destination of a flow, whatever their size.
var never = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"}, {netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local, where instance metadata is (M21)"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"}, {netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// podIdentity is the agent of EKS Pod Identity, which gives a pod the credentials
// of its own account and of no machine:
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
var podIdentity = []string{"169.254.170.23/32", "fd00:ec2::23/128"}

// Widest ranges of a flow: what is larger is the internet, not a destination.
const (
	widestIPv4 = 8
	widestIPv6 = 32
)

// fqdn is a name with at least one dot, with or without an asterisk in place of
// its first label.
var fqdn = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$`)

// problems collects what is wrong; each names its field and the remedy.
type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// Validate reports everything that is wrong with the network of a cluster.
func (s Settings) Validate(at string) error {
	var p problems
	if !slices.Contains([]Plugin{Standard, Calico, Cilium}, s.Plugin) {
		p.add(at+".plugin", fmt.Sprintf("%q is not a plugin that is known", s.Plugin), "write calico or cilium, or leave it out: standard policies work with any plugin that enforces them")
	}
	plugins := map[Form]Plugin{CalicoGlobal: Calico, CiliumClusterwide: Cilium}
	if !slices.Contains([]Form{NoForm, ClusterNetworkPolicy, AdminNetworkPolicy, CalicoGlobal, CiliumClusterwide}, s.ClusterPolicies) {
		p.add(at+".clusterPolicies", fmt.Sprintf("%q is not a form", s.ClusterPolicies), "write calico, cilium, cluster-network-policy or admin-network-policy, or leave it out")
	} else if needs := plugins[s.ClusterPolicies]; needs != "" && s.Plugin != needs {
		p.add(at+".clusterPolicies", fmt.Sprintf("only %s reads this form, and the plugin is %q", needs, s.Plugin), "write "+string(needs)+" as plugin, or another form")
	}
	for i, address := range s.NodeLocalDNS {
		if _, err := netip.ParseAddr(address); err != nil || slices.Contains(hostconfig.MetadataAddresses(), address) {
			p.add(fmt.Sprintf("%s.nodeLocalDNS[%d]", at, i), fmt.Sprintf("%q is not the address of a DNS cache", address), "write it like 169.254.20.10")
		}
	}
	for i, value := range s.NodeCIDRs {
		p.prefix(fmt.Sprintf("%s.nodeCIDRs[%d]", at, i), value)
	}
	for i, exempt := range s.Exempt {
		p.namespace(fmt.Sprintf("%s.exempt[%d].namespace", at, i), exempt.Namespace)
		p.reason(fmt.Sprintf("%s.exempt[%d].reason", at, i), exempt.Reason)
	}
	s.system(&p, at)
	return errors.Join(p...)
}

// Validate reports everything that is wrong with the flows of a tenant in a cluster with these settings.
func (t Tenant) Validate(s Settings) error {
	var p problems
	for _, direction := range []struct {
		at    string
		flows []Flow
	}{{ingress, t.Ingress}, {egress, t.Egress}} {
		names := map[string]bool{}
		for i, flow := range direction.flows {
			at := fmt.Sprintf("%s[%d]", direction.at, i)
			for _, message := range validation.IsDNS1123Label(flow.Name) {
				p.add(at+".name", fmt.Sprintf("%q: %s", flow.Name, message), "write a short name such as database")
			}
			if names[flow.Name] {
				p.add(at+".name", fmt.Sprintf("%q is used twice", flow.Name), "give each flow of a direction its own name")
			}
			names[flow.Name] = true
			p.flow(at, direction.at, flow, s)
		}
	}
	return errors.Join(p...)
}

const (
	ingress = "ingress"
	egress  = "egress"
)

func (p *problems) flow(at, direction string, f Flow, s Settings) {
	var ends []string
	for name, value := range map[string]string{"tenant": f.Tenant, "cidr": f.CIDR, "fqdn": f.FQDN} {
		if value != "" {
			ends = append(ends, name)
		}
	}
	if f.APIServer {
		ends = append(ends, "apiServer")
		p.toAPIServer(at, direction, f, s)
	}
	if len(ends) != 1 {
		p.add(at, fmt.Sprintf("has %d of tenant, cidr, fqdn and apiServer", len(ends)), "write exactly one of them: the other end of the flow")
	}
	if f.Tenant != "" {
		p.namespace(at+".tenant", f.Tenant)
	} else if len(f.TenantWorkloads) > 0 {
		p.add(at+".tenantWorkloads", "selects pods of no tenant", "write tenant as well, or leave it out")
	}
	if f.CIDR != "" {
		p.destination(at+".cidr", f.CIDR, direction, f.Ports)
	}
	if f.FQDN != "" {
		switch {
		case direction != egress:
			p.add(at+".fqdn", "names are known of destinations alone", "write tenant or cidr")
		case s.Plugin != Cilium:
			p.add(at+".fqdn", "the cluster's network plugin has no policies by name", "write cidr, or network.plugin: cilium where that enforces policies")
		}
		if !fqdn.MatchString(f.FQDN) || len(f.FQDN) > 253 {
			p.add(at+".fqdn", fmt.Sprintf("%q is not a name of a host", f.FQDN), "write it like api.example.org or *.example.org")
		}
	}
	for name, labels := range map[string]map[string]string{"workloads": f.Workloads, "tenantWorkloads": f.TenantWorkloads} {
		for _, problem := range metavalidation.ValidateLabels(labels, field.NewPath(at, name)) {
			p.add(problem.Field, problem.Detail, "write labels of pods such as app: shop")
		}
	}
	if len(f.Ports) == 0 && !f.APIServer {
		p.add(at+".ports", "is empty, which means every port", "write the ports that are needed")
	}
	for i, port := range f.Ports {
		p.port(fmt.Sprintf("%s.ports[%d]", at, i), port)
	}
	p.reason(at+".reason", f.Reason)
}

func (p *problems) toAPIServer(at, direction string, f Flow, s Settings) {
	if direction != egress {
		p.add(at+".apiServer", "the API server reaches pods through the kubelets of their nodes, whom policies let pass", "write it in egress")
	}
	if len(s.APIServers) == 0 {
		p.add(at+".apiServer", "it is not known where the API server of the cluster is", "write baseline.network.apiServers")
	}
	if len(f.Ports) > 0 {
		p.add(at+".ports", "the port of the API server is known", "leave it out")
	}
}

func (p *problems) port(at string, port Port) {
	if !slices.Contains([]string{"", "TCP", "UDP"}, port.Protocol) {
		p.add(at+".protocol", fmt.Sprintf("%q is not a protocol of flows", port.Protocol), "write TCP or UDP, or leave it out for TCP")
	}
	if port.Port < 1 || port.Port > 65535 {
		p.add(at+".port", fmt.Sprintf("%d is not a port", port.Port), "write a port between 1 and 65535")
	}
	if port.EndPort != 0 && (port.EndPort <= port.Port || port.EndPort > 65535) {
		p.add(at+".endPort", fmt.Sprintf("%d does not end a range that begins with %d", port.EndPort, port.Port), "write a larger port, at most 65535, or leave it out")
	}
}

// destination judges a range outside of the cluster.
func (p *problems) destination(at, value, direction string, ports []Port) {
	if slices.Contains(podIdentity, value) && direction == egress {
		if len(ports) != 1 || ports[0] != (Port{Port: 80}) {
			p.add(at, "is the agent of EKS Pod Identity, which listens on port 80", "write port 80 of TCP alone")
		}
		return
	}
	prefix, ok := p.prefix(at, value)
	if !ok {
		return
	}
	for _, each := range never {
		if each.prefix.Overlaps(prefix) && prefix.Bits() >= each.prefix.Bits() {
			p.add(at, value+" is "+each.what, "write the range of a destination")
			return
		}
	}
	p.narrow(at, value)
}

func (p *problems) prefix(at, value string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || prefix.Addr().Is4In6():
		p.add(at, fmt.Sprintf("%q is not a range", value), "write it like 10.20.0.0/24")
	case prefix != prefix.Masked():
		p.add(at, value+" has host bits", "write "+prefix.Masked().String())
	default:
		return prefix, true
	}
	return prefix, false
}

func (p *problems) namespace(at, name string) {
	for _, message := range validation.IsDNS1123Label(name) {
		p.add(at, fmt.Sprintf("%q: %s", name, message), "write the name of a namespace")
	}
}

func (p *problems) reason(at, reason string) {
	if len(strings.TrimSpace(reason)) < 8 {
		p.add(at, fmt.Sprintf("%q tells nobody why", reason), "write in a sentence what fails without it")
	}
}

// Unanswered tells which flows of a tenant to another tenant of the same cluster
// are not allowed at the other end, so that nothing comes of them.
func Unanswered(tenants map[string]Tenant, name string) error {
	var p problems
	for i, flow := range tenants[name].Egress {
		other, known := tenants[flow.Tenant]
		if !known || slices.ContainsFunc(other.Ingress, func(in Flow) bool { return in.Tenant == name && overlap(in.Ports, flow.Ports) }) {
			continue
		}
		p.add(fmt.Sprintf("egress[%d]", i), fmt.Sprintf("tenant %s lets nothing in from %s on these ports", flow.Tenant, name),
			fmt.Sprintf("add it to the ingress of %s, or remove it here", flow.Tenant))
	}
	return errors.Join(p...)
}

func overlap(a, b []Port) bool {
	for _, x := range a {
		for _, y := range b {
			if x.protocol() == y.protocol() && x.Port <= y.last() && y.Port <= x.last() {
				return true
			}
		}
	}
	return false
}

func (p Port) last() int { return max(p.Port, p.EndPort) }

func (p Port) protocol() string {
	if p.Protocol == "" {
		return "TCP"
	}
	return p.Protocol
}
