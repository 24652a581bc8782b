package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"

	"github.com/redoubt-dev/redoubt/test/boot/whereabouts"
)

// bootedImage is what pods run on booted machines, which have another registry.
var bootedImage string

// LoadBooted reads where the machines of a cluster are that was booted on this host
// (see package boot). Its first control plane stands for all: requests go to its own
// API server, whose audit log is read.
func LoadBooted(root, file string) (*Cluster, error) {
	of, err := whereabouts.Read(file)
	if err != nil {
		return nil, err
	}
	bootedImage = of.Image
	c := &Cluster{
		Environment: of.Name, APIEndpoint: of.Endpoint, Isolated: true, Tenants: of.Tenants, root: root, booted: &of,
		// It has one address, which is that of people too.
		ControlPlane: ControlPlane{Name: of.ControlPlane.Node, Address: of.ControlPlane.Address, OperatorAddress: of.ControlPlane.Address},
	}
	for _, w := range of.Workers {
		c.Nodes = append(c.Nodes, Node{Name: w.Node, Address: w.Address, PodCIDR: w.PodCIDR})
	}
	if len(of.Tenants) == 0 {
		return nil, fmt.Errorf("%s: there is no tenant namespace, so nothing can be tried in one", file)
	}
	c.Encryption, err = c.encryptionInForce()
	return c, err
}

// encryptionInForce is what writes secrets, as the API server's own file says.
func (c *Cluster) encryptionInForce() (Encryption, error) {
	data, err := os.ReadFile(c.Path(c.ControlPlane.Name, "/etc/kubernetes/encryption/config.yaml"))
	if err != nil {
		return Encryption{}, err
	}
	var configuration apiserverv1.EncryptionConfiguration
	if err := yaml.Unmarshal(data, &configuration); err != nil {
		return Encryption{}, err
	}
	for _, resource := range configuration.Resources {
		for _, provider := range resource.Providers {
			switch {
			case provider.KMS != nil:
				return Encryption{Provider: "kms", KeyName: provider.KMS.Name}, nil
			case provider.Secretbox != nil && len(provider.Secretbox.Keys) > 0:
				return Encryption{Provider: "secretbox", KeyName: provider.Secretbox.Keys[0].Name}, nil
			}
		}
	}
	return Encryption{}, errors.New("the API server's encryption configuration encrypts nothing")
}

// Names of listeners.
const (
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
)

// selfSigned tells whether a listener makes a certificate for itself at each start,
// which nobody verifies: with kubeadm those two do, and listen on loopback alone.
func (c *Cluster) selfSigned(listener string) bool {
	return c.booted != nil && (listener == controllerManager || listener == scheduler)
}

// bootedMachine is a machine by the name of its node.
func (c *Cluster) bootedMachine(node string) whereabouts.Machine {
	for _, m := range append([]whereabouts.Machine{c.booted.ControlPlane}, c.booted.Workers...) {
		if m.Node == node {
			return m
		}
	}
	return whereabouts.Machine{}
}

// process gives a path of a booted machine's first process below /proc.
func (c *Cluster) process(node, name string) string {
	return filepath.Join("/proc", strconv.Itoa(c.bootedMachine(node).Init), name)
}

// dialBooted connects from a booted machine, or from elsewhere in its network: there
// the name of the endpoint leads to the first control plane.
func (c *Cluster) dialBooted(machine string) dialer {
	if machine != "" {
		return dialIn(c.process(machine, "ns/net"))
	}
	dial := dialIn(c.booted.Outside)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if endpoint, err := url.Parse(c.APIEndpoint); err == nil && endpoint.Hostname() == host {
			address = net.JoinHostPort(c.ControlPlane.Address, port)
		}
		return dial(ctx, network, address)
	}
}

// bootedCommand prepares a program in all namespaces of a booted machine.
func (c *Cluster) bootedCommand(ctx context.Context, node string, argv ...string) *exec.Cmd {
	enter := []string{"--target", strconv.Itoa(c.bootedMachine(node).Init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/", "--"}
	command := exec.CommandContext(ctx, "nsenter", append(enter, argv...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin", "LANG=C.UTF-8", "HOME=/root"}
	return command
}
