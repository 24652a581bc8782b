package selfmanaged

import (
	"encoding/pem"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/flatcar"
	"github.com/redoubt-dev/redoubt/hostconfig/kubeadm"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// Machine is one control plane, or a pool.
type Machine struct {
	// Name is the control plane's or the pool's.
	Name string
	Role hostconfig.Role
	// Spec is the machine as package flatcar renders it.
	Spec flatcar.Spec
	// Key names the object that holds Ignition, and Source is its URL.
	Key, Source string
	// Ignition is the whole configuration. A machine fetches it with its role.
	Ignition []byte
	// UserData is what the cloud hands to the machine: the object's URL and hash.
	UserData []byte
}

// Rendering is everything that a cluster's machines need to start.
type Rendering struct {
	// ControlPlanes and Pools are in the order of the specification.
	ControlPlanes, Pools []Machine
	// Objects are what the provisioner puts into the store, sorted by key. Those
	// without contents are known by their hashes only.
	Objects []Object
}

// Render renders every machine. It validates first, with the time that decides
// whether exceptions still hold: what does not validate is not rendered.
func (s Spec) Render(now time.Time) (Rendering, error) {
	s = s.WithDefaults()
	if err := s.Validate(now); err != nil {
		return Rendering{}, err
	}
	var r Rendering
	for _, plane := range s.ControlPlanes {
		spec, err := s.controlPlane(plane, now)
		if err != nil {
			return Rendering{}, err
		}
		machine, err := s.render(plane.Name, plane.IgnitionKey(), spec, now)
		if err != nil {
			return Rendering{}, err
		}
		r.ControlPlanes = append(r.ControlPlanes, machine)
	}
	for _, pool := range s.Pools {
		spec, err := s.pool(pool)
		if err != nil {
			return Rendering{}, err
		}
		machine, err := s.render(pool.Name, pool.IgnitionKey(), spec, now)
		if err != nil {
			return Rendering{}, err
		}
		r.Pools = append(r.Pools, machine)
	}
	contents := map[string][]byte{}
	for _, machine := range slices.Concat(r.ControlPlanes, r.Pools) {
		contents[machine.Key] = machine.Ignition
	}
	for _, grant := range s.Grants() {
		if slices.Contains(grant.Writers, Provisioner) {
			r.Objects = append(r.Objects, Object{Grant: grant, Contents: contents[grant.Key]})
		}
	}
	return r, nil
}

func (s Spec) render(name, key string, spec flatcar.Spec, now time.Time) (Machine, error) {
	data, err := spec.UserData(now, s.source(key))
	if err != nil {
		return Machine{}, fmt.Errorf("%s: %w", name, err)
	}
	return Machine{Name: name, Role: spec.Node.Role, Spec: spec, Key: key, Source: data.Source,
		Ignition: data.Object, UserData: data.Contents}, nil
}

// common is what every machine has.
func (s Spec) common(role hostconfig.Role) flatcar.Spec {
	node := s.Node
	node.Role, node.OS, node.Platform = role, hostconfig.OSFlatcar, s.Cloud.Platform
	node.KubernetesVersion, node.Cluster, node.Exceptions = s.KubernetesVersion, s.Cluster, s.Exceptions
	node.Surroundings = s.surroundings()
	if role == hostconfig.RoleControlPlane && len(s.ControlPlanes) > 1 {
		node.Kubelet = stayUp(node.Kubelet)
	} else {
		node.Kubelet = shutdown(node.Kubelet)
	}
	spec := flatcar.Spec{
		Node: node, ButaneVersion: s.ButaneVersion, Kubernetes: s.Kubernetes,
		BridgeNetwork: s.Network.CNI == CNIBridge, KernelArguments: s.KernelArguments, AuditRules: s.AuditRules,
		Kubeadm: flatcar.Kubeadm{Settings: s.Kubeadm},
	}
	spec.Kubeadm.DiscoveryFile = nodeconfig.JoinFile
	spec.Parts.Fetched = []flatcar.Fetched{{Path: nodeconfig.Program, Mode: 0o755, Source: s.Program.Source, Hash: s.Program.Hash}}
	spec.Parts.Masked = guestUnits[s.Cloud.Platform]
	return spec
}

// guestUnits are programs of the cloud's image that take commands, accounts or
// keys from whoever may write metadata (M03).
var guestUnits = map[hostconfig.Platform][]string{
	hostconfig.PlatformGCP: {"google-guest-agent.service", "google-guest-agent-manager.service", "google-osconfig-agent.service",
		"google-oslogin-cache.timer", "google-shutdown-scripts.service", "google-startup-scripts.service", "oem-gce.service"},
	hostconfig.PlatformAWS: {"amazon-ssm-agent.service"},
}

// surroundings adds the way to the API through the load balancer.
func (s Spec) surroundings() hostconfig.Surroundings {
	around := s.Node.Surroundings
	around.Network = append(slices.Clone(s.Network.Traffic), around.Network...)
	around.Services = slices.Clone(around.Services)
	ranges := slices.Clone(s.LoadBalancer.CIDRs)
	if s.LoadBalancer.Passthrough != "" {
		ranges = append(ranges, s.LoadBalancer.Passthrough+"/32")
	} else {
		around.LoadBalancers = append(slices.Clone(around.LoadBalancers), ranges...)
	}
	if len(ranges) > 0 {
		around.Services = append(around.Services, hostconfig.Service{Name: "kubernetes-api", CIDRs: ranges,
			Port: s.Cluster.Ports.APIServer, Reason: "machines reach the API servers through their load balancer"})
	}
	return around
}

// shutdown makes the kubelet end pods in order before the machine stops: a spot
// instance has two minutes on AWS and thirty seconds on GCP, and a replaced one is
// drained before.
func shutdown(k hostconfig.Kubelet) hostconfig.Kubelet {
	extra := maps.Clone(k.Extra)
	if extra == nil {
		extra = map[string]any{}
	}
	_, own := extra["shutdownGracePeriod"]
	if _, byPriority := extra["shutdownGracePeriodByPodPriority"]; !own && !byPriority {
		extra["shutdownGracePeriod"], extra["shutdownGracePeriodCriticalPods"] = "90s", "20s"
	}
	k.Extra = extra
	return k
}

// stayUp keeps the kubelet of a control plane from ending pods when the machine is
// told to stop: etcd would be gone before anybody asked whether it can be missed.
// It runs until the last of the units has stopped, see [yieldUnit].
func stayUp(k hostconfig.Kubelet) hostconfig.Kubelet {
	k.Extra = maps.Clone(k.Extra)
	for _, field := range []string{"shutdownGracePeriod", "shutdownGracePeriodCriticalPods", "shutdownGracePeriodByPodPriority"} {
		delete(k.Extra, field)
	}
	return k
}

// kmsEndpoint is where the API server finds the plugin.
const kmsEndpoint = "unix://" + nodeconfig.KMSSocket

// encryption is that of the API server.
func (s Spec) encryption() hostconfig.Encryption {
	e := hostconfig.Encryption{Provider: s.Encryption.Provider, Resources: s.Encryption.Resources}
	if len(s.Encryption.Keys) > 0 {
		e.KMS = &hostconfig.KMS{Name: nodeconfig.KMSName, Endpoint: kmsEndpoint}
	}
	return e
}

func (s Spec) controlPlane(plane ControlPlane, now time.Time) (flatcar.Spec, error) {
	spec := s.common(hostconfig.RoleControlPlane)
	spec.Node.Name, spec.Node.Address, spec.Node.PodCIDR = plane.Name, plane.Address, plane.PodCIDR
	settings := s.Settings
	settings.Encryption = s.encryption()
	if s.LoadBalancer.Passthrough != "" {
		settings.SANs = append(slices.Clone(settings.SANs), s.LoadBalancer.Passthrough)
	}
	settings.SANs = append(slices.Clone(settings.SANs), s.endpointHost())
	spec.Node.ControlPlane = &settings
	spec.Kubeadm.Init = len(s.ControlPlanes) == 1 // which others could it join?
	spec.Parts.JoinedMark = controlPlaneMark
	spec.Kubeadm.SignerCertificate = signerPath
	config, err := s.nodeConfig(plane.Name, "")
	if err != nil {
		return spec, err
	}
	files := []hostconfig.File{config, {Path: "/etc/hostname", Mode: 0o644, Owner: "root", Contents: plane.Name + "\n"},
		{Path: signerPath, Mode: 0o644, Owner: "root", Contents: first(s.Cluster.CACertificate)}}
	for _, name := range PKIFiles() {
		if hash := s.PKI[name]; hash != "" {
			mode := uint32(0o600)
			if path.Ext(name) == ".crt" || path.Ext(name) == ".pub" {
				mode = 0o644
			}
			spec.Parts.Fetched = append(spec.Parts.Fetched, flatcar.Fetched{Path: pkiPaths[name], Mode: mode, Source: s.source(PKIKey(name)), Hash: hash})
		}
	}
	if !s.localKeys() {
		contents, err := settings.Encryption.Configuration()
		if err != nil {
			return spec, err
		}
		files = append(files, hostconfig.File{Path: pkiPaths[EncryptionFile], Mode: 0o600, Owner: "root", Contents: contents})
	}
	documents, err := s.documents(spec, now)
	spec.Parts.Files = append(append(files, documents...), s.controlPlaneScripts(spec, plane)...)
	s.controlPlaneUnits(&spec, plane)
	return spec, err // what is wrong with the documents may be wrong with more of the machine
}

// first gives the first of several certificates in PEM: the one that signs.
func first(certificates string) string {
	block, _ := pem.Decode([]byte(certificates))
	if block == nil {
		return certificates // Validate reports it
	}
	return string(pem.EncodeToMemory(block))
}

// documents gives kubeadm's documents for what the machine may find itself to be.
func (s Spec) documents(spec flatcar.Spec, now time.Time) ([]hostconfig.File, error) {
	of := kubeadm.Spec{Node: spec.Node, Settings: spec.Kubeadm.Settings}
	initial, err := of.Render(kubeadm.Init, now)
	if err != nil {
		return nil, err
	}
	initial.Path = initPath
	files := []hostconfig.File{initial}
	if len(s.ControlPlanes) > 1 {
		join, err := of.Render(kubeadm.JoinControlPlane, now)
		if err != nil {
			return nil, err
		}
		join.Path = joinPath
		files = append(files, join)
	}
	return files, nil
}

func (s Spec) pool(pool Pool) (flatcar.Spec, error) {
	spec := s.common(hostconfig.RoleWorker)
	spec.Extensions = pool.Extensions
	n := &spec.Node
	n.PodCIDR, n.RuntimeClasses, n.DataDisk = pool.PodCIDR, pool.RuntimeClasses, pool.DataDisk
	n.Labels = maps.Clone(n.Labels)
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	maps.Copy(n.Labels, pool.Labels)
	n.Labels[nodeconfig.LabelPool] = pool.Name
	n.Taints = append(slices.Clone(n.Taints), pool.Taints...)
	if s.Network.Agent != nil {
		n.Taints = append(n.Taints, nodeconfig.TaintNetwork+":NoSchedule")
	}
	if pool.Kubelet != nil {
		n.Kubelet = shutdown(*pool.Kubelet)
	}
	config, err := s.nodeConfig("", pool.Name)
	if err != nil {
		return spec, err
	}
	spec.Parts.Files = []hostconfig.File{config, hostnameScript(), tmpfiles()}
	spec.Parts.Services = append(spec.Parts.Services, hostnameUnit(), fetchJoinUnit())
	spec.Parts.JoinNeeds = []string{unitFetchJoin, unitHostname}
	spec.Parts.KubeletWants = []string{unitHostname}
	return spec, nil
}
