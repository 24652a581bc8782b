package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redoubt-dev/redoubt/test/boot/whereabouts"
)

// Cluster is what the outputs of an environment's stack say about it, and where
// its files are.
type Cluster struct {
	// Environment is the name of the environment, for example "local".
	Environment string `json:"environment"`
	// APIEndpoint is the API server's URL for people.
	APIEndpoint    string `json:"apiEndpoint"`
	KubeconfigPath string `json:"kubeconfigPath"`
	// StateDir is the environment's folder below .state.
	StateDir     string       `json:"stateDir"`
	ControlPlane ControlPlane `json:"controlPlane"`
	Nodes        []Node       `json:"nodes"`
	Network      Network      `json:"network"`
	// Isolated tells whether machines have namespaces of their own; without
	// them there is only a control plane, on loopback.
	Isolated   bool       `json:"isolated"`
	Encryption Encryption `json:"encryption"`
	// Tenants are the tenant namespaces.
	Tenants []string `json:"tenants"`

	root string // the repository
	// booted is set where package boot runs the machines.
	booted *whereabouts.Cluster
}

// ControlPlane is the machine of the control plane.
type ControlPlane struct {
	Name            string `json:"name"`
	Address         string `json:"address"`
	OperatorAddress string `json:"operatorAddress"`
}

// Node is a worker.
type Node struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	PodCIDR string `json:"podCIDR"`
}

// Network holds the ranges of an environment.
type Network struct {
	NodeCIDR     string `json:"nodeCIDR"`
	OperatorCIDR string `json:"operatorCIDR"`
	PodCIDR      string `json:"podCIDR"`
	ServiceCIDR  string `json:"serviceCIDR"`
}

// Encryption says which key writes secrets at rest.
type Encryption struct {
	Provider string `json:"provider"`
	KeyName  string `json:"keyName"`
}

// storedPrefix is what the API server puts before what it encrypts
// (k8s.io/apiserver/pkg/server/options/encryptionconfig).
func (e Encryption) storedPrefix() string {
	if e.Provider == "kms" {
		return "k8s:enc:kms:v2:" + e.KeyName + ":"
	}
	return "k8s:enc:" + e.Provider + ":v1:" + e.KeyName + ":"
}

// RepositoryRoot is the directory of the main module, found upwards from the
// working directory, which go test sets to the package's own.
func RepositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), "module github.com/redoubt-dev/redoubt\n") {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod of github.com/redoubt-dev/redoubt above the working directory: run the test in the repository")
		}
		dir = parent
	}
}

// Load reads the outputs of an environment that `make up` left in .state.
func Load(root, environment string) (*Cluster, error) {
	path := filepath.Join(root, ".state", environment, "outputs.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("environment %q is not up: %s does not exist; run `make up ENV=%s` first", environment, path, environment)
	}
	if err != nil {
		return nil, err
	}
	c := &Cluster{root: root}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w; run `make up ENV=%s` again to write it anew", path, err, environment)
	}
	return c, c.validate(path)
}

// validate reports outputs without which no check can run.
func (c *Cluster) validate(path string) error {
	var missing []string
	for name, value := range map[string]string{
		"environment": c.Environment, "apiEndpoint": c.APIEndpoint, "kubeconfigPath": c.KubeconfigPath,
		"stateDir": c.StateDir, "controlPlane.name": c.ControlPlane.Name, "encryption.provider": c.Encryption.Provider,
		"encryption.keyName": c.Encryption.KeyName,
	} {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s: the outputs %s are missing: run `make up` again to write it anew", path, strings.Join(missing, ", "))
	}
	if len(c.Tenants) == 0 {
		return fmt.Errorf("%s: there is no tenant namespace, so nothing can be tried in one", path)
	}
	return nil
}

// Machines are the names of all machines, the control plane first.
func (c *Cluster) Machines() []string {
	names := []string{c.ControlPlane.Name}
	for _, node := range c.Nodes {
		names = append(names, node.Name)
	}
	return names
}

// MachineDir is the folder of a machine's state.
func (c *Cluster) MachineDir(machine string) string {
	if c.booted != nil {
		return c.process(machine, "root") // with what is mounted there
	}
	return filepath.Join(c.StateDir, "machines", machine)
}

// LogDir is what a machine sees as /var/log.
func (c *Cluster) LogDir(machine string) string {
	if c.booted != nil {
		return c.Path(machine, "/var/log")
	}
	return filepath.Join(c.StateDir, "log", machine)
}

// Path is where a path of a machine lies on the host. Symbolic links that are
// absolute inside the machine, such as the kubelet's current certificate, are
// followed inside it.
func (c *Cluster) Path(machine, path string) string {
	host := filepath.Join(c.MachineDir(machine), path)
	for range 8 { // more links than any file here has
		target, err := os.Readlink(host)
		if err != nil {
			return host
		}
		switch {
		case strings.HasPrefix(target, c.MachineDir(machine)+"/"):
			host = target // plain mode: the machine's paths are the host's
		case filepath.IsAbs(target):
			host = filepath.Join(c.MachineDir(machine), target)
		default:
			host = filepath.Join(filepath.Dir(host), target)
		}
	}
	return host
}

// AdminDir holds the administrator's certificate and key.
func (c *Cluster) AdminDir() string {
	if c.booted != nil {
		return c.booted.Admin
	}
	if !c.Isolated {
		return c.Path(c.ControlPlane.Name, "/etc/kubernetes/admin")
	}
	return filepath.Join(c.StateDir, "admin")
}

// authority is the path of one of the cluster's authorities, "ca", "etcd-ca" or
// "front-proxy-ca", without its suffix.
func (c *Cluster) authority(name string) string {
	if name == "etcd-ca" && c.booted != nil { // where kubeadm has it
		return c.Path(c.ControlPlane.Name, "/etc/kubernetes/pki/etcd/ca")
	}
	if name == "etcd-ca" {
		return c.Path(c.ControlPlane.Name, "/etc/etcd/pki/ca")
	}
	return c.Path(c.ControlPlane.Name, filepath.Join("/etc/kubernetes/pki", name))
}

// apiPort is the API server's port by convention.
const apiPort = 6443

// port is where a listener of the control plane is, given its port by
// convention: control planes that share the host's loopback are told apart by
// an offset, which the endpoint shows.
func (c *Cluster) port(conventional int) int {
	endpoint, err := url.Parse(c.APIEndpoint)
	if err != nil || c.Isolated {
		return conventional
	}
	actual, err := strconv.Atoi(endpoint.Port())
	if err != nil {
		return conventional
	}
	return conventional + actual - apiPort
}

// local is a listener of the control plane on loopback.
func (c *Cluster) local(conventional int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port(conventional)))
}

// Tenant is the namespace in which workloads are tried.
func (c *Cluster) Tenant() string { return c.Tenants[0] }
