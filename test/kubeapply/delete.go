package kubeapply

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// Delete removes an object and returns when it is gone. Only the object that was recorded is removed: one of the same
// name that was made since is left alone. A patch gives its fields back.
func (s *Server) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	ctx, done := s.operation(ctx)
	defer done()
	urn := resource.URN(req.GetUrn())
	olds, err := unmarshal(req.GetProperties())
	if err != nil {
		return nil, err
	}
	inputs, recorded, manager := parseState(olds)
	k, err := parseKind(urn, inputs)
	if err != nil {
		return nil, err
	}
	namespace, name := parseID(req.GetId())
	what := fmt.Sprintf("%s %s", k.gvk.Kind, req.GetId())

	c, err := s.session(ctx).connect()
	if err == nil {
		err = s.retry(ctx, c, func() error {
			return s.remove(ctx, c, removal{
				urn: urn, kind: k, namespace: namespace, name: name, manager: managerOf(urn, manager, nil),
				recorded: recorded, timeout: time.Duration(req.GetTimeout() * float64(time.Second)),
			})
		})
	}
	var down unreachable
	switch {
	case err == nil, meta.IsNoMatchError(err): // a kind that is gone took its objects with it
		return &emptypb.Empty{}, nil
	case errors.As(err, &down) && s.deletesUnreachable(ctx):
		s.log(ctx, urn, pulumirpc.LogSeverity_INFO, false, "dropped from the state: its cluster cannot be reached")
		return &emptypb.Empty{}, nil
	case errors.As(err, &down):
		return nil, down
	}
	return nil, fmt.Errorf("%s: %w", what, err)
}

func (s *Server) deletesUnreachable(ctx context.Context) bool {
	return s.options.DeleteUnreachable || s.session(ctx).configured().deleteUnreachable
}

type removal struct {
	urn             resource.URN
	kind            kind
	namespace, name string
	manager         string
	recorded        map[string]any
	timeout         time.Duration
}

func (s *Server) remove(ctx context.Context, c *cluster, r removal) error {
	client, _, err := c.resource(r.kind, r.namespace)
	if err != nil {
		return err
	}
	live, err := client.Get(ctx, r.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	recorded := unstructured.Unstructured{Object: r.recorded}
	if uid := recorded.GetUID(); uid != "" && uid != live.GetUID() {
		return nil
	}
	if r.kind.patch {
		err := s.relinquish(ctx, c, r.kind, live, r.manager)
		switch {
		case apierrors.IsNotFound(err), apierrors.IsConflict(err): // gone, or another object by now
			return nil
		case apierrors.IsInvalid(err):
			return fmt.Errorf("the patch is the only owner of a required field and cannot let go of it: %w. "+
				"Set the resource option retainOnDelete, or give the field another owner first", err)
		}
		return err
	}
	propagation := propagationOf(live)
	uid := live.GetUID()
	err = client.Delete(ctx, r.name, metav1.DeleteOptions{
		PropagationPolicy: &propagation, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	} else if err != nil {
		return err
	}
	return s.awaitGone(ctx, client, live, r)
}

// propagationOf is what the annotation says; by default an object's dependents go before it.
func propagationOf(object *unstructured.Unstructured) metav1.DeletionPropagation {
	switch strings.ToLower(annotationOf(object.Object, "pulumi.com/deletionPropagationPolicy")) {
	case "orphan":
		return metav1.DeletePropagationOrphan
	case "background":
		return metav1.DeletePropagationBackground
	}
	return metav1.DeletePropagationForeground
}

// awaitGone waits until the object, or at least this object of the name, does not exist any more.
func (s *Server) awaitGone(ctx context.Context, client dynamic.ResourceInterface, object *unstructured.Unstructured, r removal) error {
	timeout := s.timeout(r.timeout, object.Object)
	deadline := time.Now().Add(timeout)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		live, err := client.Get(ctx, r.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && live.GetUID() != object.GetUID() {
			return nil
		}
		if err != nil && !passing(err) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still exists %s after its deletion was asked for%s", timeout, whatHolds(live))
		}
		select {
		case <-ctx.Done():
			return errors.New("cancelled while waiting for the deletion")
		case <-time.After(pause):
		}
	}
}

// whatHolds names what keeps an object from going.
func whatHolds(live *unstructured.Unstructured) string {
	if live == nil {
		return ""
	}
	var out []string
	if finalizers := live.GetFinalizers(); len(finalizers) > 0 {
		out = append(out, "finalizers "+strings.Join(finalizers, ", "))
	}
	for _, c := range conditionsOf(live.Object) {
		if c.status == "True" && c.message != "" {
			out = append(out, c.message)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, "; ")
}

// timeout of a wait: the resource's custom timeout, the annotation, the default.
func (s *Server) timeout(custom time.Duration, object map[string]any) time.Duration {
	if custom > 0 {
		return custom
	}
	if seconds, err := strconv.Atoi(annotationOf(object, "pulumi.com/timeoutSeconds")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return s.options.ReadyTimeout
}

func parseID(id string) (namespace, name string) {
	if before, after, ok := strings.Cut(id, "/"); ok {
		return before, after
	}
	return "", id
}
