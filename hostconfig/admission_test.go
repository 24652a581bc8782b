package hostconfig

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	podsecurityv1 "k8s.io/pod-security-admission/admission/api/v1"
	"sigs.k8s.io/yaml"
)

// decode reads a document strictly by an upstream type.
func decode(t *testing.T, document string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
}

func TestAdmissionIsStrict(t *testing.T) {
	file, err := isolated().admissionFile()
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := apiserverv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := podsecurityv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	object, _, err := decoder.Decode([]byte(file.Contents), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	plugins := object.(*apiserverv1.AdmissionConfiguration).Plugins
	if len(plugins) != 2 || plugins[0].Path != isolated().Paths.EventRateLimit() {
		t.Fatalf("plugins: %+v", plugins)
	}
	object, _, err = decoder.Decode(plugins[1].Configuration.Raw, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	configuration := object.(*podsecurityv1.PodSecurityConfiguration)
	want := podsecurityv1.PodSecurityDefaults{Enforce: "restricted", EnforceVersion: "v1.35", Audit: "restricted", AuditVersion: "v1.35", Warn: "restricted", WarnVersion: "v1.35"}
	if configuration.Defaults != want {
		t.Errorf("defaults: %+v", configuration.Defaults)
	}
	exempt := configuration.Exemptions
	if len(exempt.Usernames)+len(exempt.RuntimeClasses) > 0 || len(exempt.Namespaces) != 1 || exempt.Namespaces[0] != "kube-system" {
		t.Errorf("exemptions: %+v", exempt)
	}
}

func TestPodSecurityCannotBeWeakened(t *testing.T) {
	for field, change := range map[string]func(*PodSecurity){
		"podSecurity.enforce":             func(s *PodSecurity) { s.Enforce = "baseline" },
		"podSecurity.audit":               func(s *PodSecurity) { s.Audit = "privileged" },
		"podSecurity.warn":                func(s *PodSecurity) { s.Warn = "privileged" },
		"podSecurity.exemptNamespaces[1]": func(s *PodSecurity) { s.ExemptNamespaces = []string{"kube-system", "default"} },
	} {
		c := isolated()
		change(&c.PodSecurity)
		refused(t, c.Validate(now), field, "M22")
		c.Exceptions = []Exception{accept("M22")}
		accepted(t, c.Validate(now))
	}
	for version, text := range map[string]string{"latest": "pin", "v1.36": "newer", "1.35": "pin", "v1.35.4": "pin"} {
		c := isolated()
		c.PodSecurity.Version = version
		c.Exceptions = []Exception{accept("M22")}
		refused(t, c.Validate(now), "podSecurity.version", text)
	}
	c := isolated()
	c.PodSecurity.Enforce = "strict"
	c.Exceptions = []Exception{accept("M22")}
	refused(t, c.Validate(now), "podSecurity.enforce", "not a level")
	c = isolated()
	c.PodSecurity.Version = "v1.34"
	accepted(t, c.Validate(now))
	// The levels of long ago are not those of today.
	for _, version := range []string{"v1.0", "v1.33"} {
		c.PodSecurity.Version, c.Exceptions = version, nil
		refused(t, c.Validate(now), "podSecurity.version", "M22")
		c.Exceptions = []Exception{accept("M22")}
		accepted(t, c.Validate(now))
	}
}
