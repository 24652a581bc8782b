package bottlerocket

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// neverProxied are the metadata, credential and time addresses of the link: a
// proxy would see credentials, or could not reach them.
var neverProxied = []string{"169.254.169.254", "169.254.170.23", "169.254.169.123", "fd00:ec2::254"}

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
	admin := s.AdminContainer && hostconfig.Excepted(s.Exceptions, adminContainer)
	settings := Settings{
		HostContainers: map[string]HostContainer{
			"admin":   {Enabled: &admin},
			"control": {Enabled: pointer(s.ControlContainer)},
		},
		Kernel: &Kernel{Lockdown: pointer("integrity"), Modules: map[string]Module{}, Sysctl: map[string]string{}},
		Kubernetes: &Kubernetes{
			ClusterDomain:        optional(s.ClusterDomain),
			ContainerLogMaxFiles: pointer(int64(5)),
			ContainerLogMaxSize:  pointer("10Mi"),
			CredentialProviders:  maps.Clone(s.CredentialProviders),
			EventBurst:           pointer(int64(100)),
			EventQPS:             pointer(int64(50)), // as the API server's limit of a user
			// All six: a map that is set replaces the operating system's.
			EvictionHard: map[string]string{
				"memory.available": "100Mi", "nodefs.available": "10%", "nodefs.inodesFree": "5%",
				"imagefs.available": "15%", "imagefs.inodesFree": "5%", "pid.available": "10%",
			},
			KubeReserved:       maps.Clone(s.KubeReserved),
			PodPidsLimit:       pointer(int64(4096)), // room for a large JVM, not for a fork bomb
			SeccompDefault:     pointer(true),
			ServerTLSBootstrap: pointer(true),
			StandaloneMode:     pointer(false),
			SystemReserved:     maps.Clone(s.SystemReserved),
		},
		Metrics: &Metrics{SendMetrics: pointer(false)},
		NTP:     &NTP{TimeServers: slices.Clone(s.TimeServers)},
		OCIDefaults: &OCIDefaults{Capabilities: &Capabilities{
			AuditWrite: pointer(false), Mknod: pointer(false), NetRaw: pointer(false),
		}},
		Updates: s.updates(),
	}
	for name := range lockedModules {
		settings.Kernel.Modules[name] = Module{Allowed: pointer(false)}
	}
	for name, locked := range lockedSysctls {
		settings.Kernel.Sysctl[name] = locked.value
	}
	settings.Kernel.Sysctl["user.max_user_namespaces"] = "0"
	if s.MaxUserNamespaces > 0 && hostconfig.Excepted(s.Exceptions, userNamespaces) {
		settings.Kernel.Sysctl["user.max_user_namespaces"] = decimal(s.MaxUserNamespaces)
	}
	if s.MaxPods != 0 {
		settings.Kubernetes.MaxPods = pointer(s.MaxPods)
	}
	s.joinCluster(settings.Kubernetes)
	s.trust(&settings)
	if s.HTTPSProxy != "" {
		settings.Network = &Network{HTTPSProxy: pointer(s.HTTPSProxy), NoProxy: slices.Clone(neverProxied)}
	}
	return settings
}

// joinCluster adds what EKS injects into a managed group's document.
func (s Spec) joinCluster(kubelet *Kubernetes) {
	if s.Platform == ManagedGroup {
		return
	}
	kubelet.APIServer = optional(s.APIServer)
	kubelet.ClusterName = optional(s.ClusterName)
	kubelet.ClusterDNSIP = slices.Clone(s.ClusterDNS)
	if s.CACertificate != "" {
		kubelet.ClusterCertificate = pointer(encode(s.CACertificate))
	}
	kubelet.NodeLabels = maps.Clone(s.Labels)
	for _, text := range s.Taints {
		if taint, err := hostconfig.ParseTaint(text); err == nil {
			if kubelet.NodeTaints == nil {
				kubelet.NodeTaints = map[string][]string{}
			}
			kubelet.NodeTaints[taint.Key] = append(kubelet.NodeTaints[taint.Key], taint.Value+":"+string(taint.Effect))
		}
	}
}

// trust adds registries, verification and authorities.
func (s Spec) trust(settings *Settings) {
	if len(s.RegistryMirrors) > 0 {
		settings.ContainerRegistry = &ContainerRegistry{Mirrors: slices.Clone(s.RegistryMirrors)}
	}
	if v := s.ImageVerification; v != nil {
		plugins := &ImageVerifierPlugins{Enabled: pointer(true)}
		if v.NotationTrustPolicy != "" {
			plugins.Notation = &TrustPolicy{pointer(encode(v.NotationTrustPolicy))}
		}
		if len(v.TrustedDigests) > 0 {
			document, err := json.Marshal(map[string]any{"version": "1.0", "trustedDigests": v.TrustedDigests})
			if err == nil {
				plugins.Digestion = &TrustPolicy{pointer(encode(string(document)))}
			}
		}
		settings.ImageVerifierPlugins = plugins
	}
	if len(s.ImageVerifiers) > 0 {
		if settings.ImageVerifierPlugins == nil {
			settings.ImageVerifierPlugins = &ImageVerifierPlugins{Enabled: pointer(true)}
		}
		settings.ImageVerifierPlugins.Custom = map[string]TrustPolicy{}
		for name, policy := range s.ImageVerifiers {
			settings.ImageVerifierPlugins.Custom[name] = TrustPolicy{pointer(encode(policy))}
		}
	}
	for name, certificate := range s.TrustedCertificates {
		if settings.PKI == nil {
			settings.PKI = map[string]Certificate{}
		}
		settings.PKI[name] = Certificate{Data: pointer(encode(certificate)), Trusted: pointer(true)}
	}
}

func (s Spec) updates() *UpdateSettings {
	updates := &UpdateSettings{IgnoreWaves: pointer(false)}
	switch s.Updates.Strategy {
	case UpdatesInWaves:
		updates.Seed = s.Updates.Seed
		updates.VersionLock = pointer("latest")
	case UpdatesLocked:
		updates.VersionLock = optional(s.Updates.Version)
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
	short := Settings{
		BootstrapCommands: s.BootstrapCommands, BootstrapContainers: s.BootstrapContainers, HostContainers: s.HostContainers,
		Kernel: &Kernel{Modules: s.Modules, Sysctl: s.Sysctls},
	}
	if len(s.NoProxy) > 0 {
		short.Network = &Network{NoProxy: s.NoProxy}
	}
	refused := merge(&settings, hardened, short, s.Exceptions, shortField)
	refused = append(refused, merge(&settings, hardened, s.Settings, s.Exceptions, leaf.name)...)
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

// shortField names a leaf by the field of Spec that holds it.
func shortField(l leaf) string {
	fields := map[string]string{
		"kernel.sysctl": "sysctls", "kernel.modules": "modules", "network.no-proxy": "noProxy",
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
