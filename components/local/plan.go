package local

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"path/filepath"

	"github.com/redoubt-dev/redoubt/components/local/netns"
	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Default ranges. Nothing routes them: they exist inside the environment's
// namespaces, but for the operator network.
const (
	defaultNodeCIDR    = "10.80.0.0/24"
	defaultPodCIDR     = "10.81.0.0/16"
	defaultServiceCIDR = "10.82.0.0/20"
	operatorRange      = "10.83.0.0/16" // 8192 networks of 8 addresses
	maxWorkers         = 20             // one host carries no more
	controlPlaneName   = "control-plane"
	clusterDomain      = "cluster.local"
	// etcdUser is a user of the machines alone; the host does not know it.
	etcdUser   = "etcd"
	etcdUserID = 61000
)

// plan is every name and address of a cluster, derived from its arguments.
type plan struct {
	args            ClusterArgs
	ports           hostconfig.Ports
	nodeAddress     string // of the control plane
	operatorAddress string // of the control plane
	endpoint        string // for people
	nodeEndpoint    string // for nodes
	workers         []workerPlan
}

type workerPlan struct {
	name, address, podCIDR string
}

// newPlan validates the arguments that shape the graph, all at once.
func newPlan(args ClusterArgs) (plan, error) {
	// Copies: the caller's arguments stay as they are.
	network, encryption := NetworkArgs{}, EncryptionArgs{}
	if args.Network != nil {
		network = *args.Network
	}
	if args.Encryption != nil {
		encryption = *args.Encryption
	}
	args.Network, args.Encryption = &network, &encryption
	setDefault(&args.CNIDirectory, "/usr/lib/cni")
	setDefault(&args.Network.NodeCIDR, defaultNodeCIDR)
	setDefault(&args.Network.PodCIDR, defaultPodCIDR)
	setDefault(&args.Network.ServiceCIDR, defaultServiceCIDR)
	setDefault(&args.Network.OperatorCIDR, operatorCIDR(args.Environment))
	setDefault(&args.Encryption.Provider, string(hostconfig.EncryptionSecretbox))
	setDefault(&args.Encryption.KeyName, "key-1")
	p := plan{args: args, ports: hostconfig.DefaultPorts()}

	var problems []error
	problem := func(field, format string, values ...any) {
		problems = append(problems, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, values...)))
	}
	if args.Workers < 0 || args.Workers > maxWorkers {
		problem("workers", "%d is out of range: write a number from 0 to %d", args.Workers, maxWorkers)
	}
	if args.Workers > 0 && !args.Isolated {
		problem("workers", "%d worker needs Linux and root: run as root, or set workers to 0 for a control plane alone", args.Workers)
	}
	for _, d := range []struct{ field, path string }{{"stateDirectory", args.StateDirectory}, {"programsDirectory", args.ProgramsDirectory}} {
		if !filepath.IsAbs(d.path) {
			problem(d.field, "%q is not an absolute path", d.path)
		}
	}
	ranges := map[string]netip.Prefix{}
	for _, r := range []struct {
		field, cidr string
		maxBits     int
	}{
		{"network.nodeCIDR", args.Network.NodeCIDR, 27}, {"network.podCIDR", args.Network.PodCIDR, 16},
		{"network.serviceCIDR", args.Network.ServiceCIDR, 24}, {"network.operatorCIDR", args.Network.OperatorCIDR, 29},
	} {
		prefix, err := netip.ParsePrefix(r.cidr)
		switch {
		case err != nil || !prefix.Addr().Is4():
			problem(r.field, "%q is not an IPv4 range: write it like 10.80.0.0/24", r.cidr)
			continue
		case prefix != prefix.Masked():
			problem(r.field, "%s has host bits: write %s", r.cidr, prefix.Masked())
			continue
		case prefix.Bits() > r.maxBits:
			problem(r.field, "%s is too small: write at most /%d", r.cidr, r.maxBits)
			continue
		case !prefix.Addr().IsPrivate():
			problem(r.field, "%s is not a private range (RFC 1918)", r.cidr)
			continue
		}
		for other, taken := range ranges {
			if prefix.Overlaps(taken) {
				problem(r.field, "%s overlaps %s %s", prefix, other, taken)
			}
		}
		ranges[r.field] = prefix
	}
	if len(problems) > 0 {
		return p, errors.Join(problems...)
	}
	p.address(ranges)
	return p, nil
}

func (p *plan) address(ranges map[string]netip.Prefix) {
	if !p.args.Isolated {
		for _, port := range []*int{&p.ports.APIServer, &p.ports.EtcdClient, &p.ports.EtcdPeer, &p.ports.EtcdMetrics, &p.ports.ControllerManager, &p.ports.Scheduler} {
			*port += p.args.PortOffset
		}
		p.nodeAddress, p.operatorAddress = "127.0.0.1", "127.0.0.1"
	} else {
		nodes := ranges["network.nodeCIDR"].Addr()
		p.nodeAddress = offset(nodes, 10).String()
		p.operatorAddress = offset(ranges["network.operatorCIDR"].Addr(), 2).String()
		pods := ranges["network.podCIDR"].Addr()
		for n := 1; n <= p.args.Workers; n++ {
			p.workers = append(p.workers, workerPlan{
				name:    fmt.Sprintf("worker-%d", n),
				address: offset(nodes, 10+n).String(),
				podCIDR: netip.PrefixFrom(offset(pods, n*256), 24).String(),
			})
		}
	}
	p.endpoint = fmt.Sprintf("https://%s:%d", p.operatorAddress, p.ports.APIServer)
	p.nodeEndpoint = fmt.Sprintf("https://%s:%d", p.nodeAddress, p.ports.APIServer)
}

// operatorCIDR gives an environment its /29: the same at each run, and for two
// environments most likely different. A clash is found before anything is made.
func operatorCIDR(environment string) string {
	hash := fnv.New32a()
	hash.Write([]byte(environment))
	base := netip.MustParsePrefix(operatorRange).Addr()
	return netip.PrefixFrom(offset(base, int(hash.Sum32()%8192)*8), 29).String()
}

func offset(address netip.Addr, by int) netip.Addr {
	b := address.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	n += uint32(by)
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func (p plan) namespace(machine string) string {
	if !p.args.Isolated {
		return ""
	}
	return netns.Namespace(p.args.Environment, machine)
}

func (p plan) machineDir(machine string) string {
	return filepath.Join(p.args.StateDirectory, "machines", machine)
}

func (p plan) logDir(machine string) string {
	return filepath.Join(p.args.StateDirectory, "log", machine)
}

// writer names what encrypts: the local key, or the KMS plugin.
func (p plan) writer() string {
	if p.args.Encryption.Provider == string(hostconfig.EncryptionKMS) {
		return p.args.Encryption.KMSName
	}
	return p.args.Encryption.KeyName
}

func (p plan) kubeconfig() string { return filepath.Join(p.args.StateDirectory, "kubeconfig") }

// paths is where a machine's files are, as its programs see them.
func (p plan) paths(machine string) hostconfig.Paths {
	if p.args.Isolated {
		return hostconfig.Paths{}
	}
	return hostconfig.Paths{Root: p.machineDir(machine)}
}

// program is the path of a program as a machine sees it.
func (p plan) program(name string) string {
	if p.args.Isolated {
		return filepath.Join(programsInMachine, name)
	}
	return filepath.Join(p.args.ProgramsDirectory, name)
}

// programsInMachine is where a machine sees the programs directory.
const programsInMachine = "/opt/redoubt/bin"

func setDefault(field *string, value string) {
	if *field == "" {
		*field = value
	}
}
