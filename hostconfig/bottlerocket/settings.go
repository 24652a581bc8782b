package bottlerocket

// Document is a whole user data document.
type Document struct {
	Settings Settings `toml:"settings"`
}

// Settings is the tree that Bottlerocket reads. A nil or empty field is left to
// the operating system. In every struct the fields stand in the order of their
// keys, because the encoder keeps it: the rendered document is sorted.
type Settings struct {
	AutoScaling             *AutoScaling                  `toml:"autoscaling,omitempty"`
	AWS                     *AWS                          `toml:"aws,omitempty"`
	Boot                    *Boot                         `toml:"boot,omitempty"`
	BootstrapCommands       map[string]BootstrapCommand   `toml:"bootstrap-commands,omitempty"`
	BootstrapContainers     map[string]BootstrapContainer `toml:"bootstrap-containers,omitempty"`
	CloudFormation          *CloudFormation               `toml:"cloudformation,omitempty"`
	ContainerRegistry       *ContainerRegistry            `toml:"container-registry,omitempty"`
	ContainerRuntime        *ContainerRuntime             `toml:"container-runtime,omitempty"`
	ContainerRuntimePlugins *ContainerRuntimePlugins      `toml:"container-runtime-plugins,omitempty"`
	DNS                     *DNS                          `toml:"dns,omitempty"`
	HostContainers          map[string]HostContainer      `toml:"host-containers,omitempty"`
	ImageVerifierPlugins    *ImageVerifierPlugins         `toml:"image-verifier-plugins,omitempty"`
	Kernel                  *Kernel                       `toml:"kernel,omitempty"`
	KubeletDevicePlugins    *KubeletDevicePlugins         `toml:"kubelet-device-plugins,omitempty"`
	KubeletDRADrivers       *KubeletDRADrivers            `toml:"kubelet-dra-drivers,omitempty"`
	Kubernetes              *Kubernetes                   `toml:"kubernetes,omitempty"`
	Metrics                 *Metrics                      `toml:"metrics,omitempty"`
	Motd                    *string                       `toml:"motd,omitempty"`
	Network                 *Network                      `toml:"network,omitempty"`
	NTP                     *NTP                          `toml:"ntp,omitempty"`
	NvidiaContainerRuntime  *NvidiaContainerRuntime       `toml:"nvidia-container-runtime,omitempty"`
	OCIDefaults             *OCIDefaults                  `toml:"oci-defaults,omitempty"`
	OCIHooks                *OCIHooks                     `toml:"oci-hooks,omitempty"`
	PKI                     map[string]Certificate        `toml:"pki,omitempty"`
	Updates                 *UpdateSettings               `toml:"updates,omitempty"`
}

// AutoScaling makes the node wait for the InService state of a warm pool.
type AutoScaling struct {
	ShouldWait *bool `toml:"should-wait,omitempty"`
}

// AWS configures the AWS clients of the host. Config and Credentials are base64.
type AWS struct {
	Config      *string `toml:"config,omitempty"`
	Credentials *string `toml:"credentials,omitempty"`
	Profile     *string `toml:"profile,omitempty"`
	Region      *string `toml:"region,omitempty"`
}

// Boot holds parameters of the kernel's and init's command lines.
type Boot struct {
	InitParameters    map[string][]string `toml:"init-parameters,omitempty"`
	KernelParameters  map[string][]string `toml:"kernel-parameters,omitempty"`
	RebootToReconcile *bool               `toml:"reboot-to-reconcile,omitempty"`
}

// CloudFormation signals a stack that the node is up.
type CloudFormation struct {
	LogicalResourceID *string `toml:"logical-resource-id,omitempty"`
	ShouldSignal      *bool   `toml:"should-signal,omitempty"`
	StackName         *string `toml:"stack-name,omitempty"`
}

// DNS is the host's own resolver, not that of the pods.
type DNS struct {
	NameServers []string `toml:"name-servers,omitempty"`
	SearchList  []string `toml:"search-list,omitempty"`
}

// Metrics is the reporting to the makers of the operating system.
type Metrics struct {
	MetricsURL    *string  `toml:"metrics-url,omitempty"`
	SendMetrics   *bool    `toml:"send-metrics,omitempty"`
	ServiceChecks []string `toml:"service-checks,omitempty"`
}

// Network holds the host's name and proxies.
type Network struct {
	Hostname *string `toml:"hostname,omitempty"`
	// Hosts are lines of /etc/hosts, each an address and a list of names.
	Hosts      [][]any  `toml:"hosts,omitempty"`
	HTTPSProxy *string  `toml:"https-proxy,omitempty"`
	NoProxy    []string `toml:"no-proxy,omitempty"`
}

// NTP names the time servers of chrony.
type NTP struct {
	Options     []string `toml:"options,omitempty"`
	TimeServers []string `toml:"time-servers,omitempty"`
}

// Certificate is a bundle of authorities in base64 of PEM.
type Certificate struct {
	Data    *string `toml:"data,omitempty"`
	Trusted *bool   `toml:"trusted,omitempty"`
}

// UpdateSettings say from where and when an in-place update may come.
type UpdateSettings struct {
	IgnoreWaves     *bool   `toml:"ignore-waves,omitempty"`
	MetadataBaseURL *string `toml:"metadata-base-url,omitempty"`
	// Seed is an unsigned 32-bit number: the node's place in the waves.
	Seed           *int64  `toml:"seed,omitempty"`
	TargetsBaseURL *string `toml:"targets-base-url,omitempty"`
	VersionLock    *string `toml:"version-lock,omitempty"`
}
