package bottlerocket

// Kernel holds lockdown, modules, sysctls, huge pages and drivers.
type Kernel struct {
	Drivers   *Drivers   `toml:"drivers,omitempty"`
	Hugepages *Hugepages `toml:"hugepages,omitempty"`
	// Lockdown is none, integrity or confidentiality.
	Lockdown *string           `toml:"lockdown,omitempty"`
	Modules  map[string]Module `toml:"modules,omitempty"`
	Sysctl   map[string]string `toml:"sysctl,omitempty"`
}

// Module says whether a kernel module may be loaded, and whether it is at boot.
type Module struct {
	Allowed  *bool `toml:"allowed,omitempty" json:"allowed,omitempty"`
	Autoload *bool `toml:"autoload,omitempty" json:"autoload,omitempty"`
}

// Drivers selects among the drivers of one image. NVIDIA variants only.
type Drivers struct {
	Nvidia *NvidiaDriver `toml:"nvidia,omitempty"`
}

// NvidiaDriver pins the branch; unset, the instance type decides.
type NvidiaDriver struct {
	// Branch is lts or pb.
	Branch *string `toml:"branch,omitempty"`
}

// Hugepages needs OS 1.64. The static ones are reserved at boot.
type Hugepages struct {
	Static      *StaticHugepages      `toml:"static,omitempty"`
	Transparent *TransparentHugepages `toml:"transparent,omitempty"`
}

// StaticHugepages reserves pages by size. The sizes are those of x86-64 (2Mi,
// 1Gi) and of arm64 with pages of 4 KiB (64Ki, 2Mi, 32Mi, 1Gi): one that the
// processor does not have keeps the node from booting.
type StaticHugepages struct {
	Size1Gi  *PagePool `toml:"1Gi,omitempty"`
	Size2Mi  *PagePool `toml:"2Mi,omitempty"`
	Size32Mi *PagePool `toml:"32Mi,omitempty"`
	Size64Ki *PagePool `toml:"64Ki,omitempty"`
	// Essential keeps the node from booting with fewer pages.
	Essential *bool `toml:"essential,omitempty"`
}

// PagePool is a number of pages in text, "512", or one for each NUMA node, "0:2,1:2".
type PagePool struct {
	Count *string `toml:"count,omitempty"`
}

// TransparentHugepages is the kernel's policy.
type TransparentHugepages struct {
	// Defrag is never, madvise, defer, defer+madvise or always.
	Defrag *string `toml:"defrag,omitempty"`
	// Enabled is never, madvise or always.
	Enabled *string `toml:"enabled,omitempty"`
}
