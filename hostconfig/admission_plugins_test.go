package hostconfig

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/apis/apiserver"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// furtherPlugins configures every plugin that takes a configuration.
func furtherPlugins(kubeconfig string) []AdmissionPlugin {
	const webhook = "apiVersion: apiserver.config.k8s.io/v1\nkind: WebhookAdmissionConfiguration\nkubeConfigFile: "
	return []AdmissionPlugin{
		{"ValidatingAdmissionWebhook", webhook + kubeconfig},
		{"MutatingAdmissionWebhook", webhook + kubeconfig},
		{"ResourceQuota", "apiVersion: apiserver.config.k8s.io/v1\nkind: ResourceQuotaConfiguration\nlimitedResources:\n- resource: persistentvolumeclaims\n  matchContains: [gold]\n"},
		{"PodTolerationRestriction", "apiVersion: podtolerationrestriction.admission.k8s.io/v1alpha1\nkind: Configuration\n"},
		{"PodNodeSelector", "podNodeSelectorPluginConfig: {clusterDefaultNodeSelector: pool=general}"},
		{"ImagePolicyWebhook", "imagePolicy: {kubeConfigFile: " + kubeconfig + ", allowTTL: 50, denyTTL: 50, retryBackoff: 500, defaultAllow: false}"},
	}
}

func TestAdmissionPlugins(t *testing.T) {
	c := isolated()
	c.AdmissionPlugins = furtherPlugins("/etc/kubernetes/policy.conf")
	accepted(t, c.Validate(now))
	file, err := c.admissionFile()
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "controlplane/plugins/admission.yaml", file.Contents)
	plugins := apiServerObject(t, file.Contents).(*apiserver.AdmissionConfiguration).Plugins
	if len(plugins) != 2+len(c.AdmissionPlugins) || plugins[0].Name != "EventRateLimit" || plugins[1].Name != "PodSecurity" {
		t.Errorf("plugins: %+v", plugins)
	}
	enabled, _ := value(c.APIServerArgs(), "enable-admission-plugins")
	for _, name := range []string{"AlwaysPullImages", "DenyServiceExternalIPs", "EventRateLimit", "NodeRestriction", "ImagePolicyWebhook", "PodNodeSelector"} {
		if !strings.Contains(","+enabled+",", ","+name+",") {
			t.Errorf("%s is not on: %s", name, enabled)
		}
	}
}

func TestAdmissionPluginRefusals(t *testing.T) {
	const policy = "imagePolicy: {kubeConfigFile: /etc/policy.conf, defaultAllow: true}"
	for name, each := range map[string]struct {
		plugin      AdmissionPlugin
		field, text string
	}{
		"pod security again": {AdmissionPlugin{"PodSecurity", "defaults: {enforce: privileged}"}, "name", "podSecurity"},
		"event rate again":   {AdmissionPlugin{"EventRateLimit", "limits: []"}, "name", "eventRateLimit"},
		"admits everything":  {AdmissionPlugin{"AlwaysAdmit", "{}"}, "name", "takes no configuration"},
		"fails open":         {AdmissionPlugin{"ImagePolicyWebhook", policy}, "configuration.imagePolicy.defaultAllow", "CIS-5.5.1"},
		"relative path":      {AdmissionPlugin{"ImagePolicyWebhook", "imagePolicy: {kubeConfigFile: policy.conf}"}, "configuration.imagePolicy.kubeConfigFile", "absolute"},
		"misspelt":           {AdmissionPlugin{"ImagePolicyWebhook", "imagePolicy: {kubeConfigFile: /a, defaultDeny: true}"}, "configuration", "unknown field"},
		"no document":        {AdmissionPlugin{"PodNodeSelector", ""}, "configuration", "selects nothing"},
		"no YAML":            {AdmissionPlugin{"ResourceQuota", "{"}, "configuration", "cannot be read"},
		"another kind":       {AdmissionPlugin{"ResourceQuota", "kind: ConfigMap\napiVersion: v1\n"}, "configuration", "ResourceQuotaConfiguration"},
		"untyped webhook":    {AdmissionPlugin{"MutatingAdmissionWebhook", "kubeConfigFile: /a"}, "configuration", "WebhookAdmissionConfiguration"},
	} {
		t.Run(name, func(t *testing.T) {
			c := isolated()
			c.AdmissionPlugins = []AdmissionPlugin{each.plugin}
			refused(t, c.Validate(now), "admissionPlugins[0]."+each.field, each.text)
		})
	}
	c := isolated()
	c.AdmissionPlugins = []AdmissionPlugin{{"ImagePolicyWebhook", policy}, {"ImagePolicyWebhook", policy}}
	c.Exceptions = []Exception{accept("CIS-5.5.1")}
	refused(t, c.Validate(now), "admissionPlugins[1].name", "twice")
	c.AdmissionPlugins = c.AdmissionPlugins[:1]
	accepted(t, c.Validate(now))
}

// FuzzAdmissionPlugins: what is accepted is a document that the API server reads.
func FuzzAdmissionPlugins(f *testing.F) {
	for _, plugin := range furtherPlugins("/etc/kubernetes/policy.conf") {
		f.Add(plugin.Name, plugin.Configuration)
	}
	f.Add("PodSecurity", "{}")
	f.Add("ResourceQuota", "[a: &b, *b]")
	f.Fuzz(func(t *testing.T, name, configuration string) {
		c := isolated()
		c.AdmissionPlugins = []AdmissionPlugin{{name, configuration}}
		if c.Validate(now) != nil {
			return
		}
		file, err := c.admissionFile()
		if err != nil {
			t.Fatal(err)
		}
		if plugins := apiServerObject(t, file.Contents).(*apiserver.AdmissionConfiguration).Plugins; len(plugins) != 3 || plugins[1].Name != "PodSecurity" {
			t.Fatalf("plugins: %+v", plugins)
		}
	})
}

// TestRealAdmissionPlugins starts a real API server with every plugin: while the
// image policy cannot be asked, nothing runs.
func TestRealAdmissionPlugins(t *testing.T) {
	t.Parallel()
	kubeconfig := filepath.Join(t.TempDir(), "policy.conf")
	writeFile(t, kubeconfig, []byte(`apiVersion: v1
kind: Config
current-context: policy
clusters: [{name: policy, cluster: {server: "https://127.0.0.1:1/images"}}]
users: [{name: policy, user: {}}]
contexts: [{name: policy, context: {cluster: policy, user: policy}}]
`), 0o600)
	l := newAPILab(t, func(c *ControlPlane) { c.AdmissionPlugins = furtherPlugins(kubeconfig) })
	encryption, err := Encryption{Keys: []EncryptionKey{key("one", 'a', "")}}.Configuration()
	if err != nil {
		t.Fatal(err)
	}
	server := l.serve(t, l.c.Ports.APIServer, encryption).ready(t)
	const namespace = "/api/v1/namespaces/default/"
	server.do(t, http.MethodPost, namespace+"serviceaccounts", corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "tenant"}}, "")
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "tenant"},
		Spec: corev1.PodSpec{ServiceAccountName: "tenant", Containers: []corev1.Container{{Name: "a", Image: "example.org/a:1"}}}}
	if got, body := server.do(t, http.MethodPost, namespace+"pods", pod, ""); got != http.StatusForbidden || !strings.Contains(body, "127.0.0.1:1") {
		t.Errorf("a pod without a judgement of its image: %d %s", got, body)
	}
}
