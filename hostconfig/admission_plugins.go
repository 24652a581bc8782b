package hostconfig

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"sigs.k8s.io/yaml"
)

// AdmissionPlugin configures one more admission plugin of the API server, and
// turns it on. It adds to those of this package and cannot replace one.
type AdmissionPlugin struct {
	// Name is ImagePolicyWebhook, PodNodeSelector, PodTolerationRestriction,
	// ResourceQuota, MutatingAdmissionWebhook or ValidatingAdmissionWebhook.
	Name string `json:"name"`
	// Configuration is the plugin's own document, in YAML, as in
	// https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
	Configuration string `json:"configuration"`
}

// controlImagePolicy upholds that no image runs unjudged (CIS Kubernetes 5.5.1).
const controlImagePolicy = "CIS-5.5.1"

// The types that are no library upstream, field by field.
type (
	imagePolicyPlugin struct {
		ImagePolicy struct {
			KubeConfigFile string `json:"kubeConfigFile"`
			// AllowTTL and DenyTTL are seconds, RetryBackoff milliseconds.
			AllowTTL     int  `json:"allowTTL"`
			DenyTTL      int  `json:"denyTTL"`
			RetryBackoff int  `json:"retryBackoff"`
			DefaultAllow bool `json:"defaultAllow"`
		} `json:"imagePolicy"`
	}
	nodeSelectorPlugin struct {
		Selectors map[string]string `json:"podNodeSelectorPluginConfig"`
	}
	tolerationPlugin struct {
		metav1.TypeMeta `json:",inline"`
		Default         []any `json:"default,omitempty"`
		Whitelist       []any `json:"whitelist,omitempty"`
	}
	quotaPlugin struct {
		metav1.TypeMeta  `json:",inline"`
		LimitedResources []any `json:"limitedResources,omitempty"`
	}
	webhookPlugin struct {
		metav1.TypeMeta `json:",inline"`
		KubeConfigFile  string `json:"kubeConfigFile"`
	}
)

// admissionPluginKinds are the plugins that take a configuration, with its type.
// EventRateLimit and PodSecurity have fields of their own.
var admissionPluginKinds = map[string]metav1.TypeMeta{
	"ImagePolicyWebhook":         {},
	"PodNodeSelector":            {},
	"PodTolerationRestriction":   {APIVersion: "podtolerationrestriction.admission.k8s.io/v1alpha1", Kind: "Configuration"},
	"ResourceQuota":              {APIVersion: "apiserver.config.k8s.io/v1", Kind: "ResourceQuotaConfiguration"},
	"MutatingAdmissionWebhook":   {APIVersion: "apiserver.config.k8s.io/v1", Kind: "WebhookAdmissionConfiguration"},
	"ValidatingAdmissionWebhook": {APIVersion: "apiserver.config.k8s.io/v1", Kind: "WebhookAdmissionConfiguration"},
}

// decided are the plugins that other fields configure.
var decidedPlugins = map[string]string{"EventRateLimit": "eventRateLimit", "PodSecurity": "podSecurity"}

func (p *problems) admissionPlugins(field string, plugins []AdmissionPlugin, exceptions []Exception) {
	for i, plugin := range plugins {
		at := fmt.Sprintf("%s[%d]", field, i)
		kind, known := admissionPluginKinds[plugin.Name]
		switch {
		case decidedPlugins[plugin.Name] != "":
			p.add(at+".name", plugin.Name+" is configured by "+decidedPlugins[plugin.Name], "set "+decidedPlugins[plugin.Name]+" instead")
			continue
		case !known:
			p.add(at+".name", quote(plugin.Name)+" takes no configuration",
				"write one of "+strings.Join(slices.Sorted(maps.Keys(admissionPluginKinds)), ", "))
			continue
		case slices.ContainsFunc(plugins[:i], func(earlier AdmissionPlugin) bool { return earlier.Name == plugin.Name }):
			p.add(at+".name", plugin.Name+" is configured twice", "write one configuration")
		}
		p.admissionPlugin(at+".configuration", plugin, kind, exceptions)
	}
}

// admissionPlugin reads a plugin's document strictly: a misspelt field would be
// ignored by the API server, and what it was to refuse would be admitted.
func (p *problems) admissionPlugin(at string, plugin AdmissionPlugin, kind metav1.TypeMeta, exceptions []Exception) {
	read := func(into any) bool {
		err := yaml.UnmarshalStrict([]byte(plugin.Configuration), into)
		if err != nil {
			p.add(at, "cannot be read: "+err.Error(), "write the configuration of "+plugin.Name)
		}
		return err == nil
	}
	typed := func(got metav1.TypeMeta) {
		if got != kind {
			p.add(at, fmt.Sprintf("is %q of %q", got.Kind, got.APIVersion), fmt.Sprintf("begin with apiVersion: %s and kind: %s", kind.APIVersion, kind.Kind))
		}
	}
	kubeconfig := func(name, file string) {
		if !path.IsAbs(file) || path.Clean(file) != file {
			p.add(at+"."+name, quote(file)+" is not a clean absolute path", "write the path of a kubeconfig on the control plane")
		}
	}
	switch plugin.Name {
	case "ImagePolicyWebhook":
		var c imagePolicyPlugin
		if !read(&c) {
			return
		}
		kubeconfig("imagePolicy.kubeConfigFile", c.ImagePolicy.KubeConfigFile)
		if c.ImagePolicy.DefaultAllow && !excepted(exceptions, controlImagePolicy) {
			p.add(at+".imagePolicy.defaultAllow", "lets every image run while the webhook is away, which weakens control "+controlImagePolicy, acceptRisk(controlImagePolicy))
		}
	case "PodNodeSelector":
		var c nodeSelectorPlugin
		if read(&c) && len(c.Selectors) == 0 {
			p.add(at, "selects nothing", "write podNodeSelectorPluginConfig with a selector for each namespace")
		}
	case "PodTolerationRestriction":
		var c tolerationPlugin
		if read(&c) {
			typed(c.TypeMeta)
		}
	case "ResourceQuota":
		var c quotaPlugin
		if read(&c) {
			typed(c.TypeMeta)
		}
	default:
		var c webhookPlugin
		if read(&c) {
			typed(c.TypeMeta)
			kubeconfig("kubeConfigFile", c.KubeConfigFile)
		}
	}
}

// enabledPlugins is what enable-admission-plugins says: ours and the user's.
func (c ControlPlane) enabledPlugins() string {
	// CIS Kubernetes 1.2.11, 1.2.3, 1.2.9, 1.2.14; what is on by default stays on.
	plugins := []string{"AlwaysPullImages", "DenyServiceExternalIPs", "EventRateLimit", "NodeRestriction"}
	for _, plugin := range c.AdmissionPlugins {
		plugins = append(plugins, plugin.Name)
	}
	slices.Sort(plugins)
	return strings.Join(slices.Compact(plugins), ",")
}

// furtherPlugins renders the user's plugins, sorted by name.
func (c ControlPlane) furtherPlugins() ([]apiserverv1.AdmissionPluginConfiguration, error) {
	var rendered []apiserverv1.AdmissionPluginConfiguration
	for _, plugin := range c.AdmissionPlugins {
		document, err := yaml.YAMLToJSONStrict([]byte(plugin.Configuration))
		if err != nil || !json.Valid(document) {
			return nil, fmt.Errorf("configuration of %s: is not YAML", plugin.Name)
		}
		rendered = append(rendered, apiserverv1.AdmissionPluginConfiguration{
			Name: plugin.Name, Configuration: &runtime.Unknown{Raw: document, ContentType: runtime.ContentTypeJSON},
		})
	}
	slices.SortFunc(rendered, func(a, b apiserverv1.AdmissionPluginConfiguration) int { return strings.Compare(a.Name, b.Name) })
	return rendered, nil
}
