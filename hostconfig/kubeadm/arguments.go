package kubeadm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Deviation is a setting in which a control plane of kubeadm differs from what
// [hostconfig.ControlPlane] says.
type Deviation struct {
	// Component is one of hostconfig's Component constants.
	Component string `json:"component"`
	// Flag is the flag without dashes.
	Flag string `json:"flag"`
	// Set says that Value is set; otherwise the flag is left to kubeadm.
	Set   bool   `json:"set"`
	Value string `json:"value"`
	// Reason says why, and what keeps the control.
	Reason string `json:"reason"`
}

// Reasons that several deviations share.
const (
	perMachine = "it differs between machines, and kubeadm stores one document for all of them"
	ownPKI     = "kubeadm issues it below its certificates directory, the only one that etcd's pod sees"
	noServer   = "kubeadm issues none: the component makes one in memory, and listens on loopback only"
	electing   = "a second control plane may join later, and must not find a first that does not elect"
	signers    = "kubeadm's general key pair cannot stand beside those of the two signers that kubelets need"
)

// Deviations gives every difference, in a fixed order.
func Deviations() []Deviation {
	left := func(component, reason string, flags ...string) []Deviation {
		var found []Deviation
		for _, flag := range flags {
			found = append(found, Deviation{Component: component, Flag: flag, Reason: reason})
		}
		return found
	}
	e, m, s := hostconfig.ComponentEtcd, hostconfig.ComponentControllerManager, hostconfig.ComponentScheduler
	return slices.Concat(
		left(e, perMachine, "name", "data-dir", "listen-client-urls", "advertise-client-urls", "listen-peer-urls",
			"initial-advertise-peer-urls", "initial-cluster", "initial-cluster-state"),
		left(e, ownPKI, "cert-file", "key-file", "trusted-ca-file", "peer-cert-file", "peer-key-file", "peer-trusted-ca-file"),
		left(e, "the kubelet probes this port and has no client certificate: kubeadm serves it on loopback without TLS", "listen-metrics-urls"),
		left(e, "the names of kubeadm's peer certificates are those of machines; peer-cert-allowed-hostname takes its place", "peer-cert-allowed-cn"),
		[]Deviation{{Component: e, Flag: "peer-cert-allowed-hostname", Set: true, Value: "localhost",
			Reason: "kubeadm's peer and server certificates carry this name and its client certificates carry none, " +
				"so that the API server's cannot open the peer port (CIS 2.5)"}},
		left(hostconfig.ComponentAPIServer, perMachine, "advertise-address", "secure-port"),
		left(hostconfig.ComponentAPIServer, ownPKI, "etcd-cafile"),
		left(m, electing, "leader-elect"),
		left(m, noServer, "tls-cert-file", "tls-private-key-file"),
		[]Deviation{{Component: m, Flag: "cluster-signing-cert-file", Set: true, Reason: signers},
			{Component: m, Flag: "cluster-signing-key-file", Set: true, Reason: signers}},
		left(s, electing, "leader-elect"),
		left(s, noServer, "tls-cert-file", "tls-private-key-file"),
	)
}

// deviation finds the one of a flag.
func deviation(component, flag string) (Deviation, bool) {
	for _, d := range Deviations() {
		if d.Component == component && d.Flag == flag {
			return d, true
		}
	}
	return Deviation{}, false
}

// arguments gives a component's extra arguments, sorted by name.
func (s Spec) arguments(component string) []argument {
	var rendered []string
	switch component {
	case hostconfig.ComponentEtcd:
		rendered = s.plane().EtcdArgs()
	case hostconfig.ComponentAPIServer:
		rendered = s.plane().APIServerArgs()
	case hostconfig.ComponentControllerManager:
		rendered = s.plane().ControllerManagerArgs()
	default:
		rendered = s.plane().SchedulerArgs()
	}
	list := parse(rendered)
	deviations := Deviations()
	list = slices.DeleteFunc(list, func(a argument) bool {
		return slices.ContainsFunc(deviations, func(d Deviation) bool { return d.Component == component && d.Flag == a.Name })
	})
	for _, d := range deviations {
		if d.Component == component && d.Set {
			list = append(list, argument{Name: d.Flag, Value: d.Value})
		}
	}
	for i, each := range list {
		if s.SignerCertificate != "" && slices.Contains(signerFlags, each.Name) {
			list[i].Value = s.SignerCertificate
		}
	}
	slices.SortFunc(list, func(a, b argument) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// signerFlags name the certificate that the controller manager signs with.
var signerFlags = []string{"cluster-signing-kubelet-client-cert-file", "cluster-signing-kubelet-serving-cert-file"}

// parse takes "--flag=value" apart.
func parse(rendered []string) []argument {
	list := make([]argument, 0, len(rendered))
	for _, each := range rendered {
		name, value, _ := strings.Cut(strings.TrimPrefix(each, "--"), "=")
		list = append(list, argument{Name: name, Value: value})
	}
	return list
}
