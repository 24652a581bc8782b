package aws_test

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

// apiServer stands for the kubernetes provider with a cluster behind it, and takes whatever it is given. What a real API
// server says of the same objects, the rehearsal tells.
type apiServer struct {
	pulumirpc.UnimplementedResourceProviderServer
	cloud *simcloud.Cloud

	mu      sync.Mutex
	config  string
	objects []object
}

// object is one that was applied.
type object struct {
	kind, namespace, name string
	value                 simcloud.Values
	// before are the add-ons that were there when it had been applied.
	before []string
}

func (a *apiServer) provider() rehearse.Provider {
	return rehearse.Provider{Name: "kubernetes", Serve: func(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) { return a, nil }}
}

// find gives the objects of a kind in a namespace.
func (a *apiServer) find(kind, namespace string) []object {
	return slices.DeleteFunc(slices.Clone(a.objects), func(o object) bool { return o.kind != kind || o.namespace != namespace })
}

func (*apiServer) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*apiServer) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (*apiServer) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "4.0.0"}, nil
}

func (*apiServer) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

func (*apiServer) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

func (a *apiServer) Configure(_ context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.config = req.GetArgs().GetFields()["kubeconfig"].GetStringValue()
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

func (*apiServer) Check(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: req.GetNews()}, nil
}

func (*apiServer) Diff(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	changes := pulumirpc.DiffResponse_DIFF_NONE
	if req.GetOldInputs().String() != req.GetNews().String() {
		changes = pulumirpc.DiffResponse_DIFF_SOME
	}
	return &pulumirpc.DiffResponse{Changes: changes}, nil
}

// Create takes its time, so that whoever does not wait for it comes first.
func (a *apiServer) Create(_ context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	properties, err := plugin.UnmarshalProperties(req.GetProperties(), plugin.MarshalOptions{})
	if err != nil || req.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: req.GetProperties()}, err
	}
	time.Sleep(20 * time.Millisecond)
	o := object{value: properties.Mappable(), kind: string(resource.URN(req.GetUrn()).Type())}
	o.kind = o.kind[strings.LastIndex(o.kind, ":")+1:]
	o.name, o.namespace = o.value.String("metadata.name"), o.value.String("metadata.namespace")
	for _, addon := range a.cloud.Objects(addonToken) {
		o.before = append(o.before, addon.State.String("addonName"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects = append(a.objects, o)
	return &pulumirpc.CreateResponse{Id: o.namespace + "/" + o.name, Properties: req.GetProperties()}, nil
}

func (*apiServer) Read(_ context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	return &pulumirpc.ReadResponse{Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs()}, nil
}

func (a *apiServer) Delete(_ context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.objects = slices.DeleteFunc(a.objects, func(o object) bool { return o.namespace+"/"+o.name == req.GetId() })
	return &emptypb.Empty{}, nil
}
