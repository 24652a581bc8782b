package simcloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Server answers the engine for the length of one operation on a cloud that outlives it.
type Server struct {
	pulumirpc.UnimplementedResourceProviderServer

	cloud  *Cloud
	ctx    context.Context // ends every wait
	cancel context.CancelFunc

	mu       sync.Mutex
	sessions map[string]*session // by the engine's end of the connection: one for each provider resource
	latest   *session
}

// session is one provider resource.
type session struct {
	config Values
	scope  string
}

// Serve gives a server for one operation of the engine.
func (c *Cloud) Serve() *Server {
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{cloud: c, ctx: ctx, cancel: cancel, sessions: map[string]*session{}}
}

func address(ctx context.Context) string {
	if from, ok := peer.FromContext(ctx); ok {
		return from.Addr.String()
	}
	return ""
}

// session finds the provider resource a call belongs to; a connection that was made again belongs to the one that was
// configured last.
func (s *Server) session(ctx context.Context) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.sessions[address(ctx)]; found != nil {
		return found, nil
	}
	if s.latest == nil {
		return nil, errors.New("the provider is not configured")
	}
	return s.latest, nil
}

// Attach needs nothing: the provider never speaks to the engine by itself.
func (s *Server) Attach(context.Context, *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// GetPluginInfo reports the version.
func (s *Server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: s.cloud.Version}, nil
}

// Cancel ends every wait.
func (s *Server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.cancel()
	return &emptypb.Empty{}, nil
}

// Close ends every wait; the cloud stays.
func (s *Server) Close() error {
	s.cancel()
	return nil
}

// operation is a context that ends with the request or when the engine cancels. The clock knows of it until then.
func (s *Server) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := s.cloud.Clock.Begin(ctx)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() { stop(); cancel(); end() }
}

// settings reads a provider's arguments. The engine hands everything but texts over as JSON in a text.
func (s *Server) settings(in Values) (Values, []Finding) {
	out := Values{}
	for name, value := range in {
		field, known := s.cloud.Provider.Fields[name]
		if text, ok := value.(string); ok && known && field.Type.Kind != Text {
			var parsed any
			if err := json.Unmarshal([]byte(text), &parsed); err == nil {
				value = parsed
			}
		}
		if name != "version" && name != "pluginDownloadURL" {
			out[name] = value
		}
	}
	return out, s.cloud.Provider.Check(out)
}

// CheckConfig judges the provider's arguments.
func (s *Server) CheckConfig(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	_, end := s.cloud.Clock.Begin(ctx)
	defer end()
	in, err := fromWire(req.GetNews())
	if err != nil {
		return nil, err
	}
	config, findings := s.settings(in)
	out := &pulumirpc.CheckResponse{Inputs: req.GetNews()}
	if containsUnknown(map[string]any(config)) {
		return out, nil
	}
	for _, f := range findings {
		out.Failures = append(out.Failures, &pulumirpc.CheckFailure{Property: f.Path, Reason: f.Problem})
	}
	if _, err := s.cloud.Scope(config); err != nil {
		out.Failures = append(out.Failures, &pulumirpc.CheckFailure{Reason: err.Error()})
	}
	return out, nil
}

// DiffConfig says that another region is another provider, with all that it made.
func (s *Server) DiffConfig(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	_, end := s.cloud.Clock.Begin(ctx)
	defer end()
	olds, err := fromWire(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := fromWire(req.GetNews())
	if err != nil {
		return nil, err
	}
	out := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	if same(olds, news) {
		return out, nil
	}
	out.Changes = pulumirpc.DiffResponse_DIFF_SOME
	before, _ := s.settings(olds)
	after, _ := s.settings(news)
	was, errWas := s.cloud.Scope(before)
	is, errIs := s.cloud.Scope(after)
	if errWas == nil && errIs == nil && was != is {
		out.Replaces = []string{"region"}
	}
	return out, nil
}

// Configure takes the arguments.
func (s *Server) Configure(ctx context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	_, end := s.cloud.Clock.Begin(ctx)
	defer end()
	in, err := fromWire(req.GetArgs())
	if err != nil {
		return nil, err
	}
	config, findings := s.settings(in)
	if len(findings) > 0 {
		return nil, fmt.Errorf("%s provider: %s: %s", s.cloud.Package, findings[0].Path, findings[0].Problem)
	}
	scope, err := s.cloud.Scope(config)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	made := &session{config: config, scope: scope}
	s.sessions[address(ctx)], s.latest = made, made
	// Secrets are not accepted: the engine then gives plain values and marks the outputs that hold them itself.
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

// begin gives what every operation on a resource needs: its type, the session
// that asks, and the properties that came with the request, if any.
func (s *Server) begin(ctx context.Context, urn string, properties *structpb.Struct) (t *ResourceType, at *session, inputs Values, err error) {
	if t, err = s.typeOf(urn); err != nil {
		return
	}
	if at, err = s.session(ctx); err != nil {
		return
	}
	inputs, err = fromWire(properties)
	return
}

// typeOf finds the resource type of a URN.
func (s *Server) typeOf(urn string) (*ResourceType, error) {
	token := string(resource.URN(urn).Type())
	if t := s.cloud.types[token]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%s is not a type that the simulated %s knows: it never accepts what it does not model", token, s.cloud.Package)
}

// Invoke calls a function.
func (s *Server) Invoke(ctx context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	function, ok := s.cloud.Functions[req.GetTok()]
	if !ok {
		return nil, fmt.Errorf("%s is not a function that the simulated %s knows", req.GetTok(), s.cloud.Package)
	}
	at, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	args, err := fromWire(req.GetArgs())
	if err != nil {
		return nil, err
	}
	out := &pulumirpc.InvokeResponse{}
	for _, f := range function.Args.Check(args) {
		out.Failures = append(out.Failures, &pulumirpc.CheckFailure{Property: f.Path, Reason: f.Problem})
	}
	if len(out.Failures) > 0 {
		return out, nil
	}
	ctx, done := s.operation(ctx)
	defer done()
	var result Values
	err = s.attempt(ctx, Invoke, req.GetTok(), req.GetTok(), func() error {
		result, err = function.Call(&Query{Cloud: s.cloud, Scope: at.scope, Args: args})
		return err
	})
	if err != nil {
		return nil, s.worded(req.GetTok(), Invoke, err)
	}
	for _, f := range function.Result.Check(result.Copy()) {
		return nil, fmt.Errorf("the simulation of %s is wrong at %s: %s", req.GetTok(), f.Path, f.Problem)
	}
	out.Return, err = result.wire()
	return out, err
}

// Call refuses: the types have no methods.
func (s *Server) Call(_ context.Context, req *pulumirpc.CallRequest) (*pulumirpc.CallResponse, error) {
	return nil, status.Errorf(codes.Unimplemented, "the method %s is not simulated", req.GetTok())
}

// Construct refuses: components live in programs.
func (s *Server) Construct(_ context.Context, req *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	return nil, status.Errorf(codes.Unimplemented, "the component %s is not simulated", req.GetType())
}

// GetSchema refuses: a program in Go does not ask for it.
func (s *Server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return nil, status.Error(codes.Unimplemented, "the simulation has no schema: it reads the SDK's types")
}

// worded frames an error of the API as the provider does.
func (s *Server) worded(token string, operation Operation, err error) error {
	var refused *Error
	if errors.As(err, &refused) && s.cloud.Frame != nil {
		return errors.New(s.cloud.Frame(token, operation, refused))
	}
	return err
}

// covered tells whether a path is at or below a pattern, in which "[]" stands for any item.
func covered(path, pattern string) bool {
	var b strings.Builder
	inside := false
	for _, r := range path {
		switch {
		case r == '[':
			inside = true
			b.WriteString("[")
		case r == ']':
			inside = false
			b.WriteString("]")
		case !inside:
			b.WriteRune(r)
		}
	}
	bare := b.String()
	return bare == pattern || strings.HasPrefix(bare, pattern+".") || strings.HasPrefix(bare, pattern+"[")
}
