package rehearse_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// toy is a provider whose resources are files: toy:index:Thing{path, text, behave}.
type toy struct {
	pulumirpc.UnimplementedResourceProviderServer
	once      sync.Once
	cancelled chan struct{}
}

func newToy(rehearse.Operation) (pulumirpc.ResourceProviderServer, error) {
	return &toy{cancelled: make(chan struct{})}, nil
}

func (*toy) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
func (*toy) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: "1.0.0"}, nil
}
func (*toy) CheckConfig(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}
func (*toy) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{}, nil
}
func (*toy) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true}, nil
}
func (t *toy) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	t.once.Do(func() { close(t.cancelled) }) // the engine also says so when it is done
	return &emptypb.Empty{}, nil
}
func (*toy) Check(_ context.Context, r *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	return &pulumirpc.CheckResponse{Inputs: r.GetNews()}, nil
}

func text(in map[string]any, key string) string { v, _ := in[key].(string); return v }

func (*toy) Diff(_ context.Context, r *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, news := r.GetOlds().AsMap(), r.GetNews().AsMap()
	out := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	if text(olds, "text") != text(news, "text") {
		out.Changes, out.Diffs = pulumirpc.DiffResponse_DIFF_SOME, []string{"text"}
	}
	return out, nil
}

func (t *toy) Create(_ context.Context, r *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	in := r.GetProperties().AsMap()
	if r.GetPreview() {
		return &pulumirpc.CreateResponse{Properties: r.GetProperties()}, nil
	}
	switch text(in, "behave") {
	case "fail":
		return nil, errors.New("the disk is on fire: pour water on it")
	case "hang": // half-made: the file is there, the answer never comes
		if err := os.WriteFile(text(in, "path"), []byte("half"), 0o600); err != nil {
			return nil, err
		}
		select {
		case <-t.cancelled:
			return nil, errors.New("cancelled")
		case <-time.After(time.Minute):
			return nil, errors.New("hung for a minute")
		}
	case "slow":
		time.Sleep(300 * time.Millisecond)
	}
	if err := os.WriteFile(text(in, "path"), []byte(text(in, "text")), 0o600); err != nil {
		return nil, err
	}
	return &pulumirpc.CreateResponse{Id: text(in, "path"), Properties: r.GetProperties()}, nil
}

func (t *toy) Update(ctx context.Context, r *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	_, err := t.Create(ctx, &pulumirpc.CreateRequest{Properties: r.GetNews(), Preview: r.GetPreview()})
	return &pulumirpc.UpdateResponse{Properties: r.GetNews()}, err
}

func (*toy) Read(_ context.Context, r *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	data, err := os.ReadFile(r.GetId())
	if err != nil {
		return &pulumirpc.ReadResponse{}, nil
	}
	state, err := plugin.UnmarshalProperties(r.GetProperties(), plugin.MarshalOptions{KeepSecrets: true})
	if err != nil {
		return nil, err
	}
	state["text"] = resource.NewStringProperty(string(data))
	out, err := plugin.MarshalProperties(state, plugin.MarshalOptions{KeepSecrets: true})
	return &pulumirpc.ReadResponse{Id: r.GetId(), Properties: out, Inputs: out}, err
}

func (*toy) Delete(_ context.Context, r *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	if err := os.Remove(r.GetId()); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// thing is the resource in the program.
type thing struct {
	pulumi.CustomResourceState
	Text pulumi.StringOutput `pulumi:"text"`
}

// program makes the file <directory>/<stack>-<name> for every name in app:things, with app:text in it.
func program(directory string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		var names []string
		config.RequireObject(ctx, "app:things", &names)
		if len(names) == 0 {
			panic("no things")
		}
		var shape struct{ Size string }
		if err := config.GetObject(ctx, "app:shape", &shape); err != nil {
			return err
		}
		for _, name := range names {
			t := &thing{}
			if err := ctx.RegisterResource("toy:index:Thing", name, pulumi.Map{
				"path":   pulumi.String(filepath.Join(directory, ctx.Stack()+"-"+name)),
				"text":   pulumi.String(config.Require(ctx, "app:text")),
				"behave": pulumi.String(config.Get(ctx, "app:behave")),
			}, t); err != nil {
				return err
			}
			ctx.Export("text", t.Text)
		}
		ctx.Export("apiEndpoint", pulumi.String("https://127.0.0.1:6443"))
		ctx.Export("size", pulumi.String(shape.Size))
		if key := config.Get(ctx, "app:key"); key != "" {
			ctx.Export("key", pulumi.ToSecret(pulumi.String(key)))
		}
		return nil
	}
}

const project = "name: toys\nruntime: go\nmain: elsewhere\n"

const settings = "# a comment\nconfig:\n  app:things: [a]\n  app:text: one\n  app:shape: {size: small}\n"

// repository makes a directory with a project and an environment "local".
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "stacks"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "Pulumi.yaml"), []byte(project), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "stacks", "Pulumi.local.yaml"), []byte(settings), 0o644))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func binDir() string {
	if dir := os.Getenv("REDOUBT_BIN_DIR"); dir != "" {
		return dir
	}
	dir, _ := filepath.Abs("../../bin")
	return dir
}

// options for the environment of a repository; the test is skipped where the CLI has not been built.
func options(t *testing.T, repository, environment string) rehearse.Options {
	t.Helper()
	if _, err := os.Stat(filepath.Join(binDir(), "pulumi")); err != nil {
		t.Skipf("%v: run `make tools` first", err)
	}
	return rehearse.Options{
		Environment: environment, Repository: repository, ConfigFile: "stacks/Pulumi.local.yaml", BinDirectory: binDir(),
		Program: program(repository), Set: map[string]string{}, Output: testWriter{t},
		Providers: []rehearse.Provider{{Name: "toy", Serve: newToy}},
		Phases:    []rehearse.Phase{{Name: "things", Types: []string{"toy:"}}},
	}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

func content(t *testing.T, repository, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		return ""
	}
	return string(data)
}

// pending reads the unfinished steps from a state on disk.
func pending(t *testing.T, repository, environment string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(repository, ".state/pulumi/.pulumi/stacks/toys", environment+".json"))
	must(t, err)
	var state struct {
		Checkpoint struct {
			Latest struct {
				Pending []any `json:"pending_operations"`
			} `json:"latest"`
		} `json:"checkpoint"`
	}
	must(t, json.Unmarshal(data, &state))
	return len(state.Checkpoint.Latest.Pending)
}

func mustSay(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("expected an error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q:\n%v", word, err)
		}
	}
	for _, noise := range []string{"goroutine", "rpc error", "exit status", "stdout"} {
		if strings.Contains(err.Error(), noise) {
			t.Errorf("the error has %q in it:\n%v", noise, err)
		}
	}
}
