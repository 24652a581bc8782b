package simtest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/redoubt-dev/redoubt/test/rehearse"
	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// APIServer stands for the kubernetes provider with a cluster behind it, and takes whatever it is given. What a real API
// server says of the same objects, the rehearsal tells.
type APIServer struct {
	pulumirpc.UnimplementedResourceProviderServer
	// There tells what else is there, such as add-ons, when an object has been applied; nil tells nothing.
	There func() []string

	mu      sync.Mutex
	config  string
	objects []KubernetesObject
}

// KubernetesObject is one that was applied.
type KubernetesObject struct {
	Kind, Namespace, Name string
	Value                 simcloud.Values
	// Before is what was There when it had been applied.
	Before []string
}

// Kubeconfig is what the provider was given.
func (a *APIServer) Kubeconfig() string { a.mu.Lock(); defer a.mu.Unlock(); return a.config }

// Objects are those that exist, in the order in which they were applied.
func (a *APIServer) Objects() []KubernetesObject {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.objects)
}

// Provider attaches it to an [Engine], see its Beside.
func (a *APIServer) Provider() rehearse.Provider {
	return rehearse.Provider{Name: "kubernetes", Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) { return a, nil }}
}

// Find gives the objects of a kind in a namespace.
func (a *APIServer) Find(kind, namespace string) []KubernetesObject {
	return slices.DeleteFunc(a.Objects(), func(o KubernetesObject) bool { return o.Kind != kind || o.Namespace != namespace })
}

func (*APIServer) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*APIServer) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*APIServer) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "4.0.0"}, nil
}

func (*APIServer) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

// DiffConfig says that another kubeconfig is a change, and no other cluster.
func (a *APIServer) DiffConfig(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return a.Diff(ctx, req)
}

func (a *APIServer) Configure(_ context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = req.GetArgs().GetFields()["kubeconfig"].GetStringValue()
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

func (*APIServer) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

func (*APIServer) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	changes := pulumirpc.DiffResponse_DIFF_NONE
	if req.GetOldInputs().String() != req.GetNews().String() {
		changes = pulumirpc.DiffResponse_DIFF_SOME
	}
	return &pulumirpc.DiffResponse{Changes: changes}, nil
}

// Create takes its time, so that whoever does not wait for it comes first.
func (a *APIServer) Create(_ context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	properties, err := plugin.UnmarshalProperties(req.GetProperties(), plugin.MarshalOptions{})
	if err != nil || req.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: req.GetProperties()}, err
	}
	time.Sleep(20 * time.Millisecond)
	o := KubernetesObject{Value: properties.Mappable(), Kind: string(resource.URN(req.GetUrn()).Type())}
	o.Kind = o.Kind[strings.LastIndex(o.Kind, ":")+1:]
	o.Name, o.Namespace = o.Value.String("metadata.name"), o.Value.String("metadata.namespace")
	if a.There != nil {
		o.Before = a.There()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects = append(a.objects, o)
	return &pulumirpc.CreateResponse{Id: o.Namespace + "/" + o.Name, Properties: req.GetProperties()}, nil
}

func (*APIServer) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs()}, nil
}

func (a *APIServer) Delete(_ context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects = slices.DeleteFunc(a.objects, func(o KubernetesObject) bool { return o.Namespace+"/"+o.Name == req.GetId() })
	return &emptypb.Empty{}, nil
}
