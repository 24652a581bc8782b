package kubeapply

import (
	"context"
	"errors"
	"fmt"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// progress is how far an object is: done, or what it waits for, or a failure that no waiting cures.
type progress struct {
	done   bool
	doing  string
	failed error
}

var ready = progress{done: true}

func waiting(format string, a ...any) progress { return progress{doing: fmt.Sprintf(format, a...)} }
func failed(format string, a ...any) progress  { return progress{failed: fmt.Errorf(format, a...)} }

// look reads something else that an object's readiness depends on.
type look func(apiVersion, kind, namespace, name string) (map[string]any, error)

// awaitReady waits until an object is ready and returns it as it is then. On an error the object is what was last seen.
func (s *Server) awaitReady(ctx context.Context, c *cluster, a *application, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	judge, ok := readiness[a.kind.gvk.Group+"/"+a.kind.gvk.Kind]
	if !ok || a.kind.patch || annotationOf(a.object, "pulumi.com/skipAwait") == "true" {
		return live, nil
	}
	client, _, err := c.resource(a.kind, live.GetNamespace())
	if err != nil {
		return live, err
	}
	timeout := s.timeout(a.timeout, a.object)
	started := time.Now()
	shown := ""
	for pause := 25 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		current := judge(live.Object, s.looker(ctx, c))
		switch {
		case current.failed != nil:
			return live, current.failed
		case current.done:
			if shown != "" {
				s.log(ctx, a.urn, pulumirpc.LogSeverity_INFO, true, "")
			}
			return live, nil
		case time.Since(started) > timeout:
			return live, fmt.Errorf("not ready after %s: %s", timeout, current.doing)
		case current.doing != shown && time.Since(started) > time.Second:
			shown = current.doing
			s.log(ctx, a.urn, pulumirpc.LogSeverity_INFO, true, shown)
		}
		select {
		case <-ctx.Done():
			return live, errors.New("cancelled while waiting: " + current.doing)
		case <-time.After(pause):
		}
		next, err := client.Get(ctx, live.GetName(), metav1.GetOptions{})
		switch {
		case err == nil && next.GetUID() != live.GetUID(), apierrors.IsNotFound(err):
			return live, errors.New("was deleted by somebody else while it became ready")
		case err == nil:
			live = next
		case !passing(err):
			return live, err
		}
	}
}

func (s *Server) looker(ctx context.Context, c *cluster) look {
	return func(apiVersion, kindName, namespace, name string) (map[string]any, error) {
		object := unstructured.Unstructured{}
		object.SetAPIVersion(apiVersion)
		client, _, err := c.resource(kind{gvk: object.GroupVersionKind().GroupVersion().WithKind(kindName)}, namespace)
		if err != nil {
			return nil, err
		}
		live, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return live.Object, nil
	}
}

type condition struct{ kind, status, reason, message string }

func conditionsOf(object map[string]any) []condition {
	list, _, _ := unstructured.NestedSlice(object, "status", "conditions")
	var out []condition
	for _, item := range list {
		fields, _ := item.(map[string]any)
		text := func(key string) string { v, _ := fields[key].(string); return v }
		out = append(out, condition{text("type"), text("status"), text("reason"), text("message")})
	}
	return out
}

// conditionOf returns the condition of a type, zero when there is none.
func conditionOf(object map[string]any, kind string) condition {
	for _, c := range conditionsOf(object) {
		if c.kind == kind {
			return c
		}
	}
	return condition{}
}
