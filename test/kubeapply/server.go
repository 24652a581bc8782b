package kubeapply

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Package is the Pulumi package this provider serves.
const Package = "kubernetes"

// Version is the plugin version it reports: that of the Go SDK the repository is written against.
const Version = "4.24.0"

// Options tune a Server. The zero value is what a deployment wants.
type Options struct {
	// Patience bounds how long an operation retries while the API server refuses connections or does not know a kind
	// yet. 15 s when zero: an API server restarts in about 5 s, and a person waits no longer without being told.
	Patience time.Duration
	// ReadyTimeout bounds the wait for readiness and for deletion where neither the resource's custom timeout nor the
	// annotation pulumi.com/timeoutSeconds says otherwise. 5 minutes when zero, as the official provider.
	ReadyTimeout time.Duration
	// DeleteUnreachable drops objects from the state, instead of failing, when their cluster cannot be reached. It is
	// also set by the provider's deleteUnreachable and by PULUMI_K8S_DELETE_UNREACHABLE=true.
	DeleteUnreachable bool
	// Redirect leads elsewhere: the API address that a provider's kubeconfig names is a key, and the file of the kubeconfig
	// that is used instead its value. The credentials of the first, plugins to get them included, are never used. Where
	// anything stands here, every other address is refused. Nil redirects nothing.
	Redirect map[string]string
}

// Server answers the engine for the length of one operation.
type Server struct {
	pulumirpc.UnimplementedResourceProviderServer

	options Options
	ctx     context.Context // cancelled by Close: ends every wait
	cancel  context.CancelFunc

	mu       sync.Mutex
	sessions map[string]*session // by the engine's end of the connection
	latest   *session
}

// session is one provider resource. An engine that attaches to a running server opens a connection for each provider
// resource of the program, and nothing else tells them apart: two clusters in one program have two sessions.
type session struct {
	ctx    context.Context // cancelled by Cancel
	cancel context.CancelFunc

	redirect map[string]string

	mu       sync.Mutex
	settings settings
	cluster  *cluster
	engine   pulumirpc.EngineClient
	conn     *grpc.ClientConn
}

// session finds the provider resource a call belongs to. A connection that was made again belongs to the provider that
// was configured last.
func (s *Server) session(ctx context.Context) *session {
	s.mu.Lock()
	found, ok := s.sessions[address(ctx)]
	if !ok {
		found = s.latest
	}
	s.mu.Unlock()
	if found == nil {
		return s.begin(ctx)
	}
	return found
}

// begin finds the session of a connection that introduces itself, or makes it.
func (s *Server) begin(ctx context.Context) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found, ok := s.sessions[address(ctx)]; ok {
		return found
	}
	made := &session{redirect: s.options.Redirect}
	made.ctx, made.cancel = context.WithCancel(s.ctx)
	s.sessions[address(ctx)], s.latest = made, made
	return made
}

func address(ctx context.Context) string {
	if from, ok := peer.FromContext(ctx); ok {
		return from.Addr.String()
	}
	return ""
}

// New returns a provider that is not configured yet.
func New(options Options) *Server {
	if options.Patience == 0 {
		options.Patience = 15 * time.Second
	}
	if options.ReadyTimeout == 0 {
		options.ReadyTimeout = 5 * time.Minute
	}
	if os.Getenv("PULUMI_K8S_DELETE_UNREACHABLE") == "true" {
		options.DeleteUnreachable = true
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{options: options, ctx: ctx, cancel: cancel, sessions: map[string]*session{}}
}

// Attach remembers the engine that drives this provider, for status lines and warnings.
func (s *Server) Attach(ctx context.Context, req *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	conn, err := grpc.NewClient("passthrough:///"+req.GetAddress(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "connecting to the engine at %s: %v", req.GetAddress(), err)
	}
	at := s.begin(ctx)
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.conn != nil {
		_ = at.conn.Close()
	}
	at.conn, at.engine = conn, pulumirpc.NewEngineClient(conn)
	return &emptypb.Empty{}, nil
}

// GetPluginInfo reports the version.
func (s *Server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: Version}, nil
}

// Cancel ends every wait of a provider resource; operations under way return an error that says so.
func (s *Server) Cancel(ctx context.Context, _ *emptypb.Empty) (*emptypb.Empty, error) {
	s.session(ctx).cancel()
	return &emptypb.Empty{}, nil
}

// Close ends every wait and releases the connections to the engine.
func (s *Server) Close() error {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.sessions {
		at.mu.Lock()
		if at.conn != nil {
			_ = at.conn.Close()
			at.conn, at.engine = nil, nil
		}
		at.mu.Unlock()
	}
	return nil
}

const officialPlugin = "install the official one: pulumi plugin install resource kubernetes v" + Version

// Invoke refuses: every function of the package renders or reads something this stand-in does not.
func (s *Server) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"the function %s is not served by this stand-in for the kubernetes plugin: write the objects as resources, or %s",
		req.GetTok(), officialPlugin)
}

// Call refuses: the package has no methods that this stand-in serves.
func (s *Server) Call(_ context.Context, req *pulumirpc.CallRequest) (*pulumirpc.CallResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"the method %s is not served by this stand-in for the kubernetes plugin; %s", req.GetTok(), officialPlugin)
}

// Construct refuses: the package's components (Helm charts, YAML and Kustomize folders) are not served.
func (s *Server) Construct(_ context.Context, req *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	return nil, status.Errorf(codes.Unimplemented,
		"the component %s is not served by this stand-in for the kubernetes plugin: write the objects as resources, or %s",
		req.GetType(), officialPlugin)
}

// GetSchema refuses: a program in Go, the only one that meets this stand-in, does not ask for it.
func (s *Server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return nil, status.Error(codes.Unimplemented, "this stand-in for the kubernetes plugin has no schema; "+officialPlugin)
}

// operation is a context that ends with the request or when the engine cancels.
func (s *Server) operation(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.session(ctx).ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// log shows a message beside a resource in the engine's progress. An ephemeral one is a status line that the next
// replaces. Losing a message never fails an operation.
func (s *Server) log(ctx context.Context, urn resource.URN, severity pulumirpc.LogSeverity, ephemeral bool, message string) {
	at := s.session(ctx)
	at.mu.Lock()
	engine := at.engine
	at.mu.Unlock()
	if engine == nil {
		return
	}
	_, _ = engine.Log(ctx, &pulumirpc.LogRequest{
		Severity: severity, Message: message, Urn: string(urn), Ephemeral: ephemeral,
	})
}
