package bottlerocket

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// neverProxied are the metadata, credential and time addresses of the link: a
// proxy would see credentials, or could not reach them.
// The one that is no range of the platform's is the agent of Pod Identity.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
var neverProxied = slices.Concat([]string{"169.254.170.23"},
	hostconfig.PlatformRanges(hostconfig.PlatformAWS, hostconfig.Metadata), hostconfig.PlatformRanges(hostconfig.PlatformAWS, hostconfig.TimeServers))

func pointer[T any](value T) *T { return &value }

func optional(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// hardened gives the settings before the user's changes. It needs the defaults
// filled in. What needs an exception and has none is left out.
func (s Spec) hardened() Settings {
	node := s.Node
	admin := s.AdminContainer && hostconfig.Excepted(node.Exceptions, adminContainer)
	settings := Settings{
		HostContainers: map[string]HostContainer{
			"admin":   {Enabled: &admin},
			"control": {Enabled: pointer(s.ControlContainer)},
		},
		Kernel: &Kernel{Lockdown: pointer("integrity"), Modules: map[string]Module{}, Sysctl: map[string]string{}},
		Kubernetes: &Kubernetes{
			ClusterDomain:        optional(node.Cluster.Domain),
			ContainerLogMaxFiles: pointer(int64(5)),
			ContainerLogMaxSize:  pointer("10Mi"),
			EventBurst:           pointer(int64(100)),
			EventQPS:             pointer(int64(50)), // as the API server's limit of a user
			// All six: a map that is set replaces the operating system's.
			EvictionHard: map[string]string{
				"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%",
				"imagefs.available": "15%", "imagefs.inodesFree": "5%", "pid.available": "10%",
			},
			KubeReserved:       maps.Clone(node.Kubelet.KubeReserved),
			PodPidsLimit:       pointer(int64(4096)), // room for a large JVM, not for a fork bomb
			SeccompDefault:     pointer(true),
			ServerTLSBootstrap: pointer(true),
			StandaloneMode:     pointer(false),
			SystemReserved:     maps.Clone(node.Kubelet.SystemReserved),
		},
		Metrics: &Metrics{SendMetrics: pointer(false)},
		NTP:     &NTP{TimeServers: slices.Clone(node.TimeServers)},
		OCIDefaults: &OCIDefaults{Capabilities: &Capabilities{
			AuditWrite: pointer(false), Mknod: pointer(false), NetRaw: pointer(false),
		}},
		Updates: s.updates(),
	}
	maps.Copy(settings.Kubernetes.EvictionHard, node.Kubelet.EvictionHard)
	for name := range lockedModules {
		settings.Kernel.Modules[name] = Module{Allowed: pointer(false)}
	}
	for name, locked := range lockedSysctls {
		settings.Kernel.Sysctl[name] = locked.value
	}
	if node.Kubelet.MaxPods != 0 {
		settings.Kubernetes.MaxPods = pointer(node.Kubelet.MaxPods)
	}
	s.joinCluster(settings.Kubernetes)
	s.trust(&settings)
	if proxy := node.Proxy.HTTPS; proxy != "" {
		settings.Network = &Network{HTTPSProxy: pointer(proxy), NoProxy: slices.Clone(neverProxied)}
	}
	return settings
}

// joinCluster adds what EKS injects into a managed group's document.
func (s Spec) joinCluster(kubelet *Kubernetes) {
	if s.Group == ManagedGroup {
		return
	}
	cluster := s.Node.Cluster
	kubelet.APIServer = optional(cluster.Endpoint)
	kubelet.ClusterName = optional(cluster.Name)
	kubelet.ClusterDNSIP = slices.Clone(cluster.DNS)
	if cluster.CACertificate != "" {
		kubelet.ClusterCertificate = pointer(encode(cluster.CACertificate))
	}
	kubelet.NodeLabels, kubelet.NodeTaints = s.labels()
}

// labels gives the labels and taints in the form of the document.
func (s Spec) labels() (map[string]string, map[string][]string) {
	var taints map[string][]string
	for _, text := range s.Node.Taints {
		if taint, err := hostconfig.ParseTaint(text); err == nil {
			if taints == nil {
				taints = map[string][]string{}
			}
			taints[taint.Key] = append(taints[taint.Key], taint.Value+":"+string(taint.Effect))
		}
	}
	return maps.Clone(s.Node.Labels), taints
}

// trust adds registries, verification and authorities.
func (s Spec) trust(settings *Settings) {
	registries := s.Node.Registries
	for _, registry := range registries.Allowed {
		if settings.ContainerRegistry == nil {
			settings.ContainerRegistry = &ContainerRegistry{}
		}
		mirror := RegistryMirror{Registry: registry.Name}
		for _, each := range registry.Mirrors {
			mirror.Endpoint = append(mirror.Endpoint, each.URL)
		}
		settings.ContainerRegistry.Mirrors = append(settings.ContainerRegistry.Mirrors, mirror)
	}
	for _, provider := range registries.CredentialProviders {
		if settings.Kubernetes.CredentialProviders == nil {
			settings.Kubernetes.CredentialProviders = map[string]CredentialProvider{}
		}
		// Twelve hours is as long as the credentials of ECR live.
		lifetime := cmp.Or(provider.CacheDuration.Duration, 12*time.Hour)
		settings.Kubernetes.CredentialProviders[provider.Name] = CredentialProvider{
			CacheDuration: pointer(lifetime.String()), Enabled: pointer(true),
			Environment: maps.Clone(provider.Environment), ImagePatterns: slices.Clone(provider.MatchImages),
		}
	}
	if registries.TrustedCertificates != "" {
		settings.PKI = map[string]Certificate{"registries": {Data: pointer(encode(registries.TrustedCertificates)), Trusted: pointer(true)}}
	}
	settings.ImageVerifierPlugins = s.verifiers()
}

// verifiers gives the programs that judge an image before it is pulled (M26).
func (s Spec) verifiers() *ImageVerifierPlugins {
	v := s.Node.ImageVerification
	if v == nil && len(s.ImageVerifiers) == 0 {
		return nil
	}
	plugins := &ImageVerifierPlugins{Enabled: pointer(true)}
	if v != nil && v.NotationTrustPolicy != "" {
		plugins.Notation = &TrustPolicy{pointer(encode(v.NotationTrustPolicy))}
	}
	if v != nil && len(v.TrustedDigests) > 0 {
		document, err := json.Marshal(map[string]any{"version": "1.0", "trustedDigests": v.TrustedDigests})
		if err == nil {
			plugins.Digestion = &TrustPolicy{pointer(encode(string(document)))}
		}
	}
	for name, policy := range s.ImageVerifiers {
		if plugins.Custom == nil {
			plugins.Custom = map[string]TrustPolicy{}
		}
		plugins.Custom[name] = TrustPolicy{pointer(encode(policy))}
	}
	return plugins
}

func (s Spec) updates() *UpdateSettings {
	updates := &UpdateSettings{IgnoreWaves: pointer(false)}
	switch s.Node.Updates.Strategy {
	case hostconfig.UpdateInPlace:
		updates.Seed = s.Node.Updates.Seed
		updates.VersionLock = pointer("latest")
	case hostconfig.UpdateLocked:
		updates.VersionLock = optional(s.Node.Updates.Version)
	default:
		// Nothing asks for updates; where something does, it finds the image's own version.
		if s.OSVersion != "" {
			updates.VersionLock = pointer("v" + s.OSVersion)
		}
	}
	return updates
}

// Effective gives the settings with everything that the user added. It fails
// where a change is refused; what was refused is left out.
func (s Spec) Effective() (Settings, error) {
	settings, refused := s.WithDefaults().effective()
	return settings, errors.Join(refused...)
}

func (s Spec) effective() (Settings, []error) {
	hardened, settings := s.hardened(), s.hardened()
	exceptions := s.Node.Exceptions
	short := Settings{
		BootstrapCommands: s.BootstrapCommands, BootstrapContainers: s.BootstrapContainers, HostContainers: s.HostContainers,
		Kernel: &Kernel{Modules: s.modules(), Sysctl: s.Node.Sysctls},
	}
	if len(s.Node.Proxy.NoProxy) > 0 {
		short.Network = &Network{NoProxy: s.Node.Proxy.NoProxy}
	}
	refused := merge(&settings, hardened, short, exceptions, shortField)
	refused = append(refused, merge(&settings, hardened, s.Settings, exceptions, leaf.name)...)
	// What other fields of the specification put there must have the right form too.
	for _, l := range leaves(hardened) {
		if problem := checkFormat(l); problem != nil {
			problem.Field = l.name()
			if rule, _ := ruleFor(l); rule.Field != "" {
				problem.Field = rule.Field
			}
			refused = append(refused, problem)
		}
	}
	return settings, refused
}

// modules gives the modules of the node. One that is loaded at boot must be
// allowed as well.
func (s Spec) modules() map[string]Module {
	modules := map[string]Module{}
	for _, name := range s.Node.Modules.Load {
		modules[name] = Module{Allowed: pointer(true), Autoload: pointer(true)}
	}
	for _, name := range s.Node.Modules.Deny {
		modules[name] = Module{Allowed: pointer(false)}
	}
	return modules
}

// shortField names a leaf by the field of Spec that holds it.
func shortField(l leaf) string {
	fields := map[string]string{
		"kernel.sysctl": "node.sysctls", "kernel.modules": "node.modules", "network.no-proxy": "node.proxy.noProxy",
		"host-containers": "hostContainers", "bootstrap-containers": "bootstrapContainers", "bootstrap-commands": "bootstrapCommands",
	}
	for _, depth := range []int{1, 2} {
		if field, found := fields[strings.Join(l.path[:depth], ".")]; found {
			if rest := l.path[depth:]; len(rest) > 0 {
				return field + strings.TrimPrefix(pathName(rest), "settings")
			}
			return field
		}
	}
	return l.name()
}
