package hostconfig

import "path"

// Paths says where the files of a host are. The zero value gives the standard
// absolute paths of kubeadm and of CIS Kubernetes section 1.1, which hold on
// Flatcar and inside an isolated local machine alike. With Root set, every path
// lies below it, for a control plane that runs without isolation.
type Paths struct {
	// Root is an absolute directory, or empty.
	Root string `json:"root,omitempty"`
}

func (p Paths) at(name string) string {
	if p.Root == "" {
		return name
	}
	return path.Join(p.Root, name)
}

// KubernetesDir holds the configuration of the control plane.
func (p Paths) KubernetesDir() string { return p.at("/etc/kubernetes") }

// PKI holds the cluster's certificates and the service account keys.
func (p Paths) PKI() string { return p.at("/etc/kubernetes/pki") }

// EtcdPKI holds etcd's own authority and certificates. It belongs to etcd's
// user, and lies outside KubernetesDir, so that etcd's user needs no access there.
func (p Paths) EtcdPKI() string { return p.at("/etc/etcd/pki") }

// EtcdData is etcd's data directory, mode 0700 (CIS 1.1.11).
func (p Paths) EtcdData() string { return p.at("/var/lib/etcd") }

// Kubeconfig is the kubeconfig of a component: "controller-manager",
// "scheduler" or "agent".
func (p Paths) Kubeconfig(component string) string {
	return p.at("/etc/kubernetes/" + component + ".conf")
}

// AuditPolicy is the API server's audit policy (CIS 3.2.1).
func (p Paths) AuditPolicy() string { return p.at("/etc/kubernetes/audit-policy.yaml") }

// AuditLog is the API server's audit log (CIS 1.2.16).
func (p Paths) AuditLog() string { return p.at("/var/log/kubernetes/audit.log") }

// Encryption is the API server's EncryptionConfiguration (CIS 1.2.27). It holds
// keys: mode 0600.
func (p Paths) Encryption() string { return p.at("/etc/kubernetes/encryption/config.yaml") }

// KMSDir holds the sockets of KMS plugins.
func (p Paths) KMSDir() string { return p.at("/run/kms") }

// Authentication is the API server's AuthenticationConfiguration.
func (p Paths) Authentication() string { return p.at("/etc/kubernetes/authentication.yaml") }

// Admission is the API server's AdmissionConfiguration.
func (p Paths) Admission() string { return p.at("/etc/kubernetes/admission.yaml") }

// EventRateLimit is the configuration of the EventRateLimit admission plugin
// (CIS 1.2.9).
func (p Paths) EventRateLimit() string { return p.at("/etc/kubernetes/event-rate-limit.yaml") }

// Admin holds the administrator's certificate and key.
func (p Paths) Admin() string { return p.at("/etc/kubernetes/admin") }

// AgentConfig is the configuration of the control plane's agent.
func (p Paths) AgentConfig() string { return p.at("/etc/kubernetes/agent.json") }

// KubeletDir is the kubelet's root directory.
func (p Paths) KubeletDir() string { return p.at("/var/lib/kubelet") }

// VolumePlugins is the directory of FlexVolume plugins, which stays empty. The
// kubelet's own default lies below /usr, which is read-only.
func (p Paths) VolumePlugins() string { return p.at("/var/lib/kubelet/volume-plugins") }

// KubeletPKI holds the certificates that the kubelet requests for itself. It
// must be emptied when the cluster's authority changes: a certificate of an
// earlier authority left there makes every request Unauthorized.
func (p Paths) KubeletPKI() string { return p.at("/var/lib/kubelet/pki") }

// KubeletConfig is the KubeletConfiguration (CIS 4.1.9: mode 0600).
func (p Paths) KubeletConfig() string { return p.at("/var/lib/kubelet/config.yaml") }

// KubeletKubeconfig is written by the kubelet once it has joined.
func (p Paths) KubeletKubeconfig() string { return p.at("/var/lib/kubelet/kubeconfig") }

// KubeletBootstrapKubeconfig holds the bootstrap token; the caller writes it,
// see [Worker.BootstrapKubeconfig].
func (p Paths) KubeletBootstrapKubeconfig() string {
	return p.at("/var/lib/kubelet/bootstrap-kubeconfig")
}

// ClusterCA is the certificate of the cluster's authority: on a control plane
// beside its key, on a worker alone.
func (p Paths) ClusterCA() string { return p.at("/etc/kubernetes/pki/ca.crt") }

// ContainerdConfig is containerd's configuration.
func (p Paths) ContainerdConfig() string { return p.at("/etc/containerd/config.toml") }

// RegistryHosts is containerd's directory of hosts.toml files, one directory a registry.
func (p Paths) RegistryHosts() string { return p.at("/etc/containerd/certs.d") }

// RegistryAuthorities holds the authorities of registries' certificates.
func (p Paths) RegistryAuthorities() string { return p.at("/etc/containerd/authorities") }

// Runsc is the configuration of gVisor's shim.
func (p Paths) Runsc() string { return p.at("/etc/containerd/runsc.toml") }

// CredentialProviders is the kubelet's CredentialProviderConfig.
func (p Paths) CredentialProviders() string { return p.at("/etc/kubernetes/credential-providers.yaml") }

// CredentialProviderBin is the directory of the programs that it names. Whoever
// makes the machine's image puts them there; no program may be written to it.
func (p Paths) CredentialProviderBin() string { return p.at("/opt/kubernetes/credential-providers") }

// ContainerdRoot is containerd's persistent directory.
func (p Paths) ContainerdRoot() string { return p.at("/var/lib/containerd") }

// ContainerdState is containerd's directory of running state.
func (p Paths) ContainerdState() string { return p.at("/run/containerd") }

// ContainerdSocket is the CRI endpoint without its scheme.
func (p Paths) ContainerdSocket() string { return p.at("/run/containerd/containerd.sock") }

// CNIConfig is the directory of network configuration lists (CIS 1.1.9).
func (p Paths) CNIConfig() string { return p.at("/etc/cni/net.d") }

// CNIBin is the directory of network plugins.
func (p Paths) CNIBin() string { return p.at("/opt/cni/bin") }

// CNIState is where the address plugin remembers what it gave out.
func (p Paths) CNIState() string { return p.at("/var/lib/cni/networks") }

// Sysctl is the file of kernel settings.
func (p Paths) Sysctl() string { return p.at("/etc/sysctl.d/90-redoubt.conf") }

// PodLogs is the directory of container logs.
func (p Paths) PodLogs() string { return p.at("/var/log/pods") }
