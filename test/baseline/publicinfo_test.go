package baseline

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/roles"
	"github.com/redoubt-dev/redoubt/test/kubeapi"
)

// TestPublicInfoIsTrimmed asks a real API server without credentials, before the baseline, with it, after the API server
// has started anew, and when the baseline has gone (M20).
func TestPublicInfoIsTrimmed(t *testing.T) {
	a := alone(t, kubeapi.Options{Controllers: true, APIServer: []string{"--anonymous-auth=true"}})
	ctx := context.Background()
	for _, namespace := range []string{"default", "kube-system", "kube-public", "kube-node-lease"} {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			_, err := a.client.CoreV1().ServiceAccounts(namespace).Get(ctx, "default", metav1.GetOptions{})
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	asks := func(when string, want int) {
		t.Helper()
		for _, path := range []string{"/livez", "/readyz", "/healthz", "/version"} {
			answer, err := stranger.Get(a.config.Host + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != want {
				t.Errorf("%s: %s without credentials: %d, want %d", when, path, answer.StatusCode, want)
			}
		}
		if _, err := a.client.Discovery().ServerVersion(); err != nil {
			t.Errorf("%s: with credentials: %v", when, err)
		}
	}
	binding := func() string {
		b, err := a.client.RbacV1().ClusterRoleBindings().Get(ctx, "system:public-info-viewer", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(b.Annotations, b.Labels, b.RoleRef, b.Subjects)
	}
	asks("before", http.StatusOK)
	before := binding()
	spec := baseline.Spec{Policies: admission.Settings{Registries: []string{"registry.example.org"}}, Access: roles.Spec{TrimPublicInfo: true}}
	d := newEngine(t, a.Server).driver(&baseline.Args{Spec: spec})
	if _, err := d.Up(ctx); err != nil {
		t.Fatal(err)
	}
	asks("with the baseline", http.StatusForbidden)
	if err := a.Server.RestartAPIServer(); err != nil {
		t.Fatal(err)
	}
	asks("after a start of the API server", http.StatusForbidden)
	if again, err := d.Up(ctx); err != nil || again.Changed() != 0 {
		t.Errorf("a second up: %v, %v", again.Changes, err)
	}
	if _, err := d.Destroy(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.Server.RestartAPIServer(); err != nil {
		t.Fatal(err)
	}
	asks("without the baseline", http.StatusOK)
	if after := binding(); after != before {
		t.Errorf("before: %s\nafter:  %s", before, after)
	}
}
