package bottlerocket

// KubeletDevicePlugins configures the device plugins of the image. NVIDIA
// variants only.
type KubeletDevicePlugins struct {
	Nvidia *NvidiaDevicePlugin `toml:"nvidia,omitempty"`
}

// NvidiaDevicePlugin offers GPUs to pods.
type NvidiaDevicePlugin struct {
	// DeviceIDStrategy is index or uuid.
	DeviceIDStrategy *string `toml:"device-id-strategy,omitempty"`
	// DeviceListStrategy are volume-mounts, envvar and cdi-cri.
	DeviceListStrategy []string `toml:"device-list-strategy,omitempty"`
	// DevicePartitioningStrategy is none or mig.
	DevicePartitioningStrategy *string `toml:"device-partitioning-strategy,omitempty"`
	// DeviceSharingStrategy is none, time-slicing or mps.
	DeviceSharingStrategy *string `toml:"device-sharing-strategy,omitempty"`
	// Enabled needs OS 1.63.
	Enabled         *bool              `toml:"enabled,omitempty"`
	MIG             *NvidiaMIG         `toml:"mig,omitempty"`
	MPS             *NvidiaMPS         `toml:"mps,omitempty"`
	PassDeviceSpecs *bool              `toml:"pass-device-specs,omitempty"`
	TimeSlicing     *NvidiaTimeSlicing `toml:"time-slicing,omitempty"`
}

// NvidiaMIG partitions a GPU in hardware, which isolates memory and faults.
type NvidiaMIG struct {
	// Profile gives a partition, "2g.10gb", or their number by GPU, "a100.40gb".
	Profile map[string]string `toml:"profile,omitempty"`
}

// NvidiaMPS shares a GPU without isolation between its users.
type NvidiaMPS struct {
	RenameByDefault *bool `toml:"rename-by-default,omitempty"`
	// Replicas is from 2 to 48.
	Replicas *int64 `toml:"replicas,omitempty"`
}

// NvidiaTimeSlicing shares a GPU in turns, without isolation of its memory.
type NvidiaTimeSlicing struct {
	FailRequestsGreaterThanOne *bool `toml:"fail-requests-greater-than-one,omitempty"`
	RenameByDefault            *bool `toml:"rename-by-default,omitempty"`
	// Replicas is at least 2.
	Replicas *int64 `toml:"replicas,omitempty"`
}

// KubeletDRADrivers starts drivers of dynamic resource allocation. NVIDIA
// variants only.
type KubeletDRADrivers struct {
	// Net needs OS 1.69.
	Net *NetDRADriver `toml:"net,omitempty"`
	// Nvidia needs OS 1.66.
	Nvidia *NvidiaDRADriver `toml:"nvidia,omitempty"`
}

// NetDRADriver gives network devices to pods.
type NetDRADriver struct {
	// BindAddress is the address and port of its metrics.
	BindAddress *string `toml:"bind-address,omitempty"`
	// DeviceFilter is a CEL expression over a device's attributes.
	DeviceFilter *string `toml:"device-filter,omitempty"`
	Enabled      *bool   `toml:"enabled,omitempty"`
}

// NvidiaDRADriver gives GPUs to pods.
type NvidiaDRADriver struct {
	Enabled *bool `toml:"enabled,omitempty"`
}

// NvidiaContainerRuntime says how a container asks for GPUs. NVIDIA variants only.
type NvidiaContainerRuntime struct {
	VisibleDevicesAsVolumeMounts         *bool `toml:"visible-devices-as-volume-mounts,omitempty"`
	VisibleDevicesEnvvarWhenUnprivileged *bool `toml:"visible-devices-envvar-when-unprivileged,omitempty"`
}
