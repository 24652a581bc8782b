package bottlerocket

// BootstrapCommand runs calls of the host's API before the kubelet starts.
type BootstrapCommand struct {
	Commands  [][]string `toml:"commands,omitempty" json:"commands,omitempty"`
	Essential *bool      `toml:"essential,omitempty" json:"essential,omitempty"`
	// Mode is off, once or always.
	Mode *string `toml:"mode,omitempty" json:"mode,omitempty"`
}

// BootstrapContainer runs with the host's privileges before the kubelet starts.
type BootstrapContainer struct {
	// Command replaces the image's entry point.
	Command   []string `toml:"command,omitempty" json:"command,omitempty"`
	Essential *bool    `toml:"essential,omitempty" json:"essential,omitempty"`
	Mode      *string  `toml:"mode,omitempty" json:"mode,omitempty"`
	Source    *string  `toml:"source,omitempty" json:"source,omitempty"`
	UserData  *string  `toml:"user-data,omitempty" json:"userData,omitempty"`
}

// HostContainer runs beside Kubernetes, with access to the host's API.
type HostContainer struct {
	// Command replaces the image's entry point.
	Command      []string `toml:"command,omitempty" json:"command,omitempty"`
	Enabled      *bool    `toml:"enabled,omitempty" json:"enabled,omitempty"`
	Source       *string  `toml:"source,omitempty" json:"source,omitempty"`
	Superpowered *bool    `toml:"superpowered,omitempty" json:"superpowered,omitempty"`
	UserData     *string  `toml:"user-data,omitempty" json:"userData,omitempty"`
}

// ContainerRegistry holds mirrors, and credentials that nothing rotates.
type ContainerRegistry struct {
	Credentials []RegistryCredential `toml:"credentials,omitempty"`
	Mirrors     []RegistryMirror     `toml:"mirrors,omitempty"`
}

// RegistryCredential is a long-lived password in plain text.
type RegistryCredential struct {
	Auth          string `toml:"auth,omitempty"`
	IdentityToken string `toml:"identitytoken,omitempty"`
	Password      string `toml:"password,omitempty"`
	Registry      string `toml:"registry"`
	Username      string `toml:"username,omitempty"`
}

// RegistryMirror is asked before the registry; "*" stands for every registry.
type RegistryMirror struct {
	Endpoint []string `toml:"endpoint" json:"endpoint"`
	Registry string   `toml:"registry" json:"registry"`
}

// ContainerRuntime holds settings of containerd.
type ContainerRuntime struct {
	// ConcurrentDownloadChunkSize is a size such as "8mib".
	ConcurrentDownloadChunkSize *string `toml:"concurrent-download-chunk-size,omitempty"`
	EnableUnprivilegedICMP      *bool   `toml:"enable-unprivileged-icmp,omitempty"`
	EnableUnprivilegedPorts     *bool   `toml:"enable-unprivileged-ports,omitempty"`
	MaxConcurrentDownloads      *int64  `toml:"max-concurrent-downloads,omitempty"`
	// MaxConcurrentUnpacks needs OS 1.60.
	MaxConcurrentUnpacks    *int64  `toml:"max-concurrent-unpacks,omitempty"`
	MaxContainerLogLineSize *int64  `toml:"max-container-log-line-size,omitempty"`
	Snapshotter             *string `toml:"snapshotter,omitempty"`
}

// ContainerRuntimePlugins holds settings of the SOCI snapshotter.
type ContainerRuntimePlugins struct {
	SociSnapshotter *SociSnapshotter `toml:"soci-snapshotter,omitempty"`
}

// SociSnapshotter pulls and unpacks layers in parallel.
type SociSnapshotter struct {
	ParallelPullUnpack *ParallelPullUnpack `toml:"parallel-pull-unpack,omitempty"`
	PullMode           *string             `toml:"pull-mode,omitempty"`
}

// ParallelPullUnpack bounds the work of the SOCI snapshotter; -1 means unbounded.
type ParallelPullUnpack struct {
	ConcurrentDownloadChunkSize    *string `toml:"concurrent-download-chunk-size,omitempty"`
	DiscardUnpackedLayers          *bool   `toml:"discard-unpacked-layers,omitempty"`
	MaxConcurrentDownloads         *int64  `toml:"max-concurrent-downloads,omitempty"`
	MaxConcurrentDownloadsPerImage *int64  `toml:"max-concurrent-downloads-per-image,omitempty"`
	MaxConcurrentUnpacks           *int64  `toml:"max-concurrent-unpacks,omitempty"`
	MaxConcurrentUnpacksPerImage   *int64  `toml:"max-concurrent-unpacks-per-image,omitempty"`
}

// ImageVerifierPlugins let containerd refuse images before they are pulled. In
// the document the custom verifiers stand beside the built-in ones, by name:
// [Encode] and [Decode] put them there and take them out.
type ImageVerifierPlugins struct {
	// Custom are the policies of verifiers that a bootstrap container installs
	// into /opt/civ/bin.
	Custom    map[string]TrustPolicy `toml:"custom,omitempty"`
	Digestion *TrustPolicy           `toml:"digestion,omitempty"`
	Enabled   *bool                  `toml:"enabled,omitempty"`
	Notation  *TrustPolicy           `toml:"notation,omitempty"`
}

// TrustPolicy is a verifier's policy, base64 of JSON.
type TrustPolicy struct {
	TrustPolicy *string `toml:"trustpolicy,omitempty"`
}

// OCIHooks holds a hook that the images no longer have.
type OCIHooks struct {
	Log4jHotpatchEnabled *bool `toml:"log4j-hotpatch-enabled,omitempty"`
}

// OCIDefaults are what containers get that ask for nothing.
type OCIDefaults struct {
	Capabilities   *Capabilities   `toml:"capabilities,omitempty"`
	ResourceLimits *ResourceLimits `toml:"resource-limits,omitempty"`
}

// ResourceLimit needs both; -1 removes the limit. Both are always rendered.
type ResourceLimit struct {
	HardLimit int64 `toml:"hard-limit"`
	SoftLimit int64 `toml:"soft-limit"`
}
