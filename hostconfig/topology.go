package hostconfig

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Topology decides which flows a cluster has, see [PortTable]. The zero value is
// a local cluster with the default ports.
type Topology struct {
	// Platform is PlatformLocal by default.
	Platform Platform `json:"platform,omitempty"`
	// Managed says that the control plane is the cloud's (EKS, GKE): it has no
	// machine of ours, and its API server is at 443 unless Ports says otherwise.
	Managed bool  `json:"managed,omitempty"`
	Ports   Ports `json:"ports"`
	// Network is what the network plugin's agents send between machines. None
	// means that pods are routed and nothing but their own packets travels.
	Network []NetworkTraffic `json:"network,omitempty"`
	// Services are outside the cluster.
	Services []Service `json:"services,omitempty"`
	// IPv6 says that machines have IPv6 addresses.
	IPv6 bool `json:"ipv6,omitempty"`
}

// Service is something outside the cluster that its machines use: a registry, an
// object store, an interface of the cloud.
type Service struct {
	// Name is a DNS label of its own. Required.
	Name string `json:"name"`
	// CIDRs are where it is. Required: a service that could be anywhere would
	// open the port to the world.
	CIDRs []string `json:"cidrs"`
	// Protocol is ProtocolTCP by default, or ProtocolUDP.
	Protocol string `json:"protocol,omitempty"`
	// Port is 443 by default.
	Port int `json:"port,omitempty"`
	// Pods says that pods use it too; their NetworkPolicy decides which.
	Pods bool `json:"pods,omitempty"`
	// Reason says what fails without it. Required.
	Reason string `json:"reason"`
}

func (s Service) withDefaults() Service {
	setDefault(&s.Protocol, ProtocolTCP)
	if s.Port == 0 {
		s.Port = 443 // https
	}
	return s
}

// RestrictedGoogleAPIs is restricted.googleapis.com, the address of Google's
// interfaces that VPC Service Controls guard.
// https://cloud.google.com/vpc/docs/configure-private-google-access
func RestrictedGoogleAPIs() Service {
	return Service{Name: "googleapis", CIDRs: []string{"199.36.153.4/30"}, Pods: true,
		Reason: "images, objects and the cloud's interfaces, without a way to the internet"}
}

// WithDefaults gives a copy with the default platform, ports and services.
func (t Topology) WithDefaults() Topology {
	if t.Platform == "" {
		t.Platform = PlatformLocal
	}
	if t.Managed && t.Ports.APIServer == 0 {
		t.Ports.APIServer = 443 // of EKS and GKE
	}
	t.Ports = t.Ports.WithDefaults()
	t.Services = slices.Clone(t.Services)
	for i := range t.Services {
		t.Services[i] = t.Services[i].withDefaults()
	}
	return t
}

// Validate reports everything that is wrong, as joined [FieldError] values.
func (t Topology) Validate() error {
	var p problems
	p.topology(t.WithDefaults())
	return p.join()
}

func (p *problems) topology(t Topology) {
	switch t.Platform {
	case PlatformAWS, PlatformGCP:
	case PlatformMetal, PlatformLocal:
		if t.Managed {
			p.add("managed", fmt.Sprintf("%s has no managed control plane", t.Platform), "leave it out, or write aws or gcp as the platform")
		}
	default:
		p.add("platform", quote(string(t.Platform))+" is not a platform", "write aws, gcp, metal or local")
	}
	p.ports("ports", t.Ports)
	kinds := map[NetworkTraffic]bool{}
	for i, traffic := range t.Network {
		at := fmt.Sprintf("network[%d]", i)
		if _, known := networkTable[traffic]; !known {
			p.add(at, quote(string(traffic))+" is no traffic of a network plugin", "write one of "+networkNames())
		}
		if kinds[traffic] {
			p.add(at, quote(string(traffic))+" is repeated", "list it once")
		}
		kinds[traffic] = true
	}
	names := map[string]bool{}
	for i, service := range t.Services {
		p.service(fmt.Sprintf("services[%d]", i), service)
		if names[service.Name] {
			p.add(fmt.Sprintf("services[%d].name", i), quote(service.Name)+" is another service's name", "give each service a name of its own")
		}
		names[service.Name] = true
	}
}

func (p *problems) service(field string, s Service) {
	if len(validation.IsDNS1123Label(s.Name)) > 0 {
		p.add(field+".name", quote(s.Name)+" is not a DNS label", "write a name such as registry")
	}
	if s.Protocol != ProtocolTCP && s.Protocol != ProtocolUDP {
		p.add(field+".protocol", quote(s.Protocol)+" is not a protocol of a service", "write tcp or udp")
	}
	if s.Port < 1 || s.Port > 65535 {
		p.add(field+".port", fmt.Sprintf("%d is not a port", s.Port), "write a port between 1 and 65535")
	}
	if s.Reason == "" {
		p.add(field+".reason", "is empty", "write what fails without the service")
	}
	if len(s.CIDRs) == 0 {
		p.add(field+".cidrs", "is empty", "write the ranges of the service: without one it would be the world")
	}
	p.spread(field+".cidrs", s.CIDRs)
	for i, value := range s.CIDRs {
		at := fmt.Sprintf("%s.cidrs[%d]", field, i)
		prefix, ok := p.network(at, value)
		p.narrow(at, prefix)
		// A service that pods may use must not be the way to the credentials of
		// their machine (M21).
		if ok && (prefix.Addr().IsLinkLocalUnicast() || containsMetadata(prefix)) {
			p.add(at, value+" holds the instance metadata service (M21)", "write the ranges of the service alone; machines reach metadata without it")
		}
	}
}
