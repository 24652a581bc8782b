package baseline

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// verdict is what the API server said of an object: its refusal, which tells of one policy, and its warnings.
type verdict struct {
	err      error
	warnings []string
}

func (v verdict) String() string {
	return fmt.Sprintf("error %v\nwarnings %s", v.err, strings.Join(v.warnings, "\n"))
}

type collector struct {
	mu   sync.Mutex
	said []string
}

func (c *collector) HandleWarningHeader(_ int, _, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, text)
}

// everything has the API server rehearse the making of an object, and gives all that was said.
func (a *api) everything(o m) verdict { return a.ask(a.config, o) }

func (a *api) ask(config *rest.Config, o m) verdict {
	c := &collector{}
	own := rest.CopyConfig(config)
	own.WarningHandler = c
	client, err := dynamic.NewForConfig(own)
	if err != nil {
		return verdict{err: err}
	}
	err = a.create(client, o, true)
	return verdict{err, c.said}
}

// refusedBy wants a refusal, and the words of a policy: its name, a field, the rule and the remedy.
func refusedBy(t *testing.T, v verdict, id string) {
	t.Helper()
	if v.err == nil || !strings.Contains(v.err.Error(), "denied request") {
		t.Fatalf("not refused; %s", v)
	}
	says(t, append(v.warnings, v.err.Error()), id)
}

// warnedBy wants that an object is let in with the words of a policy.
func warnedBy(t *testing.T, v verdict, id string) {
	t.Helper()
	if v.err != nil {
		t.Fatal(v.err)
	}
	says(t, v.warnings, id)
}

// saidBy gives what a policy says in one of the texts, each of which is that of an object with one policy or more.
func saidBy(t testing.TB, texts []string, id string) string {
	t.Helper()
	p := policy(t, id)
	for _, text := range texts {
		_, said, denied := strings.Cut(text, "denied request: ")
		if !denied {
			_, rest, _ := strings.Cut(text, "with binding '")
			_, said, _ = strings.Cut(rest, "': ")
		}
		for _, part := range strings.Split(said, " | ") {
			if strings.Contains(part, "("+p.Control()+", ") {
				return part
			}
		}
	}
	return ""
}

// says wants the words of a policy in one of the texts: a field, then the rule, the remedy and the ids.
func says(t *testing.T, texts []string, id string) {
	t.Helper()
	p := policy(t, id)
	said := saidBy(t, texts, id)
	field, _, found := strings.Cut(said, ": "+p.Title+"; "+p.Remedy+" ("+p.Control()+", ")
	if !found || strings.TrimSpace(field) == "" {
		t.Fatalf("%s says %q, in:\n%s", id, said, strings.Join(texts, "\n"))
	}
}

func policy(t testing.TB, id string) admission.Policy {
	t.Helper()
	for _, p := range admission.Catalogue() {
		if p.ID == id {
			return p
		}
	}
	t.Fatalf("there is no policy %s", id)
	return admission.Policy{}
}

// update has the API server rehearse a change of an object that is there.
func (a *api) update(as dynamic.Interface, o m, subresources ...string) error {
	u := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(normal(o))}
	_, err := as.Resource(resourceOf(o)).Namespace(u.GetNamespace()).Update(context.Background(), u, metav1.UpdateOptions{DryRun: []string{metav1.DryRunAll}}, subresources...)
	return err
}

// change has the API server rehearse a change of an object as it is now.
func (a *api) change(t testing.TB, o m, subresource string, change func(live m)) verdict {
	t.Helper()
	return a.changeAs(t, a.config, o, change, subresource)
}

func (a *api) changeAs(t testing.TB, config *rest.Config, o m, change func(live m), subresource ...string) verdict {
	t.Helper()
	c := &collector{}
	own := rest.CopyConfig(config)
	own.WarningHandler = c
	client, err := dynamic.NewForConfig(own)
	if err != nil {
		t.Fatal(err)
	}
	u := unstructured.Unstructured{Object: o}
	live, err := client.Resource(resourceOf(o)).Namespace(u.GetNamespace()).Get(context.Background(), u.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	change(live.Object)
	return verdict{a.update(client, live.Object, subresource...), c.said}
}

// debug adds an ephemeral container to a pod of team, in a rehearsal.
func (a *api) debug(pod string, ephemeral m) verdict {
	c := &collector{}
	own := rest.CopyConfig(a.config)
	own.WarningHandler = c
	client, err := dynamic.NewForConfig(own)
	if err != nil {
		return verdict{err: err}
	}
	o := podIn("team", nil)
	live, err := client.Resource(resourceOf(o)).Namespace("team").Get(context.Background(), pod, metav1.GetOptions{})
	if err != nil {
		return verdict{err: err}
	}
	set(live.Object, "spec.ephemeralContainers", []any{ephemeral})
	return verdict{a.update(client, live.Object, "ephemeralcontainers"), c.said}
}

func (a *api) dynamicOf(t testing.TB, config *rest.Config) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (a *api) clientOf(t testing.TB, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func notFound(err error) bool { return apierrors.IsNotFound(err) }
