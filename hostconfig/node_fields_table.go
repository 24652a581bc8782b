package hostconfig

// Operating systems that share fields.
var (
	withFiles  = []OS{OSFlatcar}
	withKernel = []OS{OSBottlerocket, OSFlatcar}
	withWorker = []OS{OSFlatcar, OSHost}
)

var nodeFields = func() []NodeField {
	var t nodeTable
	t.bounded("role", Required, "control-plane or worker; on Bottlerocket worker")
	t.bounded("os", Required, "bottlerocket, flatcar or host")
	t.bounded("platform", Required, "aws for Bottlerocket; aws, gcp or metal for Flatcar; local for host")
	t.bounded("name", "the platform's", "a DNS label", "CIS-4.2.7")
	t.bounded("kubernetesVersion", DefaultKubernetesVersion, "a full version of a supported minor", "M35")
	t.bounded("address", "learned at boot on aws and gcp, else required", "an IPv4 address outside of the ranges of pods", "M16")
	t.bounded("podCIDR", "handed out by the network agent", "a part of cluster.podCIDRs with room for pods", "M04")
	t.additive("labels", "outside of the domains that NodeRestriction keeps from nodes", "", "M16")
	t.additive("taints", "key[=value]:Effect", "", "M24")
	clusterFields(&t)
	kubeletFields(&t)
	t.only("", withWorker, func() {
		t.bounded("sandboxImage", SandboxImage(DefaultKubernetesVersion), "one image with a tag or a digest", "M26")
		t.free("eth0", "interfaces.node")
		t.free("op0 on host, else interfaces.node", "interfaces.operator")
		t.free(PodBridge+", or the network plugin's", "interfaces.pod")
		surroundingFields(&t)
	})
	runtimeFields(&t)
	registryFields(&t)
	t.only("", withKernel, func() {
		t.additive("sysctls", "settings that no control depends on, see LockedSysctls", ControlSysctls, "M03", "M16")
		t.additive("modules.load", "modules that are not denied, see DeniedModules", ControlModules, "M03")
		t.additive("modules.deny", "modules that the machine does not need", "", "M03")
		t.bounded("timeServers", "those of the platform; required on metal", "names or IPv4 addresses", "CIS-BR-2.1.1.1", "M17")
	})
	t.only("", []OS{OSBottlerocket}, func() {
		t.bounded("proxy.https", "", "a URL without credentials", "M08")
		t.additive("proxy.noProxy", "with proxy.https", "", "M08")
	})
	t.only("", withFiles, func() {
		t.additive("files[].path", "paths that no control depends on, as the renderer of the operating system lists them", "*", "M03")
		t.bounded("files[].mode", Required, "permission bits without write for everybody", "M03")
		t.bounded("files[].owner", "whoever writes the file", "a user name", "M03")
		t.bounded("files[].contents", "", "text in UTF-8", "M03")
		t.free("false", "files[].secret")
		t.additive("units", "names that the machine does not use, and a sandbox", ControlUnits, "M03")
	})
	t.bounded("updates.strategy", string(UpdateReplace), "replace; in-place on Bottlerocket and Flatcar; locked on Bottlerocket", "M05")
	t.only("", []OS{OSBottlerocket}, func() {
		t.bounded("updates.seed", "drawn by the node", "with strategy in-place", "M05")
		t.bounded("updates.version", "", "with strategy locked, and not latest", "M05")
	})
	t.only("", withFiles, func() {
		t.bounded("dataDisk.device", Required, "a whole disk below /dev", "M18")
		t.bounded("dataDisk.path", "/var/lib/etcd or /var/lib/containerd", "a clean absolute path", "M18")
		t.bounded("dataDisk.pcrs", "7", "registers 0 to 23", "M18")
	})
	t.only("", []OS{OSHost}, func() { t.bounded("paths.root", "", "a clean absolute directory", "M03") })
	t.only(RoleControlPlane, withWorker, func() { controlPlaneFields(&t) })
	t.bounded("exceptions[].control", Required, "the id that a refusal names, each once", "M37")
	t.bounded("exceptions[].reason", Required, "a sentence", "M37")
	t.bounded("exceptions[].expires", Required, "a day or an instant within a year", "M37")
	return t.fields
}()

func clusterFields(t *nodeTable) {
	t.bounded("cluster.name", Required, "a DNS label", "M14")
	t.free("false", "cluster.managed")
	t.bounded("cluster.endpoint", "required but for managed groups", "an https URL", "M14")
	t.bounded("cluster.caCertificate", "written by the caller", "the certificate of an authority, without its key", "M14", "M16")
	t.bounded("cluster.dns", "none", "IP addresses", "M04")
	t.bounded("cluster.domain", DefaultClusterDomain, "a DNS name")
	t.bounded("cluster.podCIDRs", "required on Flatcar and host", "apart from all other ranges, one of each IP family", "M04")
	t.bounded("cluster.serviceCIDRs", "required on control planes", "apart from all other ranges, one of each IP family", "M04")
	t.bounded("cluster.nodeCIDRs", "none", "apart from all other ranges", "M04")
	for _, list := range []string{"cluster.controlPlanes", "cluster.workers"} {
		t.bounded(list+"[].name", Required, "a DNS label, once in the cluster", "M04")
		t.bounded(list+"[].address", Required, "an address of one machine, outside of pods and services", "M04", "M13")
		t.bounded(list+"[].podCIDR", "handed out by the network agent", "a part of cluster.podCIDRs that no other machine has", "M04")
	}
	t.bounded("cluster.operators", "none", "ranges narrower than the world, apart from pods and services", "M04", "M09")
	defaults := DefaultPorts()
	for _, each := range defaults.named() {
		t.bounded("cluster.ports."+each.Field, itoa(*each.Port), "a port that no other listener has", "M04")
	}
	t.additive("cluster.ports.webhooks", "ports of pods that serve the API server", "", "M04", "M25")
}

func surroundingFields(t *nodeTable) {
	at := func(name string) string { return "surroundings." + name }
	t.add(NodeField{Path: at("platform"), Merge: Locked, Decided: "platform"})
	t.additive(at("network"), "kinds of traffic of the network plugin", "", "M04", "M32")
	t.bounded(at("services[].name"), Required, "a DNS label, once", "M04")
	t.bounded(at("services[].cidrs"), Required, "ranges narrower than the world, without the metadata service", "M04", "M08")
	t.bounded(at("services[].protocol"), ProtocolTCP, "tcp or udp", "M04")
	t.bounded(at("services[].port"), "443", "1 to 65535", "M04")
	t.bounded(at("services[].pods"), "false", "true where pods use it too", "M21")
	t.bounded(at("services[].reason"), Required, "a sentence", "M08")
	for _, name := range []string{"resolvers", "dhcpServers", "loadBalancers"} {
		t.bounded(at(name), "those of the platform", "addresses or ranges narrower than the world", "M04")
	}
	t.bounded(at("timeServers"), "the addresses among timeServers, or those of the platform", "addresses or ranges narrower than the world", "M04")
}

func kubeletFields(t *nodeTable) {
	const quantities = "quantities of cpu, memory, ephemeral-storage and pid"
	t.additive("kubelet.kubeReserved", quantities, "", "M16")
	t.additive("kubelet.systemReserved", quantities, "", "M16")
	t.additive("kubelet.evictionHard", "thresholds by signal", "", "M16")
	t.bounded("kubelet.maxPods", "110, or the instance type's on Bottlerocket", "1 to 1000", "M16")
	t.only("", withWorker, func() {
		t.bounded("kubelet.resolvConf", "none; that of systemd-resolved on Flatcar", "an absolute path")
		t.bounded("kubelet.cgroupRoot", "/", "a clean cgroup path", "M24")
		t.add(NodeField{Path: "kubelet.cgroupDriver", Merge: Locked, Decided: "os", Default: "systemd on Flatcar, cgroupfs on host"})
		t.add(NodeField{Path: "kubelet.extra", Merge: Overwritable, Controls: []string{"M16"}, Exception: "*",
			Bound: "each field by its own rule, see KubeletRules"})
	})
	t.only("", []OS{OSHost}, func() { t.free("false", "kubelet.cgroupV1", "kubelet.swap", "kubelet.restrictOOMScoreAdj") })
}

func runtimeFields(t *nodeTable) {
	t.only("", withFiles, func() {
		t.additive("runtimeClasses", "gvisor and kata", "", "M28")
		t.bounded("runtime.gVisorPlatform", gVisorPlatforms[0], "systrap or kvm, with the runtime class gvisor", "M28")
		t.bounded("runtime.kataConfig", DefaultKataConfig, "a clean absolute path, with the runtime class kata", "M28")
	})
	t.only("", []OS{OSHost}, func() {
		t.bounded("runtime.containerdVersion", string(Containerd16)+"; Flatcar has "+string(Containerd2), "1.6, 1.7 or 2")
		t.free("false; Flatcar labels containers", "runtime.selinux")
	})
	t.only("", withWorker, func() {
		t.add(NodeField{Path: "runtime.extra", Merge: Overwritable, Controls: []string{"M16", "M26", "M28"}, Exception: "*",
			Bound: "each key by its own rule, see ContainerdRules"})
	})
}

func registryFields(t *nodeTable) {
	t.only("", withWorker, func() {
		t.bounded("registries.endpoint", "none", "https, or http on loopback", "M26")
	})
	t.only("", withKernel, func() {
		t.bounded("registries.allowed[].name", Required, "a registry, once", "M26")
		t.bounded("registries.allowed[].mirrors[].url", Required, "https, or http on loopback", "M26")
	})
	t.only("", withFiles, func() {
		t.bounded("registries.allowUnlisted", "false", "true with an exception", controlRegistries)
	})
	// What of these Bottlerocket cannot do is refused by nodeRegistries: a part of a
	// list has no narrower place than the list.
	t.only("", withKernel, func() {
		t.free("false", "registries.allowed[].mirrorsOnly", "registries.allowed[].mirrors[].overridePath")
		t.bounded("registries.allowed[].certificateAuthority", "", "certificates of authorities, without keys", "M26")
		t.bounded("registries.allowed[].mirrors[].certificateAuthority", "", "certificates of authorities, without keys", "M26")
		t.free("", "registries.allowed[].clientCertificate", "registries.allowed[].clientKey",
			"registries.allowed[].mirrors[].clientCertificate", "registries.allowed[].mirrors[].clientKey",
			"registries.credentialProviders[].arguments", "registries.credentialProviders[].serviceAccountToken.audience",
			"registries.credentialProviders[].serviceAccountToken.cachePerServiceAccount",
			"registries.credentialProviders[].serviceAccountToken.optional",
			"registries.credentialProviders[].serviceAccountToken.requiredAnnotations",
			"registries.credentialProviders[].serviceAccountToken.optionalAnnotations")
		t.additive("registries.trustedCertificates", "certificates of authorities, without keys", "", "M26")
		t.bounded("registries.credentialProviders[].name", Required, "a program of the image, once", "M34")
		t.bounded("registries.credentialProviders[].matchImages", Required, "at least one pattern", "M26")
		t.bounded("registries.credentialProviders[].cacheDuration", "1m", "0 to 12h", "M34")
		t.free("", "registries.credentialProviders[].environment")
	})
	t.only("", []OS{OSBottlerocket}, func() {
		t.bounded("imageVerification.notationTrustPolicy", "", "a trust policy in JSON", "M26")
		t.bounded("imageVerification.trustedDigests", "", "sha256 digests", "M26")
	})
}

func controlPlaneFields(t *nodeTable) {
	at := func(name string) string { return "controlPlane." + name }
	t.bounded(at("bindAddress"), "0.0.0.0", "an IPv4 address", "M14")
	t.additive(at("sans"), "names and addresses without wildcards", "", "M14")
	t.bounded(at("etcdUser"), "whoever runs it", "a user name", "CIS-1.1.12")
	t.bounded(at("oidc[].url"), Required, "an https URL", "M20")
	t.bounded(at("oidc[].discoveryURL"), "below the issuer's URL", "an https URL", "M20")
	t.bounded(at("oidc[].certificateAuthority"), "the machine's trust store", "certificates in PEM", "M20")
	t.bounded(at("oidc[].audiences"), Required, "at least one", "M20")
	t.bounded(at("oidc[].usernameClaim"), "sub", "a claim that the issuer controls", "M20")
	t.bounded(at("oidc[].usernamePrefix"), defaultPrefix, "not empty, and none of the cluster's own", "M20")
	t.bounded(at("oidc[].groupsClaim"), "groups", "a claim", "M20")
	t.bounded(at("oidc[].groupsPrefix"), defaultPrefix, "not empty, and none of the cluster's own", "M20")
	t.additive(at("oidc[].requiredClaims"), "claims and their values", "", "M20")
	t.bounded(at("oidc[].usernameExpression"), "", "CEL that compiles; what it gives must begin with usernamePrefix", "M20")
	t.bounded(at("oidc[].groupsExpression"), "", "CEL that compiles; what it gives must begin with groupsPrefix", "M20")
	t.bounded(at("oidc[].uidClaim"), "", "not beside uidExpression", "M20")
	t.bounded(at("oidc[].uidExpression"), "", "CEL that compiles", "M20")
	t.additive(at("oidc[].extra"), "keys of a domain of your own, with CEL that compiles", "", "M20")
	t.additive(at("oidc[].claimRules[].expression"), "CEL that compiles to a boolean", "", "M20")
	t.additive(at("oidc[].claimRules[].message"), "any text", "", "M20")
	t.additive(at("oidc[].userRules[].expression"), "CEL that compiles to a boolean", "", "M20")
	t.additive(at("oidc[].userRules[].message"), "any text", "", "M20")
	t.bounded(at("oidc[].egressSelector"), "", "controlplane or cluster, with egress-selector-config-file", "M20")
	t.bounded(at("audit.profile"), string(AuditStandard), "standard or verbose", "CIS-3.2.1", "M17")
	t.bounded(at("audit.policy"), "all four levels", "a policy that meets AuditDemands", "CIS-3.2.1", "CIS-3.2.2", "M17")
	t.bounded(at("audit.maxAgeDays"), itoa(minimumAuditDays), "at least the default", "CIS-1.2.17")
	t.bounded(at("audit.maxBackups"), itoa(minimumAuditBackups), "at least the default", "CIS-1.2.18")
	t.bounded(at("audit.maxSizeMegabytes"), itoa(minimumAuditMegabytes), "at least the default", "CIS-1.2.19")
	t.bounded(at("encryption.provider"), string(EncryptionSecretbox), "secretbox, aescbc or kms", "CIS-1.2.28", "M18")
	t.bounded(at("encryption.keys[].name"), Required, "a name of its own", "M18")
	t.bounded(at("encryption.keys[].secret"), Required, "32 bytes in base64", "M18")
	t.bounded(at("encryption.keys[].provider"), "encryption.provider", "secretbox or aescbc", "M18")
	t.additive(at("encryption.resources"), "secrets are always among them", "", "M18")
	t.bounded(at("encryption.kms.name"), Required, "a name of its own", "M18")
	t.bounded(at("encryption.kms.endpoint"), Required, "unix:///path", "M18")
	t.free(itoa(defaultKMSTimeout), at("encryption.kms.timeoutSeconds"))
	t.bounded(at("encryption.readPlaintext"), "false", "true while a migration lasts", "M18")
	t.bounded(at("certificates.serverValidity"), "24h", "10m to a year", "M34")
	t.bounded(at("certificates.clientValidity"), "24h", "10m to 24h", "M34")
	t.bounded(at("certificates.renewBefore"), "half of the shorter validity", "less than the shorter validity", "M34")
	t.bounded(at("allowPrivileged"), "false", "Pod Security still refuses privileged pods outside of exempt namespaces", "M22")
	for _, level := range []string{"enforce", "audit", "warn"} {
		t.add(NodeField{Path: at("podSecurity." + level), Merge: Locked, Default: "restricted", Controls: []string{"CIS-5.2.1", "M22"},
			Exception: controlPodSecurity})
	}
	t.add(NodeField{Path: at("podSecurity.version"), Merge: Overwritable, Default: "the cluster's minor", Controls: []string{"M22"}, Exception: "M22",
		Bound: "a minor that the cluster knows, at most one before the oldest that is supported"})
	t.add(NodeField{Path: at("podSecurity.exemptNamespaces"), Merge: Locked, Default: "kube-system", Controls: []string{"M22"},
		Exception: controlPodSecurity})
	e := EventRateLimit{}.withDefaults()
	for _, each := range []struct {
		name  string
		limit RateLimit
	}{{"server", e.Server}, {"namespace", e.Namespace}, {"user", e.User}} {
		name := at("eventRateLimit." + each.name)
		t.bounded(name+".qps", itoa(each.limit.QPS), "1 to "+itoa(mostEventsPerSecond), "CIS-1.2.9")
		t.bounded(name+".burst", itoa(each.limit.Burst), "at least qps", "CIS-1.2.9")
		t.free(itoa(each.limit.CacheSize), name+".cacheSize")
	}
	t.bounded(at("admissionPlugins[].name"), Required, "a plugin whose configuration is judged, once", "M14", "M26")
	t.bounded(at("admissionPlugins[].configuration"), Required, "the plugin's own document", "M14", "M26")
	t.add(NodeField{Path: at("extraArgs"), Merge: Overwritable, Controls: []string{"M13", "M14", "M15"}, Exception: "*",
		Bound: "each flag by its own rule, see ArgumentRules"})
}
