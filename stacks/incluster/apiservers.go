package incluster

import (
	"net/netip"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/network"
)

// OutputAPIServers is the output of a first stack that says where pods reach the
// API server, as [APIServers] gives it.
const OutputAPIServers = "apiServers"

// APIServers is the output of that name.
func APIServers(endpoints ...network.Endpoint) pulumi.Array {
	out := pulumi.Array{}
	for _, e := range endpoints {
		out = append(out, pulumi.Map{"cidr": pulumi.String(e.CIDR), "port": pulumi.Int(e.Port)})
	}
	return out
}

// ServedBy are the endpoints of a cluster that runs itself: its service, which is
// the first address of the range of services, and the machines behind it.
func ServedBy(serviceCIDR string, machines ...string) []network.Endpoint {
	endpoints := []network.Endpoint{{CIDR: Nth(serviceCIDR, 1), Port: 443}}
	for _, machine := range machines {
		endpoints = append(endpoints, network.Endpoint{CIDR: Nth(machine+"/32", 0), Port: hostconfig.DefaultPorts().APIServer})
	}
	return endpoints
}

// Endpoints is an output as [APIServers] makes it.
func (f *First) Endpoints(name string) []network.Endpoint {
	var out []network.Endpoint
	values, _ := f.Value(name).([]any)
	for _, value := range values {
		fields, _ := value.(map[string]any)
		cidr, _ := fields["cidr"].(string)
		port, _ := fields["port"].(float64)
		out = append(out, network.Endpoint{CIDR: cidr, Port: int(port)})
	}
	return out
}

// Nth is the n-th address of a range, as a range of its own: AWS answers DNS at
// the second of a network, and Kubernetes its API at the first of the services.
func Nth(cidr string, n int) string {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return cidr // what others have checked
	}
	address := prefix.Masked().Addr()
	for range n {
		address = address.Next()
	}
	return netip.PrefixFrom(address, address.BitLen()).String()
}
