package reencrypt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	// pageSize bounds the memory of a page: an object has 1.5 MiB at most.
	pageSize = 16
	// requestTimeout bounds one question to etcd.
	requestTimeout = 30 * time.Second
	// told is how many refusals are told by name; more are counted.
	told = 100
	// patience is how many patches in a row may have no answer.
	patience = 3
)

// Rewriter works on one cluster.
type Rewriter struct {
	// Etcd is read and never written.
	Etcd clientv3.KV
	// Config and Client reach the API server, as somebody who may patch the resources.
	// The Config's QPS and Burst limit how fast objects are rewritten.
	Config *rest.Config
	Client *http.Client
	// Until ends rewriting; what is left is counted. The zero value never does.
	Until time.Time
	Log   *slog.Logger
}

// Report is what etcd holds.
type Report struct {
	// Under counts objects, by resource and key, as they are after the rewriting.
	Under map[string]map[Key]int
	// Rewritten is how many were under another key, and are not any more.
	Rewritten int
	// Refused are objects that the API server did not take, up to a hundred of them;
	// Refusals is how many there were.
	Refused  []Refusal
	Refusals int
	// unanswered counts patches without an answer, one after the other.
	unanswered int
}

// Refusal is an object that the API server did not take.
type Refusal struct{ Resource, Namespace, Name, Reason string }

// Left counts the objects of all resources that are not under the key that writes.
func (r Report) Left(writer Key) int {
	left := 0
	for _, keys := range r.Under {
		for key, count := range keys {
			if !key.is(writer) {
				left += count
			}
		}
	}
	return left
}

// Told names the refusals in a few words, for an error; empty without.
func (r Report) Told() string {
	if r.Refusals == 0 {
		return ""
	}
	first := r.Refused[0]
	return fmt.Sprintf(" (%d refused, such as %s %s/%s: %s)", r.Refusals, first.Resource, first.Namespace, first.Name, first.Reason)
}

// Run goes through all objects of the resources, each an entry of an
// EncryptionConfiguration that is [Named]. Those that are under another key than the
// writer it lets the API server write anew; without a writer it only counts. That the
// API server refuses one object keeps it from no other; it ends with an error when etcd
// or the API server cannot be asked.
func (r Rewriter) Run(ctx context.Context, resources []string, writer *Key) (Report, error) {
	report := Report{Under: map[string]map[Key]int{}}
	api, err := discovery.NewDiscoveryClientForConfigAndClient(r.Config, r.Client)
	if err != nil {
		return report, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(api))
	client, err := metadata.NewForConfigAndClient(metadata.ConfigFor(r.Config), r.Client)
	if err != nil {
		return report, err
	}
	for _, name := range resources {
		if !Named(name) {
			return report, fmt.Errorf("%s stands for resources that it does not name: name each", name)
		}
		report.Under[name] = map[Key]int{}
		resource := schema.ParseGroupResource(name)
		kind, err := mapper.KindFor(resource.WithVersion(""))
		if meta.IsNoMatchError(err) {
			// Its definition is gone, or not there yet: nothing can be rewritten, and what
			// etcd may still have of it counts.
			if err := r.each(ctx, place(resource), func(_ string, value []byte) error {
				report.Under[name][Of(value)]++
				return nil
			}); err != nil {
				return report, err
			}
			continue
		}
		if err != nil {
			return report, fmt.Errorf("%s: %w", name, err)
		}
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return report, fmt.Errorf("%s: %w", name, err)
		}
		work := work{Rewriter: r, resource: name, at: place(resource), mapping: mapping, client: client.Resource(mapping.Resource), writer: writer, report: &report}
		if err := r.each(ctx, work.at, func(key string, value []byte) error { return work.object(ctx, key, value) }); err != nil {
			return report, fmt.Errorf("%s: %w", name, err)
		}
	}
	return report, nil
}

// each visits all values below a place, a page at a time.
func (r Rewriter) each(ctx context.Context, at string, visit func(key string, value []byte) error) error {
	end := clientv3.GetPrefixRangeEnd(at)
	for key := at; ; {
		page, err := r.get(ctx, key, clientv3.WithRange(end), clientv3.WithLimit(pageSize))
		if err != nil {
			return err
		}
		for _, kv := range page.Kvs {
			if err := visit(string(kv.Key), kv.Value); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		key = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
	}
}

func (r Rewriter) get(ctx context.Context, key string, options ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	page, err := r.Etcd.Get(ctx, key, options...)
	if err != nil {
		return nil, fmt.Errorf("reading etcd: %w", err)
	}
	return page, nil
}

// work is the rewriting of one resource.
type work struct {
	Rewriter
	resource, at string
	mapping      *meta.RESTMapping
	client       metadata.Getter
	writer       *Key
	report       *Report
}

// object rewrites one if it has to, and counts it as etcd has it then.
func (w work) object(ctx context.Context, key string, value []byte) error {
	before := Of(value)
	if w.writer == nil || before.is(*w.writer) || !w.Until.IsZero() && time.Now().After(w.Until) {
		w.report.Under[w.resource][before]++
		return nil
	}
	namespace, name, found := named(w.mapping, w.at, key)
	if !found {
		w.report.Under[w.resource][before]++
		w.refused(namespace, name, "its key in etcd has another form")
		return nil
	}
	if err := w.rewrite(ctx, namespace, name); err != nil {
		return err
	}
	now, err := w.get(ctx, key)
	if err != nil || len(now.Kvs) == 0 {
		return err
	}
	after := Of(now.Kvs[0].Value)
	w.report.Under[w.resource][after]++
	if after.is(*w.writer) {
		w.report.Rewritten++
	}
	return nil
}

// rewrite lets the API server write an object anew. Nothing in it changes, and so the
// patch conflicts with nobody. An error of the API server is not passed on with its
// text: those who judge objects quote them.
func (w work) rewrite(ctx context.Context, namespace, name string) error {
	_, err := w.client.Namespace(namespace).Patch(ctx, name, types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
	var status apierrors.APIStatus
	switch {
	// A conflict or an absence means that somebody wrote it meanwhile or deleted it.
	case err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		w.report.unanswered = 0
	case errors.As(err, &status):
		w.report.unanswered = 0
		w.refused(namespace, name, fmt.Sprintf("%d %s", status.Status().Code, status.Status().Reason))
	default:
		// What judges one object may hang; an API server that is away answers nobody.
		if w.report.unanswered++; ctx.Err() != nil || w.report.unanswered == patience {
			return err
		}
		w.refused(namespace, name, "no answer in time")
	}
	return nil
}

func (w work) refused(namespace, name, reason string) {
	w.report.Refusals++
	if len(w.report.Refused) < told {
		w.report.Refused = append(w.report.Refused, Refusal{w.resource, namespace, name, reason})
		w.Log.Error("not rewritten", "resource", w.resource, "namespace", namespace, "name", name, "reason", reason)
	}
}
