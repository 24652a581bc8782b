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

// Settings is what kubeadm has beyond the node. The zero value of a field means
// its hardened default.
type Settings struct {
	// EncryptionAlgorithm is ECDSAP256 by default.
	EncryptionAlgorithm EncryptionAlgorithm `json:"encryptionAlgorithm,omitempty"`
	// CAValidity is how long the authorities hold; five years by default, at
	// most kubeadm's ten. The validity of the other certificates is the shorter
	// one of the node's.
	CAValidity metav1.Duration `json:"caValidity"`
	// FeatureGates are kubeadm's own. Only NodeLocalCRISocket can be chosen, and
	// only before v1.37.
	FeatureGates map[string]bool `json:"featureGates,omitempty"`
	// SkipKubeProxy is for a network plugin that serves services itself.
	SkipKubeProxy bool `json:"skipKubeProxy,omitempty"`
	// ExtraKubeProxy changes fields of the KubeProxyConfiguration, see
	// [hostconfig.KubeProxyRules]. Exceptions are those of the node.
	ExtraKubeProxy map[string]any `json:"extraKubeProxy,omitempty"`
	// SignerCertificate is the file with the certificate of the cluster's authority
	// alone, for the controller manager, which signs with no file that holds more
	// than one. It is needed where the authority's own file may hold those of a
	// rotation; that file by default.
	SignerCertificate string `json:"signerCertificate,omitempty"`
	// DiscoveryFile is the kubeconfig with which a machine joins, by its
	// absolute path; /etc/kubernetes/discovery.conf by default. It holds the
	// cluster's authority, endpoint and a credential that lives for minutes.
	DiscoveryFile string `json:"discoveryFile,omitempty"`
}

// Spec describes one machine, or a group of machines that learn their names and
// addresses, of a cluster that kubeadm runs.
type Spec struct {
	// Node is required. The host and port of its cluster's endpoint become the
	// control-plane endpoint.
	Node hostconfig.Node `json:"node"`
	Settings
}

// worker is the kubelet of the machine, on a control plane too.
func (s Spec) worker() hostconfig.Worker { return s.Node.Worker() }

// plane is the control plane that runs on the machine.
func (s Spec) plane() hostconfig.ControlPlane { return s.Node.ControlPlaneSpec() }

// longestCA is kubeadm's own default for authorities.
const longestCA = 10 * 365 * 24 * time.Hour

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (s Spec) WithDefaults() Spec {
	s.Node = s.Node.WithDefaults()
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
	if own := s.SignerCertificate; own != "" && (path.Dir(own) != s.plane().Paths.PKI() || path.Ext(own) != ".crt") {
		p.add("signerCertificate", fmt.Sprintf("%q is not a certificate in kubeadm's directory", own), "write a path such as /etc/kubernetes/pki/signer.crt")
	}
	switch action {
	case Init, JoinControlPlane:
		if s.Node.Role != hostconfig.RoleControlPlane {
			p.add("node.role", fmt.Sprintf("%q runs no control plane", s.Node.Role), "write control-plane, or use JoinWorker")
			break
		}
		p.fixed(s)
		p.cluster(s)
		if !s.SkipKubeProxy {
			p.within("kubeProxy", s.kubeProxy().Validate(now))
		}
		if action == JoinControlPlane && len(s.Node.Cluster.ControlPlanes) < 2 {
			p.add("node.cluster.controlPlanes", "a control plane joins, and no other is listed", "list every control plane")
		}
	case JoinWorker:
		if s.Node.Role != hostconfig.RoleWorker {
			p.add("node.role", fmt.Sprintf("%q does not join as a worker", s.Node.Role), "write worker, or use JoinControlPlane")
		}
	default:
		p.add("action", fmt.Sprintf("%q is not an action", action), "use Init, JoinControlPlane or JoinWorker")
	}
	return errors.Join(p...)
}

// fixed wants the values that kubeadm has built in.
func (p *problems) fixed(s Spec) {
	got, want := s.Node.Cluster.Ports, hostconfig.DefaultPorts()
	for _, each := range []struct {
		name      string
		got, want int
	}{
		{"etcdClient", got.EtcdClient, want.EtcdClient}, {"etcdPeer", got.EtcdPeer, want.EtcdPeer},
		{"etcdMetrics", got.EtcdMetrics, want.EtcdMetrics},
		{"controllerManager", got.ControllerManager, want.ControllerManager}, {"scheduler", got.Scheduler, want.Scheduler},
	} {
		if each.got != each.want {
			p.add("node.cluster.ports."+each.name, fmt.Sprintf("%d differs from what kubeadm probes", each.got), fmt.Sprintf("use %d", each.want))
		}
	}
	for component, arguments := range s.plane().ExtraArgs {
		for _, flag := range slices.Sorted(maps.Keys(arguments)) {
			if d, found := deviation(component, flag); found {
				p.add(fmt.Sprintf("node.controlPlane.extraArgs[%q][%q]", component, flag), "kubeadm decides it: "+d.Reason, "leave it out")
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
		if name != "NodeLocalCRISocket" || !nodeLocalCRISocket.In(minorOf(s.Node.KubernetesVersion)) {
			p.add(fmt.Sprintf("featureGates[%q]", name), "is unknown, deprecated or cannot be changed in this version", "leave it out")
		}
	}
	if !s.SkipKubeProxy && !s.plane().AllowPrivileged {
		p.add("skipKubeProxy", "kubeadm runs kube-proxy in a privileged container, which the API server refuses",
			"set node.controlPlane.allowPrivileged, or skipKubeProxy where the network plugin serves services")
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
	c := s.plane().Certificates
	return min(c.ServerValidity.Duration, c.ClientValidity.Duration)
}

// endpoint is the host and port under which nodes know the cluster.
func (s Spec) endpoint() string {
	if u, err := url.Parse(s.Node.Cluster.Endpoint); err == nil {
		return u.Host
	}
	return ""
}
