package bottlerocket

import (
	"errors"
	"maps"
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

// managed and selfManaged are groups of the same cluster.
func managed(t testing.TB) Spec {
	return Spec{Group: ManagedGroup, Node: hostconfig.Node{
		Role: hostconfig.RoleWorker, OS: hostconfig.OSBottlerocket, Platform: hostconfig.PlatformAWS,
		Cluster: hostconfig.Cluster{
			Name: "production", Managed: true, CACertificate: authority(t), DNS: []string{"172.20.0.10"},
			Endpoint: "https://0123456789ABCDEF.gr7.eu-west-1.eks.amazonaws.com",
		},
		Labels: map[string]string{"example.org/pool": "general"}, Taints: []string{"example.org/dedicated=tenant:NoSchedule"},
	}}
}

func selfManaged(t testing.TB) Spec {
	s := managed(t)
	s.Group, s.OSVersion = SelfManaged, "1.66.0"
	s.Node.Registries = hostconfig.Registries{
		Allowed: []hostconfig.Registry{{Name: "docker.io", Mirrors: []hostconfig.Mirror{{URL: "https://mirror.example.org"}}}},
		CredentialProviders: []hostconfig.CredentialProvider{{Name: "ecr-credential-provider",
			MatchImages: []string{"*.dkr.ecr.eu-west-1.amazonaws.com"}}},
	}
	s.Node.Proxy = hostconfig.Proxy{HTTPS: "https://proxy.example.org:3128", NoProxy: []string{".example.org"}}
	s.Node.Sysctls = map[string]string{"vm.max_map_count": "262144"}
	return s
}

func specs(t testing.TB) map[string]Spec {
	verified := selfManaged(t)
	verified.Node.ImageVerification = &hostconfig.ImageVerification{NotationTrustPolicy: `{"version":"1.0","trustPolicies":[]}`}
	return map[string]Spec{"managed-group": managed(t), "self-managed": selfManaged(t), "self-managed-verified": verified}
}

// everything sets all that can be set. What lifts each lock is excepted.
func everything(t testing.TB, group Group) Spec {
	t.Helper()
	document, err := os.ReadFile("testdata/everything.toml")
	if err != nil {
		t.Fatal(err)
	}
	s := selfManaged(t)
	s.Group, s.Variant, s.OSVersion = group, VariantNvidia, "1.69.0"
	if s.Settings, err = Decode(document); err != nil {
		t.Fatal(err)
	}
	if group == ManagedGroup {
		s.Settings.Network.Hosts = nil              // EKS cannot read it
		s.Settings.OCIDefaults.ResourceLimits = nil // no room, beside what EKS adds
	}
	s.ControlContainer, s.AdminContainer = true, true
	s.HostContainers = map[string]HostContainer{"debug": {Command: []string{"sh", "-c", "date"}, Enabled: pointer(true),
		Source: pointer("example.org/debug:1.0"), Superpowered: pointer(false), UserData: pointer("e30=")}}
	s.BootstrapContainers = map[string]BootstrapContainer{"install": {Command: []string{"install"}, Essential: pointer(true),
		Mode: pointer("always"), Source: pointer("example.org/inspector:1.0"), UserData: pointer("e30=")}}
	s.BootstrapCommands = map[string]BootstrapCommand{"report": {Commands: [][]string{{"apiclient", "report", "cis"}}, Essential: pointer(false), Mode: pointer("once")}}
	s.ImageVerifiers = map[string]string{"inspector": `{"level":"strict"}`}
	n := &s.Node
	n.Cluster.Domain = "cluster.local"
	n.Kubelet = hostconfig.Kubelet{MaxPods: 58, KubeReserved: map[string]string{"cpu": "100m", "memory": "512Mi", "ephemeral-storage": "1Gi", "pid": "100"},
		SystemReserved: map[string]string{"memory": "256Mi"}, EvictionHard: map[string]string{"memory.available": "200Mi"}}
	n.Modules = hostconfig.Modules{Load: []string{"br_netfilter"}, Deny: []string{"ntfs3"}}
	n.Registries.TrustedCertificates = authority(t)
	n.Registries.CredentialProviders[0].CacheDuration.Duration = time.Hour
	n.Registries.CredentialProviders[0].Environment = map[string]string{"GOMAXPROCS": "1"}
	n.ImageVerification = &hostconfig.ImageVerification{NotationTrustPolicy: "{}", TrustedDigests: []string{"sha256:" + strings.Repeat("0a", 32)}}
	n.TimeServers = []string{"169.254.169.123", "time.example.org"}
	n.Updates = hostconfig.Updates{Strategy: hostconfig.UpdateInPlace, Seed: pointer(int64(7))}
	n.Sysctls["user.max_user_namespaces"] = "28000"
	controls := map[string]bool{}
	for _, rule := range slices.Concat(Rules(), SysctlRules()) {
		controls[rule.Control] = rule.Control != ""
	}
	delete(controls, "")
	return s.with(slices.Sorted(maps.Keys(controls))...)
}

// What the model has is in the golden files, but for what nothing lets in.
func TestEverythingIsSet(t *testing.T) {
	for _, group := range []Group{ManagedGroup, SelfManaged} {
		settings, err := everything(t, group).Effective()
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		for _, l := range leaves(settings) {
			set[strings.Join(l.pattern, ".")] = true
		}
		absent := []string{"network.hosts", "kubernetes.api-server", "kubernetes.cluster-certificate", "kubernetes.cluster-dns-ip",
			"kubernetes.cluster-name", "kubernetes.node-labels.*", "kubernetes.node-taints.*"}
		for _, path := range patterns() {
			want := rules[path].Never == "" || path == "kubernetes.standalone-mode"
			left := slices.Contains(absent, path) || strings.HasPrefix(path, "oci-defaults.resource-limits.")
			if want = want && (group != ManagedGroup || !left); want != set[path] {
				t.Errorf("%s: %s is set: %v", group, path, set[path])
			}
		}
	}
}

// with adds exceptions for controls.
func (s Spec) with(controls ...string) Spec {
	for _, control := range controls {
		s.Node.Exceptions = append(slices.Clip(s.Node.Exceptions), accept(control))
	}
	return s
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
	all := specs(t)
	all["managed-group-everything"], all["self-managed-everything"] = everything(t, ManagedGroup), everything(t, SelfManaged)
	for name, spec := range all {
		for _, minor := range KubernetesVersions() {
			spec.Node.KubernetesVersion = "v" + minor + ".0"
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

// What the link serves is never asked through a proxy, whatever the user adds.
func TestTheLinkIsNeverProxied(t *testing.T) {
	s := managed(t)
	s.Node.Proxy = hostconfig.Proxy{HTTPS: "https://proxy.example.org:3128", NoProxy: []string{".example.org"}}
	settings, err := s.Effective()
	if err != nil {
		t.Fatal(err)
	}
	// The metadata service, the agent of Pod Identity and the time service:
	// credentials of the node and of pods, and what certificates depend on.
	for _, address := range []string{"169.254.169.254", "fd00:ec2::254", "169.254.170.23", "169.254.169.123", ".example.org"} {
		if !slices.Contains(settings.Network.NoProxy, address) {
			t.Errorf("%s goes through the proxy: %v", address, settings.Network.NoProxy)
		}
	}
}
