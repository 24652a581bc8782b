package bottlerocket

import (
	"errors"
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

func managed() Spec { return Spec{Platform: ManagedGroup} }

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
