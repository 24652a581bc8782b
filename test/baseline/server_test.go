package baseline

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission/probe"
	"github.com/redoubt-dev/redoubt/policies/baseline/nodeaudit"
	"github.com/redoubt-dev/redoubt/test/kubeapi"
)

// m is an object as JSON has it.
type m = map[string]any

// everything is audited in full, so that a test can read what a policy wrote there.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

// api is a real API server with the whole catalogue in force.
type api struct {
	*kubeapi.Server
	config  *rest.Config
	client  kubernetes.Interface
	dynamic dynamic.Interface
	err     error
}

var (
	shared     api
	sharedOnce sync.Once
)

// settings are those of the shared server.
var settings = admission.Settings{
	Registries:         []string{"registry.example.org", "mirror.example.org:5000/team"},
	BaselineNamespaces: []string{"relaxed"},
	SystemNamespaces:   []admission.SystemNamespace{{Name: "addon", Reason: "stands for an add-on"}, nodeaudit.SystemNamespace()},
	SystemUsers:        []string{"provider:*"},
}

func TestMain(main *testing.M) {
	flag.Parse()
	code := main.Run()
	shared.Stop()
	os.Exit(code)
}

// server is the shared one.
func server(t testing.TB) *api {
	t.Helper()
	sharedOnce.Do(func() { shared.err = shared.start(settings) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return &shared
}

// alone is a server of the test's own, as Kubernetes makes it.
func alone(t *testing.T, options kubeapi.Options) *api {
	t.Helper()
	started, err := kubeapi.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(started.Stop)
	a := &api{Server: started}
	if err := a.connect(); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *api) start(s admission.Settings) (err error) {
	dir, err := os.MkdirTemp("", "baseline")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	policy := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	if a.Server, err = kubeapi.Start(kubeapi.Options{Controllers: true, APIServer: []string{"--audit-policy-file=" + policy, "--audit-log-path=-", "--allow-privileged=true"}}); err != nil {
		return err
	}
	if err := a.connect(); err != nil {
		return err
	}
	for _, name := range []string{"team", "relaxed", "addon", "narrow", "closed", "pooled", "mapped", nodeaudit.Namespace} {
		o := m{"apiVersion": "v1", "kind": "Namespace", "metadata": m{"name": name, "labels": m{"pod-security.kubernetes.io/enforce": "privileged"}}}
		switch name {
		case "team": // as a tenant's; elsewhere nobody says that nothing is narrowed
			o["metadata"].(m)["labels"].(m)[admission.LabelPodRules] = admission.PodRulesOfCluster
		case "narrow":
			o["metadata"].(m)["annotations"] = m{admission.AnnotationRegistries: "registry.example.org/narrow", admission.AnnotationIngressHosts: "shop.example.org, *.api.example.org"}
		case "pooled":
			o["metadata"].(m)["labels"].(m)[admission.LabelPool] = "cards"
		case "mapped":
			o["metadata"].(m)["labels"].(m)[admission.LabelUserNamespaces] = "required"
		case "closed":
			o["metadata"].(m)["labels"].(m)[admission.LabelConnect] = "forbidden"
		}
		if err := a.create(a.dynamic, o, false); err != nil {
			return err
		}
	}
	if _, err := a.apply(s, admission.Catalogue()); err != nil {
		return err
	}
	return a.accounts()
}

func (a *api) connect() (err error) {
	if a.config, err = a.Config(); err != nil {
		return err
	}
	if a.client, err = kubernetes.NewForConfig(a.config); err != nil {
		return err
	}
	a.dynamic, err = dynamic.NewForConfig(a.config)
	return err
}

// apply puts policies into force and waits until they are.
func (a *api) apply(s admission.Settings, policies []admission.Policy) ([]admission.Rendered, error) {
	rendered, parameters, err := admission.Render(s, policies)
	if err != nil {
		return nil, err
	}
	objects := []runtime.Object{parameters}
	for _, r := range rendered {
		objects = append(objects, r.Policy)
		for _, binding := range r.Bindings {
			objects = append(objects, binding)
			// A refusal tells of one policy alone. Warnings tell of all.
			if slices.Contains(binding.Spec.ValidationActions, admissionv1.Deny) {
				said := binding.DeepCopy()
				said.Name += "-said"
				said.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Warn}
				objects = append(objects, said)
			}
		}
	}
	for _, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, err
		}
		if err := a.create(a.dynamic, fields, false); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return rendered, probe.Await(ctx, a.config, s, rendered)
}

// accounts waits for the default accounts, without which no pod is let in.
func (a *api) accounts() error {
	for _, namespace := range []string{"team", "relaxed", "addon", "narrow", "closed", "pooled", "mapped", "default"} {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			_, err := a.client.CoreV1().ServiceAccounts(namespace).Get(context.Background(), "default", metav1.GetOptions{})
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return err
			}
		}
	}
	return nil
}

// resources are those kinds whose plural is not their name and an s.
var resources = map[string]string{"Ingress": "ingresses", "NetworkPolicy": "networkpolicies", "StorageClass": "storageclasses", "ValidatingAdmissionPolicy": "validatingadmissionpolicies", "PriorityClass": "priorityclasses"}

func resourceOf(o m) schema.GroupVersionResource {
	u := unstructured.Unstructured{Object: o}
	plural := resources[u.GetKind()]
	if plural == "" {
		plural = strings.ToLower(u.GetKind()) + "s"
	}
	return u.GroupVersionKind().GroupVersion().WithResource(plural)
}

// create makes an object, or has the API server rehearse it.
func (a *api) create(as dynamic.Interface, o m, dryRun bool) error {
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(normal(o))}
	options := metav1.CreateOptions{}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	_, err := as.Resource(resourceOf(o)).Namespace(u.GetNamespace()).Create(context.Background(), u, options)
	if dryRun || !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := as.Resource(resourceOf(o)).Namespace(u.GetNamespace()).Get(context.Background(), u.GetName(), metav1.GetOptions{})
	if err != nil {
		return err
	}
	u.SetResourceVersion(old.GetResourceVersion())
	_, err = as.Resource(resourceOf(o)).Namespace(u.GetNamespace()).Update(context.Background(), u, metav1.UpdateOptions{})
	return err
}

// as gives clients of somebody else.
func (a *api) as(t testing.TB, user string, groups ...string) (dynamic.Interface, kubernetes.Interface) {
	t.Helper()
	config := rest.CopyConfig(a.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return d, c
}

// normal has the numbers and lists of JSON.
func normal(o m) m {
	out := map[string]any{}
	for k, v := range o {
		out[k] = normalValue(v)
	}
	return out
}

func normalValue(v any) any {
	switch v := v.(type) {
	case m:
		return normal(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normalValue(v[i])
		}
		return out
	case []m:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case int:
		return int64(v)
	}
	return v
}
