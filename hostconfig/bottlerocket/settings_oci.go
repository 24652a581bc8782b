package bottlerocket

// Capabilities are those of capabilities(7), by their names without CAP_.
type Capabilities struct {
	AuditControl      *bool `toml:"audit-control,omitempty"`
	AuditRead         *bool `toml:"audit-read,omitempty"`
	AuditWrite        *bool `toml:"audit-write,omitempty"`
	BlockSuspend      *bool `toml:"block-suspend,omitempty"`
	Bpf               *bool `toml:"bpf,omitempty"`
	CheckpointRestore *bool `toml:"checkpoint-restore,omitempty"`
	Chown             *bool `toml:"chown,omitempty"`
	DacOverride       *bool `toml:"dac-override,omitempty"`
	DacReadSearch     *bool `toml:"dac-read-search,omitempty"`
	Fowner            *bool `toml:"fowner,omitempty"`
	Fsetid            *bool `toml:"fsetid,omitempty"`
	IpcLock           *bool `toml:"ipc-lock,omitempty"`
	IpcOwner          *bool `toml:"ipc-owner,omitempty"`
	Kill              *bool `toml:"kill,omitempty"`
	Lease             *bool `toml:"lease,omitempty"`
	LinuxImmutable    *bool `toml:"linux-immutable,omitempty"`
	MacAdmin          *bool `toml:"mac-admin,omitempty"`
	MacOverride       *bool `toml:"mac-override,omitempty"`
	Mknod             *bool `toml:"mknod,omitempty"`
	NetAdmin          *bool `toml:"net-admin,omitempty"`
	NetBindService    *bool `toml:"net-bind-service,omitempty"`
	NetBroadcast      *bool `toml:"net-broadcast,omitempty"`
	NetRaw            *bool `toml:"net-raw,omitempty"`
	Perfmon           *bool `toml:"perfmon,omitempty"`
	Setfcap           *bool `toml:"setfcap,omitempty"`
	Setgid            *bool `toml:"setgid,omitempty"`
	Setpcap           *bool `toml:"setpcap,omitempty"`
	Setuid            *bool `toml:"setuid,omitempty"`
	SysAdmin          *bool `toml:"sys-admin,omitempty"`
	SysBoot           *bool `toml:"sys-boot,omitempty"`
	SysChroot         *bool `toml:"sys-chroot,omitempty"`
	SysModule         *bool `toml:"sys-module,omitempty"`
	SysNice           *bool `toml:"sys-nice,omitempty"`
	SysPacct          *bool `toml:"sys-pacct,omitempty"`
	SysPtrace         *bool `toml:"sys-ptrace,omitempty"`
	SysRawio          *bool `toml:"sys-rawio,omitempty"`
	SysResource       *bool `toml:"sys-resource,omitempty"`
	SysTime           *bool `toml:"sys-time,omitempty"`
	SysTtyConfig      *bool `toml:"sys-tty-config,omitempty"`
	Syslog            *bool `toml:"syslog,omitempty"`
	WakeAlarm         *bool `toml:"wake-alarm,omitempty"`
}

// ResourceLimits are those of getrlimit(2).
type ResourceLimits struct {
	MaxAddressSpace     *ResourceLimit `toml:"max-address-space,omitempty"`
	MaxCoreFileSize     *ResourceLimit `toml:"max-core-file-size,omitempty"`
	MaxCpuTime          *ResourceLimit `toml:"max-cpu-time,omitempty"`
	MaxDataSize         *ResourceLimit `toml:"max-data-size,omitempty"`
	MaxFileLocks        *ResourceLimit `toml:"max-file-locks,omitempty"`
	MaxFileSize         *ResourceLimit `toml:"max-file-size,omitempty"`
	MaxLockedMemory     *ResourceLimit `toml:"max-locked-memory,omitempty"`
	MaxMsgqueueSize     *ResourceLimit `toml:"max-msgqueue-size,omitempty"`
	MaxNicePriority     *ResourceLimit `toml:"max-nice-priority,omitempty"`
	MaxOpenFiles        *ResourceLimit `toml:"max-open-files,omitempty"`
	MaxPendingSignals   *ResourceLimit `toml:"max-pending-signals,omitempty"`
	MaxProcesses        *ResourceLimit `toml:"max-processes,omitempty"`
	MaxRealtimePriority *ResourceLimit `toml:"max-realtime-priority,omitempty"`
	MaxRealtimeTimeout  *ResourceLimit `toml:"max-realtime-timeout,omitempty"`
	MaxResidentSet      *ResourceLimit `toml:"max-resident-set,omitempty"`
	MaxStackSize        *ResourceLimit `toml:"max-stack-size,omitempty"`
}
