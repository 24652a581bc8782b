package simtest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// planner stands where the engine stands, for what the provider judges before anything is made: the engine ends a run
// at the first such judgement, and here all of a program's are wanted.
type planner struct {
	server *simcloud.Server
	mu     sync.Mutex
	said   map[string][]string
}

// Call has no answers: these programs look nothing up.
func (*planner) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) {
	return resource.PropertyMap{}, nil
}

// NewResource asks the provider's Check.
func (p *planner) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	news, err := plugin.MarshalProperties(args.Inputs, plugin.MarshalOptions{KeepUnknowns: true, SkipNulls: true})
	if err != nil {
		return "", nil, err
	}
	urn := resource.NewURN("sim", "simulation", "", tokens.Type(args.TypeToken), args.Name)
	response, err := p.server.Check(context.Background(), &pulumirpc.CheckRequest{Urn: string(urn), News: news})
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.said[args.Name] = append(p.said[args.Name], err.Error())
	}
	for _, failure := range response.GetFailures() {
		p.said[args.Name] = append(p.said[args.Name], failure.GetReason())
	}
	return args.Name + "-id", args.Inputs, nil
}

// Unplanned runs a program of which the provider must refuse some resources before it asks the API: each in those
// words, and no other.
func Unplanned(t testing.TB, cloud *simcloud.Cloud, settings map[string]string, program pulumi.RunFunc, want Refusals) {
	t.Helper()
	server := cloud.Serve()
	defer server.Close()
	config := resource.PropertyMap{}
	for name, value := range settings {
		config[resource.PropertyKey(strings.TrimPrefix(name, cloud.Package+":"))] = resource.NewStringProperty(value)
	}
	args, err := plugin.MarshalProperties(config, plugin.MarshalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Configure(context.Background(), &pulumirpc.ConfigureRequest{Args: args}); err != nil {
		t.Fatal(err)
	}
	p := &planner{server: server, said: map[string][]string{}}
	if err := pulumi.RunErr(program, pulumi.WithMocks("simulation", "sim", p)); err != nil {
		t.Fatal(err)
	}
	compare(t, p.said, want)
}
