package hostconfig

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// DefaultKubernetesVersion is the version that runs unless another is chosen, see [SupportedMinors].
const DefaultKubernetesVersion = "v1.35.4"

// DefaultClusterDomain is the conventional domain of services and pods.
const DefaultClusterDomain = "cluster.local"

// Components of a control plane, as [ControlPlane.ExtraArgs] names them.
const (
	ComponentEtcd              = "etcd"
	ComponentAPIServer         = "kube-apiserver"
	ComponentControllerManager = "kube-controller-manager"
	ComponentScheduler         = "kube-scheduler"
)

// ControlPlane describes one control-plane machine and the cluster that it
// serves. The zero value of a field means its hardened default, unless the
// field says that it is required.
type ControlPlane struct {
	// ClusterName is required: it names the cluster in kubeconfigs and in etcd's
	// cluster token. A DNS label.
	ClusterName string `json:"clusterName"`
	// Name is the machine's own name, and etcd's member name. Required, a DNS label.
	Name string `json:"name"`
	// KubernetesVersion is the version of every component; DefaultKubernetesVersion by default.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	Paths             Paths  `json:"paths"`
	Ports             Ports  `json:"ports"`
	// AdvertiseAddress is the IPv4 address at which nodes reach the API server.
	// Required.
	AdvertiseAddress string `json:"advertiseAddress"`
	// BindAddress is the address on which the API server listens: "0.0.0.0"
	// behind a host firewall (the default), "127.0.0.1" without one.
	BindAddress string `json:"bindAddress,omitempty"`
	// SANs are further names and addresses for the API server's certificate.
	SANs []string `json:"sans,omitempty"`
	// ServiceCIDR and PodCIDR are the cluster's ranges. Required, IPv4, apart.
	ServiceCIDR string `json:"serviceCIDR"`
	PodCIDR     string `json:"podCIDR"`
	// ClusterDomain is DefaultClusterDomain by default.
	ClusterDomain string `json:"clusterDomain,omitempty"`
	// EtcdUser owns etcd's data and certificates; empty means whoever runs it.
	EtcdUser string `json:"etcdUser,omitempty"`
	// EtcdMembers are all members when there are several control planes, this
	// one included. Empty means this one alone, with etcd on loopback only.
	EtcdMembers []EtcdMember `json:"etcdMembers,omitempty"`
	// OIDC are the external identity providers of people. None by default.
	OIDC         []OIDCIssuer         `json:"oidc,omitempty"`
	Audit        Audit                `json:"audit"`
	Encryption   Encryption           `json:"encryption"`
	Certificates CertificateLifetimes `json:"certificates"`
	// AllowPrivileged lets the API server accept privileged containers at all,
	// which network agents in kube-system may need. Pod Security still refuses
	// them everywhere else. Off by default.
	AllowPrivileged bool `json:"allowPrivileged,omitempty"`
	// ExtraArgs adds flags: component name, flag without dashes, value. Each
	// flag has a merge rule, see [ArgumentRules].
	ExtraArgs      map[string]map[string]string `json:"extraArgs,omitempty"`
	PodSecurity    PodSecurity                  `json:"podSecurity"`
	EventRateLimit EventRateLimit               `json:"eventRateLimit"`
	// AdmissionPlugins configures further admission plugins. None by default.
	AdmissionPlugins []AdmissionPlugin `json:"admissionPlugins,omitempty"`
	// Exceptions accept the risk of changing a locked setting.
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// EtcdMember is one member of etcd's cluster.
type EtcdMember struct {
	// Name is the machine's name, Address its IPv4 address on the node network.
	Name    string `json:"name"`
	Address string `json:"address"`
}

// setDefault fills a value that was left empty.
func setDefault[T comparable](field *T, value T) {
	var empty T
	if *field == empty {
		*field = value
	}
}

// WithDefaults gives a copy in which every field that was left empty has its
// hardened default. It is idempotent.
func (c ControlPlane) WithDefaults() ControlPlane {
	setDefault(&c.KubernetesVersion, DefaultKubernetesVersion)
	setDefault(&c.BindAddress, "0.0.0.0")
	setDefault(&c.ClusterDomain, DefaultClusterDomain)
	c.Ports = c.Ports.WithDefaults()
	c.Audit = c.Audit.withDefaults()
	c.Encryption = c.Encryption.WithDefaults()
	c.Certificates = c.Certificates.withDefaults()
	c.PodSecurity = c.PodSecurity.withDefaults(minor(c.KubernetesVersion))
	c.EventRateLimit = c.EventRateLimit.withDefaults()
	return c
}

// Validate reports everything that is wrong with the specification, as joined
// [FieldError] values. The time decides whether exceptions still hold.
// Defaults are filled in first.
func (c ControlPlane) Validate(now time.Time) error {
	c = c.WithDefaults()
	var p problems
	p.dnsLabel("clusterName", c.ClusterName)
	p.dnsLabel("name", c.Name)
	p.version("kubernetesVersion", c.KubernetesVersion, c.Exceptions, now)
	p.paths("paths", c.Paths)
	p.ports("ports", c.Ports)
	p.controlPlaneAddresses(c)
	p.domain("clusterDomain", c.ClusterDomain)
	p.userName("etcdUser", c.EtcdUser)
	p.etcdMembers(c)
	p.oidc("oidc", c)
	p.audit("audit", c.Audit)
	p.encryption("encryption", c.Encryption, false)
	p.lifetimes("certificates", c.Certificates)
	p.podSecurity("podSecurity", c.PodSecurity, minor(c.KubernetesVersion), c.Exceptions)
	p.eventRateLimit("eventRateLimit", c.EventRateLimit)
	p.admissionPlugins("admissionPlugins", c.AdmissionPlugins, c.Exceptions)
	p.exceptions("exceptions", c.Exceptions, now)
	for _, component := range slices.Sorted(maps.Keys(c.ExtraArgs)) {
		if argumentRules[component] == nil {
			p.add("extraArgs", quote(component)+" is not a component of the control plane",
				"name one of etcd, kube-apiserver, kube-controller-manager, kube-scheduler")
		}
	}
	for _, component := range []string{ComponentEtcd, ComponentAPIServer, ComponentControllerManager, ComponentScheduler} {
		_, refused := mergeArguments(component, minor(c.KubernetesVersion), c.hardened(component), c.ExtraArgs[component], c.Exceptions)
		p = append(p, refused...)
	}
	return p.join()
}

func (p *problems) controlPlaneAddresses(c ControlPlane) {
	advertise, ok := p.ipv4("advertiseAddress", c.AdvertiseAddress)
	if ok && (advertise.IsUnspecified() || advertise.IsMulticast()) {
		p.add("advertiseAddress", quote(c.AdvertiseAddress)+" is no machine's address", "write the machine's own address")
	}
	p.ipv4("bindAddress", c.BindAddress)
	service, _ := p.cidr("serviceCIDR", c.ServiceCIDR)
	pods, _ := p.cidr("podCIDR", c.PodCIDR)
	p.disjoint("serviceCIDR", service, "podCIDR", pods)
	// A range of fewer than 16 addresses has no room for the API server's own
	// service and for DNS, by convention the tenth address.
	if service.IsValid() && service.Bits() > 28 {
		p.add("serviceCIDR", c.ServiceCIDR+" is too small", "write a /28 or larger")
	}
	// The API server keeps a bitmap of the range and refuses more than 20 host bits.
	if service.IsValid() && service.Bits() < 12 {
		p.add("serviceCIDR", c.ServiceCIDR+" is larger than the API server accepts", "write a /12 or smaller")
	}
	if ok && (service.IsValid() && service.Contains(advertise) || pods.IsValid() && pods.Contains(advertise)) {
		p.add("advertiseAddress", c.AdvertiseAddress+" lies in the range of services or pods", "choose ranges apart from the node network")
	}
	for i, name := range c.SANs {
		p.subjectName("sans["+strconv.Itoa(i)+"]", name)
	}
}

// serviceAddress is the first address of the service range, which the API
// server takes for its own service.
func (c ControlPlane) serviceAddress() string {
	prefix, err := netip.ParsePrefix(c.ServiceCIDR)
	if err != nil {
		return ""
	}
	return prefix.Masked().Addr().Next().String()
}

// issuer names the cluster in the tokens of its service accounts, and is the
// audience that the API server expects.
func (c ControlPlane) issuer() string { return "https://kubernetes.default.svc." + c.ClusterDomain }

// localEndpoint is the URL at which the components of the same machine reach
// the API server.
func (c ControlPlane) localEndpoint() string {
	host := c.BindAddress
	if host == "0.0.0.0" {
		host = "127.0.0.1"
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(c.Ports.APIServer))
}

// severalMembers tells whether this control plane has peers.
func (c ControlPlane) severalMembers() bool { return len(c.EtcdMembers) > 1 }

// hardened gives the component's arguments before the user's.
func (c ControlPlane) hardened(component string) map[string]string {
	var arguments map[string]string
	switch component {
	case ComponentEtcd:
		return c.etcd()
	case ComponentAPIServer:
		arguments = c.apiServer()
	case ComponentControllerManager:
		arguments = c.controllerManager()
	default:
		arguments = c.scheduler()
	}
	if gates := renderGates(hardenedGates(component, minor(c.KubernetesVersion))); gates != "" {
		arguments["feature-gates"] = gates
	}
	return arguments
}

// arguments renders a component's arguments, without those that are refused.
func (c ControlPlane) arguments(component string) []string {
	c = c.WithDefaults()
	merged, _ := mergeArguments(component, minor(c.KubernetesVersion), c.hardened(component), c.ExtraArgs[component], c.Exceptions)
	return renderArguments(merged)
}

// EtcdArgs gives etcd's arguments, without the program, sorted.
func (c ControlPlane) EtcdArgs() []string { return c.arguments(ComponentEtcd) }

// APIServerArgs gives kube-apiserver's arguments, without the program, sorted.
func (c ControlPlane) APIServerArgs() []string { return c.arguments(ComponentAPIServer) }

// ControllerManagerArgs gives kube-controller-manager's arguments, without the
// program, sorted.
func (c ControlPlane) ControllerManagerArgs() []string {
	return c.arguments(ComponentControllerManager)
}

// SchedulerArgs gives kube-scheduler's arguments, without the program, sorted.
func (c ControlPlane) SchedulerArgs() []string { return c.arguments(ComponentScheduler) }

// Files gives every file of the control plane but certificates, keys, the
// encryption configuration and the agent's configuration, sorted by path.
func (c ControlPlane) Files() ([]File, error) {
	c = c.WithDefaults()
	var files []File
	for _, render := range []func() (File, error){
		c.auditPolicyFile, c.authenticationFile, c.admissionFile, c.eventRateLimitFile,
		func() (File, error) { return c.kubeconfig("controller-manager", controllerManagerUser) },
		func() (File, error) { return c.kubeconfig("scheduler", schedulerUser) },
		func() (File, error) { return c.kubeconfig("agent", UserAgent) },
	} {
		file, err := render()
		if err != nil {
			return nil, err
		}
		file.Owner = c.rootOwner()
		files = append(files, file)
	}
	return sortFiles(files)
}
