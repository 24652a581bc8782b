package bottlerocket

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func authority(t testing.TB) string {
	t.Helper()
	ca, err := os.ReadFile("../testdata/ca.crt")
	if err != nil {
		t.Fatal(err)
	}
	return string(ca)
}

func selfManaged(t testing.TB) Spec {
	return Spec{
		Platform: SelfManaged, OSVersion: "1.66.0", ClusterName: "production",
		APIServer: "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com", CACertificate: authority(t), ClusterDNS: []string{"172.20.0.10"},
		Labels: map[string]string{"example.org/pool": "general"}, Taints: []string{"example.org/dedicated=tenant:NoSchedule"},
		RegistryMirrors: []RegistryMirror{{Registry: "docker.io", Endpoint: []string{"https://mirror.example.org"}}},
		CredentialProviders: map[string]CredentialProvider{"ecr-credential-provider": {
			Enabled: pointer(true), ImagePatterns: []string{"*.dkr.ecr.eu-west-1.amazonaws.com"}, CacheDuration: pointer("30m")}},
		HTTPSProxy: "https://proxy.example.org:3128", NoProxy: []string{".example.org"},
		Sysctls: map[string]string{"vm.max_map_count": "262144"},
	}
}

func specs(t testing.TB) map[string]Spec {
	verified := selfManaged(t)
	verified.ImageVerification = &ImageVerification{NotationTrustPolicy: `{"version":"1.0","trustPolicies":[]}`}
	return map[string]Spec{"managed-group": {Platform: ManagedGroup}, "self-managed": selfManaged(t), "self-managed-verified": verified}
}

func accept(control string) hostconfig.Exception {
	return hostconfig.Exception{Control: control, Reason: "accepted by the owner for a test", Expires: "2026-12-31"}
}

func refused(t *testing.T, err error, field, text string) {
	t.Helper()
	var walk func(error) bool
	walk = func(err error) bool {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return slices.ContainsFunc(joined.Unwrap(), walk)
		}
		var one *hostconfig.FieldError
		return errors.As(err, &one) && one.Field == field && one.Remedy != "" && strings.Contains(one.Error(), text)
	}
	if err == nil || !walk(err) {
		t.Errorf("%s: want a refusal with %q, got: %v", field, text, err)
	}
}

func TestGoldens(t *testing.T) {
	for name, spec := range specs(t) {
		for _, minor := range KubernetesVersions() {
			spec.KubernetesVersion = minor
			if err := spec.Validate(now); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			data, err := spec.Render()
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, filepath.Join("worker", name, minor+".toml"), string(data.TOML))
			roundTrip(t, data.TOML)
		}
	}
}

func roundTrip(t *testing.T, document []byte) {
	t.Helper()
	settings, err := Decode(document)
	if err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	again, err := Encode(settings)
	if err != nil || !bytes.Equal(document, again) {
		t.Fatalf("renders differently again (%v):\n%s\n%s", err, document, again)
	}
}

func TestEveryLeafHasARule(t *testing.T) {
	all := patterns()
	for _, path := range all {
		if _, found := rules[path]; !found {
			t.Errorf("no rule for %s", path)
		}
	}
	for _, table := range []any{rules, formats, newer} {
		for _, name := range reflect.ValueOf(table).MapKeys() {
			if path := patternOf(name.String()); !slices.ContainsFunc(all, func(p string) bool { return strings.HasPrefix(p+".", path) }) {
				t.Errorf("the model has no %s", name)
			}
		}
	}
}

// patternOf turns a path of a container that has a rule by name into a pattern.
func patternOf(path string) string {
	for _, name := range []string{"admin", "control"} {
		path = strings.Replace(path, "host-containers."+name+".", "host-containers.*.", 1)
	}
	return path
}

func TestKeysAreSorted(t *testing.T) {
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Map || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		var keys []string
		for i := range typ.NumField() {
			keys = append(keys, key(typ.Field(i)))
			visit(typ.Field(i).Type)
		}
		if !slices.IsSorted(keys) {
			t.Errorf("%s: keys are not sorted: %v", typ, keys)
		}
	}
	visit(reflect.TypeFor[Settings]())
}

// The items are those of the operating system's own checks, no fewer.
func TestCISItemsAreComplete(t *testing.T) {
	levels := map[int]string{
		1: "1.2.1 1.3.1 1.4.1 1.4.2 1.4.3 1.5.1 1.6 2.1.1.1 3.2.5 3.2.6 3.2.7 3.4.1.3 3.4.2.3 4.1.1.1 4.1.2" +
			" k4.1.1 k4.1.2 k4.1.3 k4.1.4 k4.1.5 k4.1.6 k4.1.7 k4.1.8 k4.1.9 k4.1.10" +
			" k4.2.1 k4.2.2 k4.2.3 k4.2.4 k4.2.5 k4.2.6 k4.2.7 k4.2.9 k4.2.10 k4.2.11 k4.2.12 k4.2.13 k4.2.14 k4.3.1",
		2: "1.1.1.1 1.4.4 1.5.2 3.1.1 3.2.1 3.2.2 3.2.3 3.2.4 3.3.1 3.4.1.1 3.4.1.2 3.4.2.1 3.4.2.2 k4.2.8 k4.2.15",
	}
	got := map[int][]string{}
	for _, item := range CIS() {
		got[item.Level] = append(got[item.Level], item.ID)
		if item.Title == "" {
			t.Errorf("%s has no title", item.ID)
		}
	}
	for level, want := range levels {
		if !slices.Equal(got[level], strings.Fields(want)) {
			t.Errorf("level %d: %v", level, got[level])
		}
	}
	if len(got) != len(levels) {
		t.Errorf("levels: %v", got)
	}
}

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

func TestCISItemsAreMetAndFailWithoutTheirSetting(t *testing.T) {
	for name, spec := range specs(t) {
		for _, item := range CIS() {
			settings, err := spec.Effective()
			if err != nil {
				t.Fatal(err)
			}
			if item.Settable() == (item.Reason != "") {
				t.Errorf("%s: either a setting or a reason", item.ID)
			}
			if unmet := item.Unmet(spec.Platform, settings); len(unmet) > 0 {
				t.Errorf("%s, %s: %v", name, item.ID, unmet)
			}
			for _, r := range item.Requirements {
				if r.Injected && spec.Platform == ManagedGroup {
					continue
				}
				without, _ := spec.Effective()
				put(reflect.ValueOf(&without).Elem(), r.Path, reflect.Value{})
				if len(item.Unmet(spec.Platform, without)) == 0 {
					t.Errorf("%s: nobody notices that %s is gone", item.ID, r.Setting())
				}
			}
		}
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

func TestSize(t *testing.T) {
	spec := selfManaged(t)
	spec.Settings.Motd = pointer(strings.Repeat("notice ", 4000))
	data, err := spec.Render()
	if err != nil || !data.Compressed || !bytes.HasPrefix(data.Bytes, []byte{0x1f, 0x8b}) {
		t.Fatalf("compressed %v: %v", data.Compressed, err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(data.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := io.ReadAll(reader); !bytes.Equal(plain, data.TOML) {
		t.Error("decompresses to something else")
	}
	random := rand.New(rand.NewPCG(1, 2))
	var noise strings.Builder
	for range 5000 {
		fmt.Fprintf(&noise, "%x", random.Uint32())
	}
	spec.Settings.Motd = pointer(noise.String())
	_, err = spec.Render()
	refused(t, err, "userData", "settings.motd")
	spec = Spec{Platform: ManagedGroup, Settings: Settings{Motd: pointer(strings.Repeat("x", MaximumUserData-ManagedGroupReserve))}}
	_, err = spec.Render()
	refused(t, err, "userData", "settings.motd")
}

func TestDecodeRefusesWhatTheNodeRefuses(t *testing.T) {
	for _, document := range []string{"[settings.kubernetes]\nunknown = 1", "[settings.kubernetes]\nmax-pods = \"9\"", "x = 1", "[settings"} {
		if _, err := Decode([]byte(document)); err == nil {
			t.Errorf("accepted: %s", document)
		}
	}
}
