package bottlerocket

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// One exception opens one thing: a control that several tables uphold is divided.
func TestExceptionsOpenOneThing(t *testing.T) {
	tables := map[string]string{}
	for _, rule := range slices.Concat(Rules(), SysctlRules(), ModuleRules()) {
		if !strings.HasPrefix(rule.Control, "M") {
			continue
		}
		if !strings.Contains(rule.Control, "/") {
			t.Errorf("%s is upheld by %s, which has no part", rule.Path, rule.Control)
		}
		table, _, _ := strings.Cut(rule.Path, ".")
		if known, found := tables[rule.Control]; found && known != table {
			t.Errorf("an exception for %s opens %s and %s", rule.Control, known, table)
		}
		tables[rule.Control] = table
		if err := hostconfig.CheckExceptions("exceptions", []hostconfig.Exception{accept(rule.Control)}, now); err != nil {
			t.Error(err)
		}
	}
	// What one part opens, another does not.
	on := pointer(true)
	spec := Spec{Platform: ManagedGroup, AdminContainer: true,
		HostContainers: map[string]HostContainer{"debug": {Enabled: on}},
		Settings:       Settings{Boot: &Boot{KernelParameters: map[string][]string{"mitigations": {"off"}}}},
		Exceptions:     []hostconfig.Exception{accept("M03"), accept("M03/admin-container")}}
	err := spec.Validate(now)
	refused(t, err, "hostContainers.debug.enabled", "M03/host-containers")
	refused(t, err, "settings.boot.kernel-parameters.mitigations", "M03/kernel-arguments")
	if strings.Contains(err.Error(), "adminContainer") {
		t.Errorf("the exception for the admin container does not hold: %v", err)
	}
}

func TestWeakeningIsRefused(t *testing.T) {
	off, on, text := pointer(false), pointer(true), pointer[string]
	sysctl := func(name, value string) Settings {
		return Settings{Kernel: &Kernel{Sysctl: map[string]string{name: value}}}
	}
	for _, c := range []struct {
		settings       Settings
		field, control string
	}{
		{Settings{Kubernetes: &Kubernetes{StandaloneMode: on}}, "settings.kubernetes.standalone-mode", ""},
		{Settings{Kubernetes: &Kubernetes{SeccompDefault: off}}, "settings.kubernetes.seccomp-default", "CIS-4.2.14"},
		{Settings{Kubernetes: &Kubernetes{ServerTLSBootstrap: off}}, "settings.kubernetes.server-tls-bootstrap", "CIS-4.2.9"},
		{Settings{Kubernetes: &Kubernetes{PodPidsLimit: pointer(int64(99999999))}}, "settings.kubernetes.pod-pids-limit", "CIS-4.2.13"},
		{Settings{Kubernetes: &Kubernetes{BootstrapToken: text("abcdef.0123456789abcdef")}}, "settings.kubernetes.bootstrap-token", ""},
		{Settings{Kubernetes: &Kubernetes{AllowedUnsafeSysctls: []string{"net.*"}}}, "settings.kubernetes.allowed-unsafe-sysctls", "M16/unsafe-sysctls"},
		{Settings{Kernel: &Kernel{Lockdown: text("none")}}, "settings.kernel.lockdown", "CIS-BR-1.5.2"},
		{Settings{Kernel: &Kernel{Modules: map[string]Module{"udf": {Allowed: on}}}}, "settings.kernel.modules.udf.allowed", "CIS-BR-1.1.1.1"},
		{sysctl("net.ipv4.conf.all.send_redirects", "1"), `settings.kernel.sysctl."net.ipv4.conf.all.send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("net.ipv4.conf.eth0.send_redirects", "1"), `settings.kernel.sysctl."net.ipv4.conf.eth0.send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("net/ipv4/conf/eth0.1/send_redirects", "1"), `settings.kernel.sysctl."net/ipv4/conf/eth0.1/send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("vm.overcommit_memory", "2"), `settings.kernel.sysctl."vm.overcommit_memory"`, ""},
		{Settings{Metrics: &Metrics{SendMetrics: on}}, "settings.metrics.send-metrics", "M03/metrics"},
		{Settings{HostContainers: map[string]HostContainer{"admin": {Enabled: on}}}, "settings.host-containers.admin.enabled", ""},
		{Settings{HostContainers: map[string]HostContainer{"admin": {Superpowered: off}}}, "settings.host-containers.admin.superpowered", "M03/admin-container"},
		{Settings{HostContainers: map[string]HostContainer{"control": {Source: text("example.org/agent")}}}, "settings.host-containers.control.source", "M03/control-container"},
		{Settings{HostContainers: map[string]HostContainer{"debug": {Enabled: on}}}, "settings.host-containers.debug.enabled", "M03/host-containers"},
		{Settings{BootstrapContainers: map[string]BootstrapContainer{"x": {Mode: text("once")}}}, "settings.bootstrap-containers.x.mode", "M03/bootstrap-containers"},
		{Settings{Boot: &Boot{KernelParameters: map[string][]string{"mitigations": {"off"}}}}, "settings.boot.kernel-parameters.mitigations", "M03/kernel-arguments"},
		{Settings{Boot: &Boot{InitParameters: map[string][]string{"systemd.unit": {"rescue"}}}}, `settings.boot.init-parameters."systemd.unit"`, "M03/init-arguments"},
		{Settings{Kubernetes: &Kubernetes{StaticPodsEnabled: on}}, "settings.kubernetes.static-pods-enabled", "M16/static-pods"},
		{Settings{Kubernetes: &Kubernetes{NodeIP: text("10.0.0.1")}}, "settings.kubernetes.node-ip", "M16/node-identity"},
		{Settings{Kubernetes: &Kubernetes{PodInfraContainerImage: text("example.org/pause")}}, "settings.kubernetes.pod-infra-container-image", "M26/pause-image"},
		{Settings{Kubernetes: &Kubernetes{ContainerRuntimeEndpoint: text("/run/other.sock")}}, "settings.kubernetes.container-runtime-endpoint", ""},
		{Settings{OCIHooks: &OCIHooks{Log4jHotpatchEnabled: off}}, "settings.oci-hooks.log4j-hotpatch-enabled", ""},
		{sysctl("kernel.kptr_restrict", "0"), `settings.kernel.sysctl."kernel.kptr_restrict"`, "M01/kptr-restrict"},
		{Settings{BootstrapCommands: map[string]BootstrapCommand{"x": {Mode: text("once")}}}, "settings.bootstrap-commands.x.mode", "M03/bootstrap-commands"},
		{Settings{OCIDefaults: &OCIDefaults{Capabilities: &Capabilities{SysAdmin: on}}}, "settings.oci-defaults.capabilities.sys-admin", "M01/sys-admin"},
	} {
		spec := Spec{Platform: ManagedGroup, Settings: c.settings}
		refused(t, spec.Validate(now), c.field, "")
		kept, _ := spec.Effective()
		if plain, _ := (Spec{Platform: ManagedGroup}).Effective(); !reflect.DeepEqual(kept, plain) {
			t.Errorf("%s: what was refused is rendered", c.field)
		}
		spec.Exceptions = []hostconfig.Exception{accept(c.control)}
		if c.control == "" {
			spec.Exceptions = []hostconfig.Exception{accept("M03"), accept("M16"), accept("M34"), accept("CIS-4.2.1")}
		}
		if err := spec.Validate(now); (err == nil) != (c.control != "") {
			t.Errorf("%s with an exception: %v", c.field, err)
		}
		if c.control != "" {
			refused(t, spec.Validate(now.AddDate(1, 0, 0)), "exceptions[0].expires", "expired")
		}
	}
}

func TestFieldsAreJudged(t *testing.T) {
	for field, change := range map[string]func(*Spec){
		"platform":          func(s *Spec) { s.Platform = "" },
		"clusterDNS":        func(s *Spec) { s.ClusterDNS = nil },
		"caCertificate":     func(s *Spec) { s.CACertificate = "x" },
		"apiServer":         func(s *Spec) { s.APIServer = "http://x" },
		"kubernetesVersion": func(s *Spec) { s.KubernetesVersion = "1.32" },
		"adminContainer":    func(s *Spec) { s.AdminContainer = true },
		"maxUserNamespaces": func(s *Spec) { s.MaxUserNamespaces = 5 },
		"registryMirrors":   func(s *Spec) { s.RegistryMirrors[0].Endpoint = []string{"http://mirror"} },
		"updates.version":   func(s *Spec) { s.Updates.Strategy = UpdatesLocked },
		"timeServers":       func(s *Spec) { s.TimeServers = []string{"a b"} },
		"osVersion":         func(s *Spec) { s.OSVersion = ""; s.ImageVerification = &ImageVerification{NotationTrustPolicy: "{}"} },
		"variant":           func(s *Spec) { s.Variant = "arm" },
	} {
		spec := selfManaged(t)
		change(&spec)
		refused(t, spec.Validate(now), field, "")
	}
	managed := selfManaged(t)
	managed.Platform = ManagedGroup
	for _, field := range []string{"clusterName", "apiServer", "caCertificate", "clusterDNS", "labels", "taints"} {
		refused(t, managed.Validate(now), field, "")
	}
}
