package hostconfig

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	podsecurityv1 "k8s.io/pod-security-admission/admission/api/v1"
)

// PodSecurity is the cluster's default for Pod Security Admission, which holds
// in every namespace without labels of its own (CIS 5.2.1, M22).
type PodSecurity struct {
	// Enforce, Audit and Warn are levels: "privileged", "baseline" or
	// "restricted", which is the default of each.
	Enforce string `json:"enforce,omitempty"`
	Audit   string `json:"audit,omitempty"`
	Warn    string `json:"warn,omitempty"`
	// Version pins the meaning of the levels, for example "v1.35"; the minor of
	// the cluster by default. It is pinned so that an upgrade of the cluster and
	// a change of what pods may do are two decisions.
	Version string `json:"version,omitempty"`
	// ExemptNamespaces are not judged; kube-system by default.
	ExemptNamespaces []string `json:"exemptNamespaces,omitempty"`
}

// podSecurityLevels are in the order of their strictness.
var podSecurityLevels = []string{"privileged", "baseline", "restricted"}

// controlPodSecurity upholds that pods are restricted.
const controlPodSecurity = "M22"

func (s PodSecurity) withDefaults(minor string) PodSecurity {
	setDefault(&s.Enforce, "restricted")
	setDefault(&s.Audit, "restricted")
	setDefault(&s.Warn, "restricted")
	setDefault(&s.Version, minor)
	if len(s.ExemptNamespaces) == 0 {
		s.ExemptNamespaces = []string{metav1.NamespaceSystem}
	}
	return s
}

// admissionFile renders the AdmissionConfiguration.
func (c ControlPlane) admissionFile() (File, error) {
	version := c.PodSecurity.Version
	podSecurity, err := json.Marshal(podsecurityv1.PodSecurityConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: "pod-security.admission.config.k8s.io/v1", Kind: "PodSecurityConfiguration"},
		Defaults: podsecurityv1.PodSecurityDefaults{
			Enforce: c.PodSecurity.Enforce, EnforceVersion: version,
			Audit: c.PodSecurity.Audit, AuditVersion: version,
			Warn: c.PodSecurity.Warn, WarnVersion: version,
		},
		Exemptions: podsecurityv1.PodSecurityExemptions{
			Usernames: []string{}, RuntimeClasses: []string{}, Namespaces: c.PodSecurity.ExemptNamespaces,
		},
	})
	if err != nil {
		return File{}, fmt.Errorf("pod security configuration: %w", err)
	}
	further, err := c.furtherPlugins()
	if err != nil {
		return File{}, fmt.Errorf("admission configuration: %w", err)
	}
	contents, err := renderYAML(apiserverv1.AdmissionConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: "apiserver.config.k8s.io/v1", Kind: "AdmissionConfiguration"},
		Plugins: append([]apiserverv1.AdmissionPluginConfiguration{
			{Name: "EventRateLimit", Path: c.Paths.EventRateLimit()},
			{Name: "PodSecurity", Configuration: &runtime.Unknown{Raw: podSecurity, ContentType: runtime.ContentTypeJSON}},
		}, further...),
	})
	if err != nil {
		return File{}, fmt.Errorf("admission configuration: %w", err)
	}
	return File{Path: c.Paths.Admission(), Mode: modePrivate, Contents: contents}, nil
}

var minorPattern = regexp.MustCompile(`^v1\.([0-9]{1,3})$`)

func (p *problems) podSecurity(field string, s PodSecurity, clusterMinor string, exceptions []Exception) {
	for _, mode := range []struct{ name, level string }{{"enforce", s.Enforce}, {"audit", s.Audit}, {"warn", s.Warn}} {
		at := field + "." + mode.name
		switch {
		case !slices.Contains(podSecurityLevels, mode.level):
			p.add(at, quote(mode.level)+" is not a level", "write one of "+strings.Join(podSecurityLevels, ", "))
		case mode.level != "restricted" && !excepted(exceptions, controlPodSecurity):
			p.add(at, fmt.Sprintf("%q weakens control %s", mode.level, controlPodSecurity), acceptRisk(controlPodSecurity))
		}
	}
	pinned, cluster := minorPattern.FindStringSubmatch(s.Version), minorPattern.FindStringSubmatch(clusterMinor)
	switch {
	case pinned == nil:
		p.add(field+".version", quote(s.Version)+" does not pin a version", "write a minor such as v1.35")
	case cluster != nil:
		want, _ := strconv.Atoi(cluster[1])
		got, _ := strconv.Atoi(pinned[1])
		switch oldest := supportedMinors[0].Name; {
		case got > want:
			p.add(field+".version", fmt.Sprintf("%s is newer than the cluster", s.Version), "write "+clusterMinor+" or older")
		case got < minorNumber(oldest)-1 && !excepted(exceptions, controlPodSecurity):
			// An upgrade may leave the levels one minor behind. "restricted" of v1.0
			// lets a pod raise its privileges and keep every capability.
			p.add(field+".version", fmt.Sprintf("%s means less by the levels than %s, which weakens control %s", s.Version, oldest, controlPodSecurity), acceptRisk(controlPodSecurity))
		}
	}
	for i, namespace := range s.ExemptNamespaces {
		at := fmt.Sprintf("%s.exemptNamespaces[%d]", field, i)
		p.dnsLabel(at, namespace)
		if namespace != metav1.NamespaceSystem && !excepted(exceptions, controlPodSecurity) {
			p.add(at, fmt.Sprintf("exempting %q weakens control %s", namespace, controlPodSecurity), acceptRisk(controlPodSecurity))
		}
	}
}
