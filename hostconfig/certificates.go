package hostconfig

import (
	"net/netip"
	"path"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Duration is written in JSON as "24h0m0s".
type Duration = metav1.Duration

// CertificateLifetimes says how long leaf certificates hold and when they are
// renewed.
type CertificateLifetimes struct {
	// ServerValidity and ClientValidity are 24 hours by default (M34).
	ServerValidity Duration `json:"serverValidity"`
	ClientValidity Duration `json:"clientValidity"`
	// RenewBefore is how long before its end a certificate is renewed; half of
	// the shorter validity by default, so that a renewal may fail for hours.
	RenewBefore Duration `json:"renewBefore"`
}

// Bounds of a leaf's validity. Below ten minutes, clocks that differ and a
// renewal that is retried no longer fit; a year is what kubeadm issues.
const (
	shortestValidity = 10 * time.Minute
	longestServer    = 365 * 24 * time.Hour
	longestClient    = 24 * time.Hour
)

func (l CertificateLifetimes) withDefaults() CertificateLifetimes {
	setDefault(&l.ServerValidity, Duration{Duration: 24 * time.Hour})
	setDefault(&l.ClientValidity, Duration{Duration: 24 * time.Hour})
	setDefault(&l.RenewBefore, Duration{Duration: min(l.ServerValidity.Duration, l.ClientValidity.Duration) / 2})
	return l
}

func (p *problems) lifetimes(field string, l CertificateLifetimes) {
	check := func(name string, d, longest time.Duration) {
		if d < shortestValidity || d > longest {
			p.add(field+"."+name, d.String()+" is outside "+shortestValidity.String()+" to "+longest.String()+" (M34)",
				"write a duration such as 24h")
		}
	}
	check("serverValidity", l.ServerValidity.Duration, longestServer)
	check("clientValidity", l.ClientValidity.Duration, longestClient)
	shortest := min(l.ServerValidity.Duration, l.ClientValidity.Duration)
	if l.RenewBefore.Duration <= 0 || l.RenewBefore.Duration >= shortest {
		p.add(field+".renewBefore", l.RenewBefore.Duration.String()+" is not within the shortest validity",
			"write less than "+shortest.String())
	}
}

// LeafCertificate is a certificate that must exist on the control plane, and
// that the agent issues and renews.
type LeafCertificate struct {
	// Name is unique within a control plane, for example "apiserver".
	Name string `json:"name"`
	// CA is the path of the issuing authority without its suffix: <CA>.crt and
	// <CA>.key.
	CA string `json:"ca"`
	// CertFile gets mode 0644, KeyFile mode 0600.
	CertFile      string   `json:"certFile"`
	KeyFile       string   `json:"keyFile"`
	CommonName    string   `json:"commonName"`
	Organizations []string `json:"organizations,omitempty"`
	DNSNames      []string `json:"dnsNames,omitempty"`
	IPAddresses   []string `json:"ipAddresses,omitempty"`
	// Server and Client are the extended key usages.
	Server      bool     `json:"server,omitempty"`
	Client      bool     `json:"client,omitempty"`
	Validity    Duration `json:"validity"`
	RenewBefore Duration `json:"renewBefore"`
	// Owner is the user that owns both files; empty means whoever writes them.
	Owner string `json:"owner"`
}

// AuthorityFiles are the files that must exist before the agent starts, given by
// their paths. The agent makes none of them.
type AuthorityFiles struct {
	// Cluster, Etcd and FrontProxy are authorities, without their suffixes: each
	// is <path>.crt (0644) and <path>.key (0600).
	Cluster    string `json:"cluster"`
	Etcd       string `json:"etcd"`
	FrontProxy string `json:"frontProxy"`
	// EtcdForAPIServer is a copy of the etcd authority's certificate, alone, in
	// the API server's directory (0644).
	EtcdForAPIServer string `json:"etcdForAPIServer"`
	// ServiceAccountKey (0600) and ServiceAccountPublicKey (0644) sign and verify
	// the tokens of service accounts.
	ServiceAccountKey       string `json:"serviceAccountKey"`
	ServiceAccountPublicKey string `json:"serviceAccountPublicKey"`
}

// Authorities gives the files that whoever sets up the machine must provide.
func (c ControlPlane) Authorities() AuthorityFiles {
	pki := c.Paths.PKI()
	return AuthorityFiles{
		Cluster:                 path.Join(pki, "ca"),
		Etcd:                    path.Join(c.Paths.EtcdPKI(), "ca"),
		FrontProxy:              path.Join(pki, "front-proxy-ca"),
		EtcdForAPIServer:        path.Join(pki, "etcd-ca.crt"),
		ServiceAccountKey:       path.Join(pki, "sa.key"),
		ServiceAccountPublicKey: path.Join(pki, "sa.pub"),
	}
}

// LeafCertificates gives the certificates that the control plane needs, in a
// fixed order. Every program that uses one reads it again when it changes.
func (c ControlPlane) LeafCertificates() []LeafCertificate {
	c = c.WithDefaults()
	authorities, pki, etcdPKI := c.Authorities(), c.Paths.PKI(), c.Paths.EtcdPKI()
	rootOwner := c.rootOwner()
	leaf := func(name, ca, directory, file, commonName, owner string) LeafCertificate {
		return LeafCertificate{
			Name: name, CA: ca, CommonName: commonName, Owner: owner,
			CertFile: path.Join(directory, file+".crt"), KeyFile: path.Join(directory, file+".key"),
			RenewBefore: c.Certificates.RenewBefore,
		}
	}
	server := func(l LeafCertificate, names ...string) LeafCertificate {
		l.Server, l.Validity = true, c.Certificates.ServerValidity
		l.DNSNames, l.IPAddresses = splitNames(names)
		return l
	}
	client := func(l LeafCertificate, organizations ...string) LeafCertificate {
		l.Client, l.Validity, l.Organizations = true, c.Certificates.ClientValidity, organizations
		return l
	}
	local := []string{"localhost", "127.0.0.1"}
	etcdNames := append([]string{c.Name}, local...)
	if c.severalMembers() {
		etcdNames = append(etcdNames, c.AdvertiseAddress)
	}
	peer := server(leaf("etcd-peer", authorities.Etcd, etcdPKI, "peer", etcdPeerName, c.EtcdUser), etcdNames...)
	peer.Client = true // a peer is both ends of its connections

	return []LeafCertificate{
		server(leaf("apiserver", authorities.Cluster, pki, "apiserver", "kube-apiserver", rootOwner), c.apiServerNames()...),
		client(leaf("apiserver-kubelet-client", authorities.Cluster, pki, "apiserver-kubelet-client", UserKubeletClient, rootOwner)),
		client(leaf("apiserver-etcd-client", authorities.Etcd, pki, "apiserver-etcd-client", "kube-apiserver-etcd-client", rootOwner)),
		client(leaf("front-proxy-client", authorities.FrontProxy, pki, "front-proxy-client", frontProxyName, rootOwner)),
		server(leaf("etcd-server", authorities.Etcd, etcdPKI, "server", "etcd", c.EtcdUser), etcdNames...),
		peer,
		client(leaf("controller-manager", authorities.Cluster, pki, "controller-manager", controllerManagerUser, rootOwner)),
		server(leaf("controller-manager-server", authorities.Cluster, pki, "controller-manager-server", "kube-controller-manager", rootOwner), local...),
		client(leaf("scheduler", authorities.Cluster, pki, "scheduler", schedulerUser, rootOwner)),
		server(leaf("scheduler-server", authorities.Cluster, pki, "scheduler-server", "kube-scheduler", rootOwner), local...),
		client(leaf("agent", authorities.Cluster, pki, "agent", UserAgent, rootOwner)),
		client(leaf("admin", authorities.Cluster, c.Paths.Admin(), "client", UserAdmin, rootOwner), GroupPlatformAdmins),
	}
}

// rootOwner owns what is not etcd's. Without isolation there may be no root:
// the files belong to whoever runs the machine, as etcd's do then.
func (c ControlPlane) rootOwner() string {
	if c.EtcdUser == "" {
		return ""
	}
	return ownerRoot
}

// apiServerNames are the names by which the API server is reached: inside the
// cluster, on the machine, on the node network, and what the user adds.
func (c ControlPlane) apiServerNames() []string {
	names := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + c.ClusterDomain,
		"localhost", c.Name, "127.0.0.1", c.serviceAddress(), c.AdvertiseAddress,
	}
	return append(names, c.SANs...)
}

// splitNames sorts names into DNS names and addresses, each once.
func splitNames(names []string) (dns, addresses []string) {
	for _, name := range names {
		if name == "" {
			continue
		}
		into := &dns
		if _, err := netip.ParseAddr(name); err == nil {
			into = &addresses
		}
		if !slices.Contains(*into, name) {
			*into = append(*into, name)
		}
	}
	slices.Sort(dns)
	slices.Sort(addresses)
	return dns, addresses
}
