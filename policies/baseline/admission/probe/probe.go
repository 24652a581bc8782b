// Package probe asks an API server whether the policies of the catalogue are in
// force there: a policy takes effect some time after it was created, and an old
// one must not go before the new one holds. It changes nothing in the cluster.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// rounds is how often each policy must answer in a row, each time over
// connections of its own: behind one address there may be several API servers,
// each of which learns of a policy by itself.
const rounds = 3

// interval is between two attempts: a policy takes effect within a second or two.
const interval = 200 * time.Millisecond

// Await waits until every policy that has a sentinel refuses it. The error names
// those that did not until the context ended, and what was said instead.
func Await(ctx context.Context, config *rest.Config, settings admission.Settings, policies []admission.Rendered) error {
	var probes []admission.Probe
	for _, policy := range policies {
		if probe, has := policy.Probe(settings); has {
			probes = append(probes, probe)
		}
	}
	for range rounds {
		left := probes
		for {
			said := map[string]error{}
			a, err := newAsker(config)
			if err != nil {
				return err
			}
			var still []admission.Probe
			for _, probe := range left {
				if err := a.ask(ctx, probe); err != nil {
					said[probe.Policy] = err
					still = append(still, probe)
				}
			}
			a.close()
			if left = still; len(left) == 0 {
				break
			}
			select {
			case <-ctx.Done():
				var problems []error
				for _, probe := range left {
					problems = append(problems, fmt.Errorf("policy %s is not in force: %w", probe.Policy, said[probe.Policy]))
				}
				return errors.Join(problems...)
			case <-time.After(interval):
			}
		}
	}
	return nil
}

// asker has connections of its own.
type asker struct {
	client   *http.Client
	dynamic  dynamic.Interface
	host     string
	warnings warnings
}

func newAsker(config *rest.Config) (*asker, error) {
	a := &asker{}
	own := rest.CopyConfig(config)
	own.QPS = -1
	own.WarningHandler = &a.warnings
	// A dialer of its own keeps client-go from sharing the connections of others.
	own.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	base, _, err := rest.DefaultServerUrlFor(own)
	if err != nil {
		return nil, err
	}
	a.host = strings.TrimSuffix(base.String(), "/")
	if a.client, err = rest.HTTPClientFor(own); err != nil {
		return nil, err
	}
	a.dynamic, err = dynamic.NewForConfigAndClient(own, a.client)
	return a, err
}

func (a *asker) close() { a.client.CloseIdleConnections() }

// ask sends a sentinel; nil means that its policy answered.
func (a *asker) ask(ctx context.Context, probe admission.Probe) error {
	a.warnings.forget()
	err := a.send(ctx, probe)
	said := a.warnings.all()
	if err != nil {
		said += err.Error()
	}
	if strings.Contains(said, probe.Words) && strings.Contains(said, "'"+probe.Policy+"'") {
		return nil
	}
	if said == "" {
		said = "the API server let its sentinel in"
	}
	return errors.New(said)
}

func (a *asker) send(ctx context.Context, probe admission.Probe) error {
	if probe.Object == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.host+probe.Path, nil)
		if err != nil {
			return err
		}
		response, err := a.client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		for _, warning := range response.Header.Values("Warning") {
			a.warnings.HandleWarningHeader(299, "", warning)
		}
		text := make([]byte, 4096)
		n, _ := response.Body.Read(text)
		return errors.New(string(text[:n]))
	}
	object := &unstructured.Unstructured{Object: probe.Object}
	version, err := schema.ParseGroupVersion(object.GetAPIVersion())
	if err != nil {
		return err
	}
	_, err = a.dynamic.Resource(version.WithResource(plural(object.GetKind()))).Namespace(object.GetNamespace()).
		Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// plural is the resource of a kind of the sentinels.
func plural(kind string) string {
	name := strings.ToLower(kind)
	if strings.HasSuffix(name, "s") {
		return name + "es"
	}
	return name + "s"
}

// warnings keeps what the API server warned of.
type warnings struct {
	mu   sync.Mutex
	said []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *warnings) forget() { w.mu.Lock(); defer w.mu.Unlock(); w.said = nil }

func (w *warnings) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.said, "\n")
}
