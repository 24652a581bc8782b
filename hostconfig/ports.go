package hostconfig

import (
	"fmt"
	"strconv"
)

// Ports are the TCP ports on which the programs of a cluster listen. A port
// that is zero has its default.
type Ports struct {
	// APIServer is the only port that an operator or a node needs.
	APIServer int `json:"apiServer,omitempty"`
	// EtcdClient and EtcdPeer are reached from control planes only.
	EtcdClient int `json:"etcdClient,omitempty"`
	EtcdPeer   int `json:"etcdPeer,omitempty"`
	// EtcdMetrics is etcd's separate listener for metrics and health, on loopback.
	EtcdMetrics int `json:"etcdMetrics,omitempty"`
	// ControllerManager and Scheduler serve health and metrics, on loopback.
	ControllerManager int `json:"controllerManager,omitempty"`
	Scheduler         int `json:"scheduler,omitempty"`
	// Kubelet serves logs, exec and statistics to the API server.
	Kubelet int `json:"kubelet,omitempty"`
	// KubeletHealth is the kubelet's health listener, on loopback.
	KubeletHealth int `json:"kubeletHealth,omitempty"`
	// Webhooks are the ports of pods that serve admission webhooks or aggregated
	// APIs, which the API server must reach. None by default: the baseline's
	// policies run inside the API server.
	Webhooks []int `json:"webhooks,omitempty"`
}

// DefaultPorts gives the ports that Kubernetes and etcd use by convention:
// https://kubernetes.io/docs/reference/networking/ports-and-protocols/
func DefaultPorts() Ports {
	return Ports{
		APIServer:         6443,
		EtcdClient:        2379,
		EtcdPeer:          2380,
		EtcdMetrics:       2381,
		ControllerManager: 10257,
		Scheduler:         10259,
		Kubelet:           10250,
		KubeletHealth:     10248,
	}
}

// named gives every single port with its field name, in a fixed order.
func (p *Ports) named() []struct {
	Field string
	Port  *int
} {
	return []struct {
		Field string
		Port  *int
	}{
		{"apiServer", &p.APIServer},
		{"etcdClient", &p.EtcdClient},
		{"etcdPeer", &p.EtcdPeer},
		{"etcdMetrics", &p.EtcdMetrics},
		{"controllerManager", &p.ControllerManager},
		{"scheduler", &p.Scheduler},
		{"kubelet", &p.Kubelet},
		{"kubeletHealth", &p.KubeletHealth},
	}
}

// WithDefaults gives a copy in which every port that was zero has its default.
func (p Ports) WithDefaults() Ports {
	defaults := DefaultPorts()
	from := defaults.named()
	for i, to := range p.named() {
		if *to.Port == 0 {
			*to.Port = *from[i].Port
		}
	}
	return p
}

func (p *problems) ports(field string, ports Ports) {
	seen := map[int]string{}
	for _, each := range ports.named() {
		port := *each.Port
		switch at := field + "." + each.Field; {
		case port < 1 || port > 65535:
			p.add(at, fmt.Sprintf("%d is not a port", port), "write a port between 1 and 65535, or 0 for the default")
		case seen[port] != "":
			p.add(at, fmt.Sprintf("port %d is also %s", port, seen[port]), "give each listener a port of its own")
		default:
			seen[port] = at
		}
	}
	webhooks := map[int]bool{}
	for i, port := range ports.Webhooks {
		if port < 1 || port > 65535 {
			p.add(fmt.Sprintf("%s.webhooks[%d]", field, i), fmt.Sprintf("%d is not a port", port), "write a port between 1 and 65535")
		}
		if webhooks[port] {
			p.add(fmt.Sprintf("%s.webhooks[%d]", field, i), fmt.Sprintf("%d is repeated", port), "list each port once")
		}
		webhooks[port] = true
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
