package kubeapply_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/redoubt-dev/redoubt/test/kubeapply"
)

// m is a JSON object, for brevity in the tests.
type m = map[string]any

var marshalOptions = plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true}

// object is one resource as the engine sees it.
type object struct {
	t      *testing.T
	server *kubeapply.Server
	urn    string
	id     string
	inputs *structpb.Struct
	state  *structpb.Struct
}

// provider is a configured server, as fresh as the engine's of one operation.
func provider(t *testing.T, config m) *kubeapply.Server {
	t.Helper()
	return providerOf(t, kubeapply.Options{Patience: 5 * time.Second, ReadyTimeout: 30 * time.Second}, config)
}

func providerOf(t *testing.T, options kubeapply.Options, config m) *kubeapply.Server {
	t.Helper()
	s := kubeapply.New(options)
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Configure(context.Background(), &pulumirpc.ConfigureRequest{Args: encode(t, config)}); err != nil {
		t.Fatal(err)
	}
	return s
}

func connected(t *testing.T) *kubeapply.Server {
	return provider(t, m{"kubeconfig": server(t).kubeconfig})
}

func encode(t *testing.T, in m) *structpb.Struct {
	t.Helper()
	properties := resource.PropertyMap{}
	for k, v := range in {
		properties[resource.PropertyKey(k)] = value(v)
	}
	out, err := plugin.MarshalProperties(properties, marshalOptions)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

type secret struct{ v any }
type unknown struct{}

func value(v any) resource.PropertyValue {
	switch v := v.(type) {
	case secret:
		return resource.MakeSecret(value(v.v))
	case unknown:
		return resource.MakeComputed(resource.NewStringProperty(""))
	case m:
		out := resource.PropertyMap{}
		for k, item := range v {
			out[resource.PropertyKey(k)] = value(item)
		}
		return resource.NewObjectProperty(out)
	case []any:
		var out []resource.PropertyValue
		for _, item := range v {
			out = append(out, value(item))
		}
		return resource.NewArrayProperty(out)
	}
	return resource.NewPropertyValue(v)
}

func decode(t *testing.T, in *structpb.Struct) resource.PropertyMap {
	t.Helper()
	out, err := plugin.UnmarshalProperties(in, marshalOptions)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func urn(token, name string) string {
	return "urn:pulumi:it::kubeapply::" + token + "::" + name
}

// check runs Check as the engine does before every create and update.
func (o *object) check(inputs m) error {
	o.t.Helper()
	response, err := o.server.Check(context.Background(), &pulumirpc.CheckRequest{
		Urn: o.urn, Olds: o.inputs, News: encode(o.t, inputs), RandomSeed: []byte("seed of " + o.urn),
	})
	if err != nil {
		return err
	}
	for _, f := range response.GetFailures() {
		return fmt.Errorf("%s: %s", f.GetProperty(), f.GetReason())
	}
	o.inputs = response.GetInputs()
	return nil
}

func declare(t *testing.T, s *kubeapply.Server, token, name string, inputs m) *object {
	t.Helper()
	o := &object{t: t, server: s, urn: urn(token, name)}
	if err := o.check(inputs); err != nil {
		t.Fatal(err)
	}
	return o
}

// create declares and applies an object that the test's end removes.
func create(t *testing.T, s *kubeapply.Server, token, name string, inputs m) *object {
	t.Helper()
	o := declare(t, s, token, name, inputs)
	if err := o.create(); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *object) create() error {
	response, err := o.server.Create(context.Background(), &pulumirpc.CreateRequest{Urn: o.urn, Properties: o.inputs})
	if err != nil {
		return err
	}
	o.id, o.state = response.GetId(), response.GetProperties()
	o.t.Cleanup(func() { _ = o.delete() })
	return nil
}

func (o *object) diff(inputs m) *pulumirpc.DiffResponse {
	o.t.Helper()
	if err := o.check(inputs); err != nil {
		o.t.Fatal(err)
	}
	response, err := o.server.Diff(context.Background(), &pulumirpc.DiffRequest{Urn: o.urn, Id: o.id, Olds: o.state, News: o.inputs})
	if err != nil {
		o.t.Fatal(err)
	}
	return response
}

func (o *object) update(inputs m) error {
	o.t.Helper()
	if err := o.check(inputs); err != nil {
		return err
	}
	response, err := o.server.Update(context.Background(), &pulumirpc.UpdateRequest{Urn: o.urn, Id: o.id, Olds: o.state, News: o.inputs})
	if err != nil {
		return err
	}
	o.state = response.GetProperties()
	return nil
}

func (o *object) read() *pulumirpc.ReadResponse {
	o.t.Helper()
	response, err := o.server.Read(context.Background(), &pulumirpc.ReadRequest{Urn: o.urn, Id: o.id, Properties: o.state, Inputs: o.inputs})
	if err != nil {
		o.t.Fatal(err)
	}
	return response
}

func (o *object) delete() error {
	_, err := o.server.Delete(context.Background(), &pulumirpc.DeleteRequest{Urn: o.urn, Id: o.id, Properties: o.state})
	return err
}

// namespace makes a namespace of the test's own and returns its name.
func namespace(t *testing.T, s *kubeapply.Server) string {
	t.Helper()
	name := "it-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	create(t, s, "kubernetes:core/v1:Namespace", name, m{"metadata": m{"name": name}})
	return name
}

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	quotas     = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}
	secrets    = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	accounts   = schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}
	pods       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	policies   = schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}
)

func live(t *testing.T, r schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	out, err := server(t).client.Resource(r).Namespace(namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// meddle changes an object behind the provider's back.
func meddle(t *testing.T, r schema.GroupVersionResource, namespace, name, patch string) {
	t.Helper()
	_, err := server(t).client.Resource(r).Namespace(namespace).Patch(context.Background(), name, types.MergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
}

func mustFail(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, word := range words {
		if !strings.Contains(status.Convert(err).Message(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}
