package aws_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/components/aws"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simaws "github.com/redoubt-dev/redoubt/test/simcloud/aws"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// asked are the ports that are tried: those of the table, their neighbours, and what must stay shut.
func asked(flows []hostconfig.Flow) []int {
	ports := []int{1, 22, 53, 80, 443, 2379, 2380, 3389, 4194, 4240, 6443, 8080, 8443, 8472, 9443, 10249, 10250, 10255, 10256, 10257, 10259, 30000, 32767, 65535}
	for _, f := range flows {
		if f.Port > 0 {
			ports = append(ports, f.Port-1, f.Port, f.Port+1)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// M04, M08: what the groups that exist let through between two of them is the port table of a managed cluster, and
// nothing more.
func TestReachabilityIsThePortTable(t *testing.T) {
	t.Parallel()
	for name, each := range map[string]struct {
		firewall func(*aws.FirewallArgs)
		groups   map[hostconfig.Endpoint]string
	}{
		"pods share the group of nodes": {func(a *aws.FirewallArgs) { a.Operators, a.Webhooks = []string{"10.9.0.0/16"}, []int{9443} },
			map[hostconfig.Endpoint]string{hostconfig.ControlPlanes: "cluster", hostconfig.Workers: "nodes", hostconfig.Nodes: "nodes", hostconfig.Pods: "nodes"}},
		"separate pods": {everything,
			map[hostconfig.Endpoint]string{hostconfig.ControlPlanes: "cluster", hostconfig.Workers: "nodes", hostconfig.Nodes: "nodes", hostconfig.Pods: "pods"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := open(t)
			out := simtest.New(t, cloud, settings).MustUp(foundation{
				network:  func(a *aws.NetworkArgs) { a.PeerCIDRs = []string{"10.9.0.0/16"} },
				firewall: each.firewall}.program)
			var args aws.FirewallArgs
			each.firewall(&args)
			flows := hostconfig.PortTable(hostconfig.Topology{Platform: hostconfig.PlatformAWS, Managed: true, Ports: hostconfig.Ports{Webhooks: args.Webhooks}, Network: args.Network})
			// Nodes and pods call the endpoints: that is AWS's part, of which the table knows nothing by itself.
			want := map[string]bool{"nodes > endpoints tcp/443": true, each.groups[hostconfig.Pods] + " > endpoints tcp/443": true}
			for _, f := range flows {
				from, to := each.groups[f.From], each.groups[f.To]
				if from == "" || to == "" {
					continue
				}
				for _, protocol := range []string{"tcp", "udp"} {
					for _, port := range asked(flows) {
						if (f.Protocol == protocol || f.Protocol == hostconfig.ProtocolAny) && (f.Port == port || f.Port == 0) {
							want[fmt.Sprintf("%s > %s %s/%d", from, to, protocol, port)] = true
						}
					}
				}
			}
			tried(t, cloud, out, asked(flows), want)
			outside(t, cloud, out, args)
		})
	}
}

// tried opens a connection from each group to each other, on each port.
func tried(t *testing.T, cloud *simcloud.Cloud, out rehearse.Result, ports []int, want map[string]bool) {
	t.Helper()
	ends, reached := []string{"cluster", "nodes", "endpoints"}, 0
	if out.Output("pods") != out.Output("nodes") {
		ends = append(ends, "pods")
	}
	for _, from := range ends {
		for _, to := range ends {
			for _, protocol := range []string{"tcp", "udp"} {
				for _, port := range ports {
					flow := fmt.Sprintf("%s > %s %s/%d", from, to, protocol, port)
					got := simaws.Reaches(cloud, region, out.Output("vpc"), []string{out.Output(from)}, []string{out.Output(to)}, protocol, port)
					if got {
						reached++
					}
					if got != want[flow] {
						t.Errorf("%s: reached %v, the table says %v", flow, got, want[flow])
					}
				}
			}
		}
	}
	if reached == 0 {
		t.Error("nothing was reached")
	}
}

// outside looks at the rules whose other end is no group: operators come to the API server, nodes leave for what is
// named, and nobody else has a range. Every rule says why it is there.
func outside(t *testing.T, cloud *simcloud.Cloud, out rehearse.Result, args aws.FirewallArgs) {
	t.Helper()
	want := map[string]bool{}
	for _, cidr := range args.Operators {
		want["in cluster "+cidr+" tcp 443-443"] = true
	}
	for _, e := range args.Egress {
		for _, cidr := range e.CIDRs {
			want["out nodes "+cidr+" tcp 443-443"] = true
		}
	}
	for _, group := range []string{"nodes", "pods"} {
		want["out "+group+" s3 tcp 443-443"] = true
	}
	names := map[string]string{out.Output("pods"): "pods", out.Output("nodes"): "nodes", out.Output("cluster"): "cluster", out.Output("endpoints"): "endpoints"}
	if out.Output("pods") == out.Output("nodes") {
		delete(want, "out pods s3 tcp 443-443")
		names[out.Output("nodes")] = "nodes"
	}
	var s3 string
	for _, o := range cloud.Objects(endpointToken) {
		if list := o.State.String("prefixListId"); list != "" {
			s3 = list
		}
	}
	for _, o := range cloud.Objects(ingressToken, egressToken) {
		if name, reason, ok := strings.Cut(o.State.String("description"), ": "); !ok || name == "" || len(reason) < 10 {
			t.Errorf("%s does not say why: %q", o.ID, o.State.String("description"))
		}
		if o.State.String("referencedSecurityGroupId") != "" {
			continue
		}
		direction := map[string]string{ingressToken: "in", egressToken: "out"}[o.Type]
		peer := o.State.String("cidrIpv4") + o.State.String("cidrIpv6") + strings.ReplaceAll(o.State.String("prefixListId"), s3, "s3")
		line := fmt.Sprintf("%s %s %s %s %d-%d", direction, names[o.State.String("securityGroupId")], peer, o.State.String("ipProtocol"), o.State.Int("fromPort"), o.State.Int("toPort"))
		if !want[line] {
			t.Errorf("a rule that nobody asked for: %s", line)
		}
		delete(want, line)
	}
	for line := range want {
		t.Errorf("no rule: %s", line)
	}
}
