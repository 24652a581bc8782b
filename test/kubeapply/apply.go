package kubeapply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Create applies an object. One that exists already is taken over where nobody else owns the fields, so that a create
// which was interrupted after the API server had answered can be repeated.
func (s *Server) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	a, err := s.newApplication(req.GetUrn(), req.GetProperties(), nil, req.GetTimeout(), req.GetPreview())
	if err != nil {
		return nil, err
	}
	id, properties, err := s.apply(ctx, a)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CreateResponse{Id: id, Properties: properties}, nil
}

// Update applies changed inputs. Fields that left the inputs leave the object unless somebody else owns them too.
func (s *Server) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	olds, err := unmarshal(req.GetOlds())
	if err != nil {
		return nil, err
	}
	a, err := s.newApplication(req.GetUrn(), req.GetNews(), olds, req.GetTimeout(), req.GetPreview())
	if err != nil {
		return nil, err
	}
	_, properties, err := s.apply(ctx, a)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.UpdateResponse{Properties: properties}, nil
}

// application is one server-side apply: what, of which resource, by whom.
type application struct {
	urn      resource.URN
	kind     kind
	inputs   resource.PropertyMap
	raw      *structpb.Struct // the inputs as they came
	object   map[string]any   // nil while inputs are not known
	manager  string           // field manager to apply under
	previous string           // field manager it replaces, "" when it stays
	update   bool
	preview  bool
	timeout  time.Duration // 0: the annotation's or the default
}

func (s *Server) newApplication(urn string, raw *structpb.Struct, olds resource.PropertyMap, timeout float64, preview bool) (*application, error) {
	inputs, err := unmarshal(raw)
	if err != nil {
		return nil, err
	}
	a := &application{urn: resource.URN(urn), inputs: inputs, raw: raw, update: olds != nil, preview: preview,
		timeout: time.Duration(timeout * float64(time.Second))}
	if a.kind, err = parseKind(a.urn, inputs); err != nil {
		return nil, err
	}
	if inputs.ContainsUnknowns() {
		if !preview {
			return nil, fmt.Errorf("%s: inputs are not known although this is no preview", a.urn)
		}
		return a, nil
	}
	a.object = toObject(inputs)
	_, _, recorded := parseState(olds)
	a.manager = managerOf(a.urn, recorded, a.object)
	if recorded != a.manager {
		a.previous = recorded
	}
	return a, nil
}

// apply writes the object, waits until it is ready and returns its id and state. In a preview the API server only
// rehearses the write; where it cannot (no cluster yet, no namespace yet, no right to), the inputs are the answer.
func (s *Server) apply(ctx context.Context, a *application) (string, *structpb.Struct, error) {
	ctx, done := s.operation(ctx)
	defer done()
	ctx = context.WithValue(ctx, warningSink{}, func(text string) {
		if !a.preview {
			s.log(ctx, a.urn, pulumirpc.LogSeverity_WARNING, false, text)
		}
	})
	if a.object == nil {
		return "", a.raw, nil
	}
	c, err := s.session(ctx).connect()
	if err != nil {
		if a.preview {
			return "", a.raw, nil
		}
		return "", nil, a.failure(err)
	}
	if a.preview {
		if c.down.Load() {
			return "", a.raw, nil
		}
		live, err := s.write(ctx, c, a)
		c.down.Store(refused(err))
		switch {
		case err == nil:
			// A rehearsed object has no status; an empty one would read as known and empty in the program.
			delete(live.Object, "status")
			properties, err := marshal(state(a.kind, a.inputs, live.Object, a.manager))
			return "", properties, err
		case refused(err), meta.IsNoMatchError(err), apierrors.IsForbidden(err), apierrors.IsNotFound(err), isImmutable(err),
			apierrors.IsUnauthorized(err):
			return "", a.raw, nil
		}
		return "", nil, a.failure(s.explain(c, err))
	}
	var live *unstructured.Unstructured
	err = s.retry(ctx, c, func() (err error) {
		live, err = s.write(ctx, c, a)
		return err
	})
	if err != nil {
		return "", nil, a.failure(err)
	}
	if live.GetKind() == "CustomResourceDefinition" {
		defer c.mapper.Reset() // the next object may be of the kind it declares
	}
	ready, waitErr := s.awaitReady(ctx, c, a, live)
	properties, err := marshal(state(a.kind, a.inputs, ready.Object, a.manager))
	if err != nil {
		return "", nil, err
	}
	if waitErr != nil {
		return "", nil, notReady(idOf(ready), a.failure(waitErr), properties)
	}
	if a.previous != "" {
		if err := s.relinquish(ctx, c, a.kind, ready, a.previous); err != nil {
			return "", nil, a.failure(fmt.Errorf("releasing the fields held as %s: %w", a.previous, err))
		}
	}
	return idOf(ready), properties, nil
}

// write sends one server-side apply.
func (s *Server) write(ctx context.Context, c *cluster, a *application) (*unstructured.Unstructured, error) {
	object := (&unstructured.Unstructured{Object: a.object}).DeepCopy()
	client, namespace, err := c.resource(a.kind, object.GetNamespace())
	if meta.IsNoMatchError(err) {
		return nil, notYet{err}
	} else if err != nil {
		return nil, err
	}
	object.SetAPIVersion(a.kind.gvk.GroupVersion().String())
	object.SetKind(a.kind.gvk.Kind)
	object.SetNamespace(namespace)
	body, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	force := s.force(a)
	options := metav1.PatchOptions{
		FieldManager: a.manager, Force: &force,
		FieldValidation: metav1.FieldValidationStrict, // a misspelt field is an error, not a wish that is not granted
	}
	if a.preview {
		options.DryRun = []string{metav1.DryRunAll}
	}
	live, err := client.Patch(ctx, object.GetName(), types.ApplyPatchType, body, options)
	if apierrors.IsNotFound(err) { // an apply makes what is missing: it is the namespace or the API that is not there
		return nil, notYet{err}
	}
	return live, err
}

// force tells whether fields that others own are taken over: only where the program says so. The preview of a create
// forces, because the object it meets may be the one that the same deployment deletes first.
func (s *Server) force(a *application) bool {
	if annotationOf(a.object, "pulumi.com/patchForce") == "true" || a.preview && !a.update {
		return true
	}
	return os.Getenv("PULUMI_K8S_ENABLE_PATCH_FORCE") == "true"
}

// relinquish gives up the fields held under a field manager. Those that nobody else holds leave the object.
func (s *Server) relinquish(ctx context.Context, c *cluster, k kind, live *unstructured.Unstructured, manager string) error {
	client, namespace, err := c.resource(k, live.GetNamespace())
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": k.gvk.GroupVersion().String(), "kind": k.gvk.Kind,
		// The uid makes this fail, instead of making an object, when the object has gone.
		"metadata": map[string]any{"name": live.GetName(), "namespace": namespace, "uid": string(live.GetUID())},
	})
	if err != nil {
		return err
	}
	_, err = client.Patch(ctx, live.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager})
	return err
}

// failure says which object an error is about and, for the errors a person meets, what to do.
func (a *application) failure(err error) error {
	object := unstructured.Unstructured{Object: a.object}
	name := object.GetName()
	if namespace := object.GetNamespace(); namespace != "" {
		name = namespace + "/" + name
	}
	what := fmt.Sprintf("%s %s", a.kind.gvk.Kind, name)
	var known *meta.NoKindMatchError
	var down unreachable
	switch {
	case errors.As(err, &down): // the same for every object of the cluster, and said in the same words
		return down
	case apierrors.IsConflict(err):
		return fmt.Errorf("%s: %w. Leave these fields to their owner, or take them over with the annotation pulumi.com/patchForce: \"true\"", what, err)
	case errors.As(err, &known):
		return fmt.Errorf("%s: the API server does not know %s: declare its CustomResourceDefinition first (DependsOn), or correct the apiVersion", what, a.kind)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the API server does not accept the kubeconfig's credential (expired, or of another cluster): %w", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// isImmutable recognises a change that a replacement makes possible.
func isImmutable(err error) bool {
	return apierrors.IsInvalid(err) && strings.Contains(err.Error(), "immutable")
}

// notReady is the error of an object that exists but did not become ready: the engine records it and tries again.
func notReady(id string, err error, properties *structpb.Struct) error {
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, err.Error()), &pulumirpc.ErrorResourceInitFailed{
		Id: id, Properties: properties, Reasons: []string{err.Error()},
	})
}

// idOf is <namespace>/<name>, or <name> for kinds without a namespace.
func idOf(live *unstructured.Unstructured) string {
	if namespace := live.GetNamespace(); namespace != "" {
		return namespace + "/" + live.GetName()
	}
	return live.GetName()
}
