package access

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
	"github.com/redoubt-dev/redoubt/test/kubeapi"
)

// groups are who is who on the server.
var (
	spec = roles.Spec{Bootstrapped: true, PlatformAdmins: []string{"oidc:platform"}, Operators: []string{"oidc:operators"}, Auditors: []string{"oidc:auditors"},
		IncidentResponders: []string{"oidc:responders"}, BreakGlass: []string{"oidc:break-glass"}}
	tenants = map[string]roles.Tenant{
		"team-a": {Developers: []string{"oidc:a"}, Debuggers: []string{"oidc:a-debug"}, Viewers: []string{"oidc:a-view"}},
		"team-b": {Developers: []string{"oidc:b"}},
	}
)

type api struct {
	*kubeapi.Server
	config *rest.Config
	err    error
}

var (
	shared     api
	sharedOnce sync.Once
)

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	shared.Stop()
	os.Exit(code)
}

// server is a real API server with what the platform's administrator applied.
func server(t testing.TB) *api {
	t.Helper()
	sharedOnce.Do(func() { shared.err = shared.start() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return &shared
}

func (a *api) start() (err error) {
	if a.Server, err = kubeapi.Start(kubeapi.Options{Controllers: true}); err != nil {
		return err
	}
	if a.config, err = a.Config(); err != nil {
		return err
	}
	for name := range tenants {
		labels := map[string]string{"app.kubernetes.io/managed-by": "redoubt", "pod-security.kubernetes.io/enforce": "restricted"}
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		if _, err := a.masters().CoreV1().Namespaces().Create(context.Background(), namespace, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	if err := a.apply(a.config, hostconfig.BootstrapObjects()...); err != nil {
		return err
	}
	objects := roles.Objects(spec)
	for _, pair := range quarantine.Objects() {
		objects = append(objects, pair.Policy, pair.Binding)
	}
	for name, tenant := range tenants {
		objects = append(objects, roles.TenantObjects(name, tenant)...)
	}
	// Not as a master of the cluster: the API server holds what the roles grant against what their author has.
	if err := a.apply(a.as("redoubt:admin", hostconfig.GroupPlatformAdmins), objects...); err != nil {
		return err
	}
	return a.inForce()
}

// as acts under another name.
func (a *api) as(user string, groups ...string) *rest.Config {
	config := rest.CopyConfig(a.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	return config
}

func (a *api) masters() *kubernetes.Clientset { return kubernetes.NewForConfigOrDie(a.config) }

// of is a client of a member of groups.
func (a *api) of(groups ...string) *kubernetes.Clientset {
	return kubernetes.NewForConfigOrDie(a.as("oidc:somebody", groups...))
}

func (a *api) apply(config *rest.Config, objects ...runtime.Object) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, object := range objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		u := &unstructured.Unstructured{Object: content}
		resource, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
		if strings.HasSuffix(u.GetKind(), "Policy") {
			resource.Resource = strings.ToLower(strings.TrimSuffix(u.GetKind(), "y")) + "ies"
		}
		var to dynamic.ResourceInterface = client.Resource(resource)
		if u.GetNamespace() != "" {
			to = client.Resource(resource).Namespace(u.GetNamespace())
		}
		if _, err := to.Create(context.Background(), u, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// inForce waits until the policies are: the last of them is asked something that it refuses.
func (a *api) inForce() error {
	pod := aPod("sentinel")
	pod.Labels = map[string]string{quarantine.Label: "true"}
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, label := a.of("oidc:a").CoreV1().Pods("team-a").Create(context.Background(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		_, network := a.masters().NetworkingV1().NetworkPolicies("team-a").Create(context.Background(), allowing(false), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if refused(label, "M40") && refused(network, "M40") {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(errors.New("the policies are not in force"), label, network)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// refused tells whether the API server forbids it, in the words given.
func refused(err error, words string) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), words)
}

func (a *api) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for it %s", what)
		}
	}
}
