package kubeadm

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Action is what kubeadm is asked to do on the machine.
type Action string

// Actions.
const (
	// Init starts the cluster's first control plane.
	Init Action = "init"
	// JoinControlPlane adds a control plane whose authorities are already in
	// the certificates directory.
	JoinControlPlane Action = "join-control-plane"
	// JoinWorker adds a worker.
	JoinWorker Action = "join-worker"
)

// EncryptionAlgorithm is the kind of every key that kubeadm makes.
type EncryptionAlgorithm string

// Algorithms. Keys of 2048 bits with RSA, kubeadm's default, are not offered:
// NIST SP 800-57 ends their use with 2030, within the life of an authority.
const (
	ECDSAP256 EncryptionAlgorithm = "ECDSA-P256"
	ECDSAP384 EncryptionAlgorithm = "ECDSA-P384"
	RSA3072   EncryptionAlgorithm = "RSA-3072"
	RSA4096   EncryptionAlgorithm = "RSA-4096"
)

// Spec describes one machine of a cluster that kubeadm runs. The zero value of a
// field means its hardened default, unless the field says that it is required.
type Spec struct {
	// ControlPlane is the control plane that runs on this machine. A worker has
	// none, and the field is not read then.
	ControlPlane hostconfig.ControlPlane `json:"controlPlane"`
	// Node is the kubelet of this machine, on control planes too. The host and
	// port of its APIServer become the cluster's control-plane endpoint.
	Node hostconfig.Worker `json:"node"`
	// EncryptionAlgorithm is ECDSAP256 by default.
	EncryptionAlgorithm EncryptionAlgorithm `json:"encryptionAlgorithm,omitempty"`
	// CAValidity is how long the authorities hold; five years by default, at
	// most kubeadm's ten. The validity of the other certificates is the shorter
	// one of ControlPlane.Certificates.
	CAValidity metav1.Duration `json:"caValidity"`
	// FeatureGates are kubeadm's own. Only NodeLocalCRISocket can be chosen, and
	// only before v1.37.
	FeatureGates map[string]bool `json:"featureGates,omitempty"`
	// SkipKubeProxy is for a network plugin that serves services itself.
	SkipKubeProxy bool `json:"skipKubeProxy,omitempty"`
	// ExtraKubeProxy changes fields of the KubeProxyConfiguration, see
	// [hostconfig.KubeProxyRules]. Exceptions are those of ControlPlane.
	ExtraKubeProxy map[string]any `json:"extraKubeProxy,omitempty"`
	// DiscoveryFile is the kubeconfig with which a machine joins, by its
	// absolute path; /etc/kubernetes/discovery.conf by default. It holds the
	// cluster's authority, endpoint and a credential that lives for minutes.
	DiscoveryFile string `json:"discoveryFile,omitempty"`
}

// longestCA is kubeadm's own default for authorities.
const longestCA = 10 * 365 * 24 * time.Hour

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	s.ControlPlane, s.Node = s.ControlPlane.WithDefaults(), s.Node.WithDefaults()
	if s.EncryptionAlgorithm == "" {
		s.EncryptionAlgorithm = ECDSAP256
	}
	if s.CAValidity.Duration == 0 {
		s.CAValidity.Duration = longestCA / 2
	}
	if s.DiscoveryFile == "" {
		s.DiscoveryFile = path.Join(s.Node.Paths.KubernetesDir(), "discovery.conf")
	}
	return s
}

type problems []error

func (p *problems) add(field, problem, remedy string) {
	*p = append(*p, &hostconfig.FieldError{Field: field, Problem: problem, Remedy: remedy})
}

// within joins the errors of a part, with the part's name before each field.
func (p *problems) within(field string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			p.within(field, each)
		}
		return
	}
	var one *hostconfig.FieldError
	if errors.As(err, &one) {
		p.add(field+"."+one.Field, one.Problem, one.Remedy)
	} else if err != nil {
		*p = append(*p, fmt.Errorf("%s: %w", field, err))
	}
}

// Validate reports everything that is wrong for the action, as joined
// [hostconfig.FieldError] values. The time decides whether exceptions still
// hold. Defaults are filled in first.
func (s Spec) Validate(action Action, now time.Time) error {
	s = s.WithDefaults()
	var p problems
	p.within("node", s.Node.Validate(now))
	if s.Node.Paths.Root != "" {
		p.add("node.paths.root", "kubeadm has its directories built in", "leave it empty")
	}
	if !path.IsAbs(s.DiscoveryFile) || path.Clean(s.DiscoveryFile) != s.DiscoveryFile || strings.ContainsAny(s.DiscoveryFile, "\x00\n\r") {
		p.add("discoveryFile", fmt.Sprintf("%q is not a clean absolute path", s.DiscoveryFile), "write a path such as /etc/kubernetes/discovery.conf")
	}
	switch action {
	case Init, JoinControlPlane:
		p.within("controlPlane", s.ControlPlane.Validate(now))
		p.same(s)
		p.fixed(s)
		p.cluster(s)
		if !s.SkipKubeProxy {
			p.within("kubeProxy", s.kubeProxy().Validate(now))
		}
		if action == JoinControlPlane && len(s.ControlPlane.EtcdMembers) < 2 {
			p.add("controlPlane.etcdMembers", "a control plane joins, and no other is listed", "list every control plane")
		}
	case JoinWorker:
	default:
		p.add("action", fmt.Sprintf("%q is not an action", action), "use Init, JoinControlPlane or JoinWorker")
	}
	return errors.Join(p...)
}

// same wants one value where the two halves of a control plane meet.
func (p *problems) same(s Spec) {
	c, n := s.ControlPlane, s.Node
	for _, each := range []struct{ field, node, other, value string }{
		{"node.name", n.Name, "controlPlane.name", c.Name},
		{"node.clusterName", n.ClusterName, "controlPlane.clusterName", c.ClusterName},
		{"node.nodeIP", n.NodeIP, "controlPlane.advertiseAddress", c.AdvertiseAddress},
		{"node.kubernetesVersion", n.KubernetesVersion, "controlPlane.kubernetesVersion", c.KubernetesVersion},
		{"node.clusterPodCIDR", n.ClusterPodCIDR, "controlPlane.podCIDR", c.PodCIDR},
		{"node.clusterDomain", n.ClusterDomain, "controlPlane.clusterDomain", c.ClusterDomain},
	} {
		if each.node != each.value {
			p.add(each.field, fmt.Sprintf("%q differs from %s, %q", each.node, each.other, each.value), "write the same in both")
		}
	}
}

// fixed wants the values that kubeadm has built in.
func (p *problems) fixed(s Spec) {
	if s.ControlPlane.Paths.Root != "" {
		p.add("controlPlane.paths.root", "kubeadm has its directories built in", "leave it empty")
	}
	got, want := s.ControlPlane.Ports, hostconfig.DefaultPorts()
	for _, each := range []struct {
		name      string
		got, want int
	}{
		{"etcdClient", got.EtcdClient, want.EtcdClient}, {"etcdPeer", got.EtcdPeer, want.EtcdPeer},
		{"etcdMetrics", got.EtcdMetrics, want.EtcdMetrics},
		{"controllerManager", got.ControllerManager, want.ControllerManager}, {"scheduler", got.Scheduler, want.Scheduler},
	} {
		if each.got != each.want {
			p.add("controlPlane.ports."+each.name, fmt.Sprintf("%d differs from what kubeadm probes", each.got), fmt.Sprintf("use %d", each.want))
		}
	}
	for component, arguments := range s.ControlPlane.ExtraArgs {
		for _, flag := range slices.Sorted(maps.Keys(arguments)) {
			if d, found := deviation(component, flag); found {
				p.add(fmt.Sprintf("controlPlane.extraArgs[%q][%q]", component, flag), "kubeadm decides it: "+d.Reason, "leave it out")
			}
		}
	}
}

func (p *problems) cluster(s Spec) {
	if !slices.Contains([]EncryptionAlgorithm{ECDSAP256, ECDSAP384, RSA3072, RSA4096}, s.EncryptionAlgorithm) {
		p.add("encryptionAlgorithm", fmt.Sprintf("%q is not offered", s.EncryptionAlgorithm), "write ECDSA-P256, ECDSA-P384, RSA-3072 or RSA-4096")
	}
	if leaf := s.leafValidity(); s.CAValidity.Duration <= leaf || s.CAValidity.Duration > longestCA {
		p.add("caValidity", s.CAValidity.Duration.String()+" is not between that of the certificates and ten years",
			fmt.Sprintf("write more than %s and at most %s", leaf, longestCA))
	}
	for name := range s.FeatureGates {
		if name != "NodeLocalCRISocket" || !nodeLocalCRISocket.In(minorOf(s.ControlPlane.KubernetesVersion)) {
			p.add(fmt.Sprintf("featureGates[%q]", name), "is unknown, deprecated or cannot be changed in this version", "leave it out")
		}
	}
	if !s.SkipKubeProxy && !s.ControlPlane.AllowPrivileged {
		p.add("skipKubeProxy", "kubeadm runs kube-proxy in a privileged container, which the API server refuses",
			"set controlPlane.allowPrivileged, or skipKubeProxy where the network plugin serves services")
	}
}

// nodeLocalCRISocket is kubeadm's only feature gate that may be chosen: v1.37 has it no longer.
var nodeLocalCRISocket = hostconfig.Rule{Gone: "v1.37"}

func minorOf(version string) string {
	m, _ := hostconfig.FindMinor(version)
	return m.Name
}

// leafValidity is the shorter of the two validities: kubeadm knows one.
func (s Spec) leafValidity() time.Duration {
	c := s.ControlPlane.Certificates
	return min(c.ServerValidity.Duration, c.ClientValidity.Duration)
}

// endpoint is the host and port under which nodes know the cluster.
func (s Spec) endpoint() string {
	if u, err := url.Parse(s.Node.APIServer); err == nil {
		return u.Host
	}
	return ""
}
