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
		Platform: SelfManaged, OSVersion: "1.54.0", ClusterName: "production",
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
			if !slices.ContainsFunc(all, func(p string) bool { return strings.HasPrefix(p, name.String()) }) {
				t.Errorf("the model has no %s", name)
			}
		}
	}
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
		{Settings{Kubernetes: &Kubernetes{AllowedUnsafeSysctls: []string{"net.*"}}}, "settings.kubernetes.allowed-unsafe-sysctls", "M16"},
		{Settings{Kernel: &Kernel{Lockdown: text("none")}}, "settings.kernel.lockdown", "CIS-BR-1.5.2"},
		{Settings{Kernel: &Kernel{Modules: map[string]Module{"udf": {Allowed: on}}}}, "settings.kernel.modules.udf.allowed", "CIS-BR-1.1.1.1"},
		{sysctl("net.ipv4.conf.all.send_redirects", "1"), `settings.kernel.sysctl."net.ipv4.conf.all.send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("net.ipv4.conf.eth0.send_redirects", "1"), `settings.kernel.sysctl."net.ipv4.conf.eth0.send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("net/ipv4/conf/eth0.1/send_redirects", "1"), `settings.kernel.sysctl."net/ipv4/conf/eth0.1/send_redirects"`, "CIS-BR-3.1.1"},
		{sysctl("vm.overcommit_memory", "2"), `settings.kernel.sysctl."vm.overcommit_memory"`, ""},
		{Settings{Metrics: &Metrics{SendMetrics: on}}, "settings.metrics.send-metrics", "M03"},
		{Settings{HostContainers: map[string]HostContainer{"admin": {Enabled: on}}}, "settings.host-containers.admin.enabled", "M03"},
		{Settings{BootstrapCommands: map[string]BootstrapCommand{"x": {Mode: text("once")}}}, "settings.bootstrap-commands.x.mode", "M03"},
		{Settings{OCIDefaults: &OCIDefaults{Capabilities: &Capabilities{SysAdmin: on}}}, "settings.oci-defaults.capabilities.sys-admin", "M01"},
	} {
		spec := Spec{Platform: ManagedGroup, Settings: c.settings}
		refused(t, spec.Validate(now), c.field, "")
		kept, _ := spec.Effective()
		if plain, _ := (Spec{Platform: ManagedGroup}).Effective(); !reflect.DeepEqual(kept, plain) {
			t.Errorf("%s: what was refused is rendered", c.field)
		}
		spec.Exceptions = []hostconfig.Exception{accept(c.control)}
		if c.control == "" {
			spec.Exceptions = []hostconfig.Exception{accept("M16"), accept("M34"), accept("CIS-4.2.1")}
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
