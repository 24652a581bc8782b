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
	spec := managed(t).with("M03", "M03/admin-container")
	spec.AdminContainer = true
	spec.HostContainers = map[string]HostContainer{"debug": {Enabled: pointer(true)}}
	spec.Settings.Boot = &Boot{KernelParameters: map[string][]string{"mitigations": {"off"}}}
	err := spec.Validate(now)
	refused(t, err, "hostContainers.debug.enabled", "M03/host-containers")
	refused(t, err, "settings.boot.kernel-parameters.mitigations", "M03/kernel-arguments")
	if strings.Contains(err.Error(), "adminContainer") {
		t.Errorf("the exception for the admin container does not hold: %v", err)
	}
}

// Every rule that locks a setting is tried: another value in Settings is refused
// and left out, and only the exception that the rule names lets it in.
func TestEveryLockedSettingIsRefused(t *testing.T) {
	keys := map[string]string{"kubernetes.eviction-hard.*": "pid.available", "kubernetes.kube-reserved.*": "cpu",
		"kubernetes.system-reserved.*": "cpu", "kubernetes.node-labels.*": "example.org/x", "kubernetes.node-taints.*": "example.org/x"}
	locked := slices.Concat(Rules(), SysctlRules(), ModuleRules())
	locked = slices.DeleteFunc(locked, func(r Rule) bool { return r.Merge != hostconfig.Locked && r.Field == "" })
	if len(locked) < 120 {
		t.Errorf("only %d locked settings", len(locked))
	}
	spec := managed(t)
	plain, _ := spec.Effective()
	for _, rule := range locked {
		path := strings.Split(rule.Path, ".")
		if name, isSysctl := strings.CutPrefix(rule.Path, "kernel.sysctl."); isSysctl {
			if name == "*" {
				name = "vm.max_map_count"
			}
			path = []string{"kernel", "sysctl", name}
		}
		for i := range path {
			if path[i] == "*" {
				if path[i] = "some"; keys[rule.Path] != "" {
					path[i] = keys[rule.Path]
				}
			}
		}
		var settings Settings
		put(reflect.ValueOf(&settings).Elem(), path, anotherValue(typeAt(path), rule))
		l := leaves(settings)[0]
		spec := managed(t)
		spec.Settings = settings
		err := spec.Validate(now)
		refused(t, err, l.name(), rule.Never)
		if kept, _ := spec.Effective(); !reflect.DeepEqual(kept, plain) {
			t.Errorf("%s: what was refused is rendered", l.name())
		}
		if rule.Control == "" {
			continue
		}
		spec = spec.with(rule.Control)
		err = spec.Validate(now)
		if byLock := err != nil && strings.Contains(err.Error(), "by control "+rule.Control); byLock {
			t.Errorf("%s: an exception for %s changes nothing: %v", l.name(), rule.Control, err)
		}
		if rule.Field != "" && rule.Control != "" {
			refused(t, err, l.name(), rule.Field)
		}
	}
}

// typeAt gives the type of the leaf at a path.
func typeAt(path []string) reflect.Type {
	at := reflect.TypeFor[Settings]()
	for _, name := range path {
		if at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		if at.Kind() == reflect.Map {
			at = at.Elem()
			continue
		}
		for i := range at.NumField() {
			if key(at.Field(i)) == name {
				at = at.Field(i).Type
				break
			}
		}
	}
	return at
}

// anotherValue gives one that no hardened setting has.
func anotherValue(t reflect.Type, rule Rule) reflect.Value {
	if t.Kind() == reflect.Pointer {
		value := reflect.New(t.Elem())
		value.Elem().Set(anotherValue(t.Elem(), rule))
		return value
	}
	value := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Bool:
		// Most are locked off.
		on := []string{"kubernetes.seccomp-default", "kubernetes.server-tls-bootstrap"}
		value.SetBool(!slices.Contains(on, rule.Path))
	case reflect.Int64:
		value.SetInt(77)
	case reflect.String:
		value.SetString("77")
	case reflect.Slice:
		value.Set(reflect.MakeSlice(t, 1, 1))
		if t.Elem().Kind() != reflect.Struct {
			value.Index(0).Set(anotherValue(t.Elem(), rule))
		}
	}
	return value
}

func TestWeakeningIsRefused(t *testing.T) {
	off, on, text := pointer(false), pointer(true), pointer[string]
	kubelet := func(k Kubernetes) func(*Spec) { return func(s *Spec) { s.Settings.Kubernetes = &k } }
	sysctl := func(name, value string) func(*Spec) {
		return func(s *Spec) { s.Node.Sysctls = map[string]string{name: value} }
	}
	module := func(name string) func(*Spec) {
		return func(s *Spec) { s.Settings.Kernel = &Kernel{Modules: map[string]Module{name: {Allowed: on}}} }
	}
	for _, c := range []struct {
		weaken         func(*Spec)
		field, control string
	}{
		{kubelet(Kubernetes{StandaloneMode: on}), "settings.kubernetes.standalone-mode", ""},
		{kubelet(Kubernetes{SeccompDefault: off}), "settings.kubernetes.seccomp-default", "CIS-4.2.14"},
		{kubelet(Kubernetes{ServerTLSBootstrap: off}), "settings.kubernetes.server-tls-bootstrap", "CIS-4.2.9"},
		{kubelet(Kubernetes{PodPidsLimit: pointer(int64(99999999))}), "settings.kubernetes.pod-pids-limit", "CIS-4.2.13"},
		{kubelet(Kubernetes{EventQPS: pointer(int64(0))}), "settings.kubernetes.event-qps", "CIS-4.2.8"},
		{kubelet(Kubernetes{LogLevel: pointer(int64(9))}), "settings.kubernetes.log-level", "M17/log-level"},
		{kubelet(Kubernetes{MemorySwapBehavior: text("LimitedSwap")}), "settings.kubernetes.memory-swap-behavior", "M18/swap"},
		{kubelet(Kubernetes{BootstrapToken: text("abcdef.0123456789abcdef")}), "settings.kubernetes.bootstrap-token", ""},
		{kubelet(Kubernetes{AllowedUnsafeSysctls: []string{"net.*"}}), "settings.kubernetes.allowed-unsafe-sysctls", "M16/unsafe-sysctls"},
		{kubelet(Kubernetes{StaticPodsEnabled: on}), "settings.kubernetes.static-pods-enabled", "M16/static-pods"},
		{kubelet(Kubernetes{NodeIP: text("10.0.0.1")}), "settings.kubernetes.node-ip", "M16/node-identity"},
		{kubelet(Kubernetes{PodInfraContainerImage: text("example.org/pause")}), "settings.kubernetes.pod-infra-container-image", "M26/pause-image"},
		{kubelet(Kubernetes{ContainerRuntimeEndpoint: text("/run/other.sock")}), "settings.kubernetes.container-runtime-endpoint", ""},
		{func(s *Spec) { s.Settings.Kernel = &Kernel{Lockdown: text("none")} }, "settings.kernel.lockdown", "CIS-BR-1.5.2"},
		{module("udf"), "settings.kernel.modules.udf.allowed", "CIS-BR-1.1.1.1"},
		{module("usb-storage"), "settings.kernel.modules.usb-storage.allowed", "M03/kernel-modules"},
		{func(s *Spec) { s.Node.Modules.Load = []string{"sctp"} }, "node.modules.sctp.allowed", "CIS-BR-3.3.1"},
		{sysctl("net.ipv4.conf.all.send_redirects", "1"), `node.sysctls."net.ipv4.conf.all.send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("net.ipv4.conf.eth0.send_redirects", "1"), `node.sysctls."net.ipv4.conf.eth0.send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("net/ipv4/conf/eth0.1/send_redirects", "1"), `node.sysctls."net/ipv4/conf/eth0.1/send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("kernel.kptr_restrict", "0"), `node.sysctls."kernel.kptr_restrict"`, "M01/kptr-restrict"},
		{sysctl("user.max_user_namespaces", "5"), `node.sysctls."user.max_user_namespaces"`, "CIS-BR-1.4.4"},
		{sysctl("vm.overcommit_memory", "2"), `node.sysctls."vm.overcommit_memory"`, ""},
		{func(s *Spec) { s.Settings.Metrics = &Metrics{SendMetrics: on} }, "settings.metrics.send-metrics", "M03/metrics"},
		{func(s *Spec) { s.AdminContainer = true }, "adminContainer", "M03/admin-container"},
		{func(s *Spec) { s.HostContainers = map[string]HostContainer{"admin": {Enabled: on}} }, "hostContainers.admin.enabled", ""},
		{func(s *Spec) { s.HostContainers = map[string]HostContainer{"admin": {Superpowered: off}} }, "hostContainers.admin.superpowered", "M03/admin-container"},
		{func(s *Spec) {
			s.HostContainers = map[string]HostContainer{"control": {Source: text("example.org/agent")}}
		},
			"hostContainers.control.source", "M03/control-container"},
		{func(s *Spec) { s.HostContainers = map[string]HostContainer{"debug": {Enabled: on}} }, "hostContainers.debug.enabled", "M03/host-containers"},
		{func(s *Spec) { s.BootstrapContainers = map[string]BootstrapContainer{"x": {Mode: text("once")}} },
			"bootstrapContainers.x.mode", "M03/bootstrap-containers"},
		{func(s *Spec) { s.BootstrapCommands = map[string]BootstrapCommand{"x": {Mode: text("once")}} },
			"bootstrapCommands.x.mode", "M03/bootstrap-commands"},
		{func(s *Spec) { s.Settings.Boot = &Boot{KernelParameters: map[string][]string{"mitigations": {"off"}}} },
			"settings.boot.kernel-parameters.mitigations", "M03/kernel-arguments"},
		{func(s *Spec) {
			s.Settings.Boot = &Boot{InitParameters: map[string][]string{"systemd.unit": {"rescue"}}}
		},
			`settings.boot.init-parameters."systemd.unit"`, "M03/init-arguments"},
		{func(s *Spec) { s.Settings.OCIHooks = &OCIHooks{Log4jHotpatchEnabled: off} }, "settings.oci-hooks.log4j-hotpatch-enabled", ""},
		{func(s *Spec) {
			s.Settings.OCIDefaults = &OCIDefaults{Capabilities: &Capabilities{SysAdmin: on}}
		}, "settings.oci-defaults.capabilities.sys-admin", "M01/sys-admin"},
	} {
		spec := managed(t)
		plain, _ := spec.Effective()
		c.weaken(&spec)
		refused(t, spec.Validate(now), c.field, c.control)
		if kept, _ := spec.Effective(); !reflect.DeepEqual(kept, plain) {
			t.Errorf("%s: what was refused is rendered", c.field)
		}
		others := spec.with("M01", "M03", "M16", "M17", "M18", "M26", "M34", "CIS-4.2.1")
		refused(t, others.Validate(now), c.field, "")
		if c.control == "" {
			continue
		}
		spec = spec.with(c.control)
		if err := spec.Validate(now); err != nil {
			t.Errorf("%s with an exception: %v", c.field, err)
		}
		if kept, _ := spec.Effective(); reflect.DeepEqual(kept, plain) {
			t.Errorf("%s: the exception changes nothing", c.field)
		}
		refused(t, spec.Validate(now.AddDate(1, 0, 0)), "node.exceptions[0].expires", "expired")
	}
}

func TestFieldsAreJudged(t *testing.T) {
	for field, change := range map[string]func(*Spec){
		"group":                               func(s *Spec) { s.Group = "" },
		"variant":                             func(s *Spec) { s.Variant = "arm" },
		"node.os":                             func(s *Spec) { s.Node.OS = hostconfig.OSFlatcar },
		"node.role":                           func(s *Spec) { s.Node.Role = hostconfig.RoleControlPlane },
		"node.platform":                       func(s *Spec) { s.Node.Platform = hostconfig.PlatformGCP },
		"node.name":                           func(s *Spec) { s.Node.Name = "node-1" },
		"node.address":                        func(s *Spec) { s.Node.Address = "10.0.0.9" },
		"node.podCIDR":                        func(s *Spec) { s.Node.PodCIDR = "10.1.0.0/24"; s.Node.Cluster.PodCIDRs = []string{"10.1.0.0/16"} },
		"node.files":                          func(s *Spec) { s.Node.Files = []hostconfig.File{{Path: "/etc/x", Mode: 0o600}} },
		"node.dataDisk.device":                func(s *Spec) { s.Node.DataDisk = &hostconfig.DataDisk{Device: "/dev/sdb"} },
		"node.runtimeClasses":                 func(s *Spec) { s.Node.RuntimeClasses = []string{"kata"} },
		"node.sandboxImage":                   func(s *Spec) { s.Node.SandboxImage = "example.org/pause:3" },
		"node.kubelet.extra":                  func(s *Spec) { s.Node.Kubelet.Extra = map[string]any{"maxOpenFiles": 5} },
		"node.kubelet.evictionHard":           func(s *Spec) { s.Node.Kubelet.EvictionHard = map[string]string{"containerfs.available": "5%"} },
		"node.cluster.endpoint":               func(s *Spec) { s.Node.Cluster.Endpoint = "" },
		"node.cluster.caCertificate":          func(s *Spec) { s.Node.Cluster.CACertificate = "" },
		"node.cluster.dns":                    func(s *Spec) { s.Node.Cluster.DNS = nil },
		"node.kubernetesVersion":              func(s *Spec) { s.Node.KubernetesVersion = "v1.32.0" },
		"node.registries.allowed":             func(s *Spec) { s.Node.Registries.Allowed[0].Mirrors[0].URL = "http://127.0.0.1:5000" },
		"node.registries.credentialProviders": func(s *Spec) { s.Node.Registries.CredentialProviders[0].Name = "other" },
		"node.updates.version":                func(s *Spec) { s.Node.Updates.Strategy = hostconfig.UpdateLocked },
		"node.timeServers[0]":                 func(s *Spec) { s.Node.TimeServers = []string{"a b"} },
		"osVersion": func(s *Spec) {
			s.OSVersion, s.Node.ImageVerification = "", &hostconfig.ImageVerification{NotationTrustPolicy: "{}"}
		},
	} {
		spec := selfManaged(t)
		change(&spec)
		refused(t, spec.Validate(now), field, "")
	}
	// The cloud gives a managed group what a self-managed one must be told.
	spec := managed(t)
	spec.Node.Cluster = hostconfig.Cluster{Name: "production", Managed: true}
	if err := spec.Validate(now); err != nil {
		t.Error(err)
	}
	data, err := managed(t).Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, injected := range []string{"api-server", "cluster-certificate", "cluster-name", "cluster-dns-ip", "node-labels", "node-taints"} {
		if strings.Contains(string(data.TOML), injected) {
			t.Errorf("%s is in the document of a managed group", injected)
		}
	}
}

// TestSysctlsHaveOneName: below /proc/sys two separators are one.
func TestSysctlsHaveOneName(t *testing.T) {
	for _, name := range []string{"kernel//randomize_va_space", "kernel/./randomize_va_space", "kernel..randomize_va_space",
		"kernel/randomize_va_space/", "kernel.randomize_va_space.", "/kernel/randomize_va_space", "vm/../kernel/randomize_va_space"} {
		s := managed(t)
		s.Node.Sysctls = map[string]string{name: "0"}
		if err := s.Validate(now); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
