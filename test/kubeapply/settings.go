package kubeapply

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/client-go/tools/clientcmd"
)

// settings are the provider resource's arguments. Names are those of the SDK's ProviderArgs.
type settings struct {
	kubeconfig        string // contents or path; "" means $KUBECONFIG, then ~/.kube/config
	context           string
	cluster           string
	namespace         string
	identifier        string
	deleteUnreachable bool
	secretMutable     bool
	configMapMutable  bool
	unknown           bool // a setting is not known yet: preview of a cluster that is not made
}

// parseSettings reads provider arguments. Settings of features the stand-in lacks are refused when they ask for the
// feature; those that only tune what it does anyway are accepted.
func parseSettings(args resource.PropertyMap) (settings, []*pulumirpc.CheckFailure) {
	var out settings
	var failures []*pulumirpc.CheckFailure
	fail := func(property, format string, a ...any) {
		failures = append(failures, &pulumirpc.CheckFailure{Property: property, Reason: fmt.Sprintf(format, a...)})
	}
	text := func(name string, to *string) {
		v := plain(args[resource.PropertyKey(name)])
		switch {
		case v.IsNull():
		case v.IsComputed() || v.IsOutput():
			out.unknown = true
		case v.IsString():
			*to = v.StringValue()
		default:
			fail(name, "must be a string, not %s", v.TypeString())
		}
	}
	// The engine hands booleans of provider arguments over as JSON in a string.
	boolean := func(name string, to *bool) {
		v := plain(args[resource.PropertyKey(name)])
		switch {
		case v.IsNull():
		case v.IsComputed() || v.IsOutput():
			out.unknown = true
		case v.IsBool():
			*to = v.BoolValue()
		case v.IsString():
			b, err := strconv.ParseBool(v.StringValue())
			if err != nil {
				fail(name, "must be true or false, not %q", v.StringValue())
			}
			*to = b
		default:
			fail(name, "must be true or false, not %s", v.TypeString())
		}
	}
	text("kubeconfig", &out.kubeconfig)
	text("context", &out.context)
	text("cluster", &out.cluster)
	text("namespace", &out.namespace)
	text("clusterIdentifier", &out.identifier)
	boolean("deleteUnreachable", &out.deleteUnreachable)
	boolean("enableSecretMutable", &out.secretMutable)
	boolean("enableConfigMapMutable", &out.configMapMutable)
	var render string
	text("renderYamlToDirectory", &render)
	if render != "" {
		fail("renderYamlToDirectory", "rendering to files is not done by this stand-in for the kubernetes plugin; %s", officialPlugin)
	}
	if looksLikeKubeconfig(out.kubeconfig) {
		if _, err := clientcmd.Load([]byte(out.kubeconfig)); err != nil {
			fail("kubeconfig", "is not a kubeconfig: %v", err)
		}
	}
	return out, failures
}

// looksLikeKubeconfig tells contents from a path: no path has a line break or starts an object.
func looksLikeKubeconfig(value string) bool {
	return strings.Contains(value, "\n") || strings.HasPrefix(strings.TrimSpace(value), "{")
}

// clientConfig resolves the settings. A path that does not exist yet is the caller's "unreachable", not a bad setting.
func (c settings) clientConfig() (clientcmd.ClientConfig, error) {
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.context}
	overrides.Context.Cluster = c.cluster
	if looksLikeKubeconfig(c.kubeconfig) {
		raw, err := clientcmd.Load([]byte(c.kubeconfig))
		if err != nil {
			return nil, fmt.Errorf("kubeconfig: %w", err)
		}
		return clientcmd.NewDefaultClientConfig(*raw, overrides), nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if c.kubeconfig != "" {
		if _, err := os.Stat(c.kubeconfig); err != nil {
			return nil, fmt.Errorf("kubeconfig: %w", err)
		}
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: c.kubeconfig}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides), nil
}

// server is the API address the settings lead to, "" when that cannot be told yet.
func (c settings) server() string {
	loader, err := c.clientConfig()
	if err != nil {
		return ""
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return ""
	}
	return config.Host
}

// CheckConfig validates the provider's arguments and returns them unchanged.
func (s *Server) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	_, failures := parseSettings(news)
	return &pulumirpc.CheckResponse{Inputs: req.GetNews(), Failures: failures}, nil
}

// DiffConfig replaces the provider, and with it every object, only when it leads to another cluster: clusterIdentifier
// decides where it is set, otherwise the API address does.
func (s *Server) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := unmarshal(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := unmarshal(req.GetNews())
	if err != nil {
		return nil, err
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	differences := strip(olds).Diff(strip(news), resource.IsInternalPropertyKey)
	if differences == nil {
		return response, nil
	}
	response.Changes = pulumirpc.DiffResponse_DIFF_SOME
	for _, key := range differences.ChangedKeys() {
		response.Diffs = append(response.Diffs, string(key))
	}
	before, _ := parseSettings(olds)
	after, _ := parseSettings(news)
	switch {
	case after.unknown:
	case before.identifier != "" || after.identifier != "":
		if before.identifier != after.identifier {
			response.Replaces = []string{"clusterIdentifier"}
		}
	default:
		was, is := before.server(), after.server()
		if was != "" && is != "" && was != is {
			response.Replaces = []string{"kubeconfig"}
		}
	}
	return response, nil
}

// Configure takes the arguments. The cluster is not contacted: it may not exist yet.
func (s *Server) Configure(ctx context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	args, err := unmarshal(req.GetArgs())
	if err != nil {
		return nil, err
	}
	parsed, failures := parseSettings(args)
	if len(failures) > 0 {
		return nil, fmt.Errorf("kubernetes provider: %s: %s", failures[0].GetProperty(), failures[0].GetReason())
	}
	at := s.begin(ctx)
	at.mu.Lock()
	at.settings, at.cluster = parsed, nil
	at.mu.Unlock()
	return &pulumirpc.ConfigureResponse{
		AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true,
	}, nil
}

// configured returns the provider resource's settings.
func (s *session) configured() settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}
