package redoubt

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/test/rehearse"
)

// verifyTimeout bounds the checks at the end of an up. The providers have waited for readiness already; what is asked
// here answers at once or is broken.
const verifyTimeout = time.Minute

// Verify asks a new cluster the few questions that "up" promises: the API server is ready, strangers are refused, the
// nodes are Ready. The full proof is `make verify`.
func Verify(ctx context.Context, result rehearse.Result) ([]string, error) {
	path := result.Output("kubeconfigPath")
	if path == "" {
		return nil, nil // not a cluster of this machine
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig of environment %s: %w", result.Environment, err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	// client-go shares connections between all who come with the same credentials: those
	// of an up before this one lead to an API server that may be gone.
	config.Dial = (&net.Dialer{}).DialContext
	var facts []string
	for _, check := range []func(context.Context, *rest.Config) (string, error){ready, strangersRefused, nodesReady(result)} {
		fact, err := check(ctx, config)
		if err != nil {
			return facts, fmt.Errorf("the cluster is up but does not hold what it promises: %w", err)
		}
		if fact != "" {
			facts = append(facts, fact)
		}
	}
	return facts, nil
}

func ready(ctx context.Context, config *rest.Config) (string, error) {
	code, err := get(ctx, config, "/readyz")
	if err != nil {
		return "", err
	}
	if code != http.StatusOK {
		return "", fmt.Errorf("%s/readyz answers %d, not 200", config.Host, code)
	}
	return "API server ready", nil
}

func strangersRefused(ctx context.Context, config *rest.Config) (string, error) {
	code, err := get(ctx, rest.AnonymousClientConfig(config), "/api/v1/namespaces")
	if err != nil {
		return "", err
	}
	if code != http.StatusUnauthorized {
		return "", fmt.Errorf("an anonymous request is answered with %d, not 401", code)
	}
	return "anonymous requests refused", nil
}

// nodesReady expects every worker among the outputs to be a Ready node.
func nodesReady(result rehearse.Result) func(context.Context, *rest.Config) (string, error) {
	return func(ctx context.Context, config *rest.Config) (string, error) {
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			return "", err
		}
		list, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		var waiting []string
		for _, node := range list.Items {
			if !nodeReady(node.Object) {
				waiting = append(waiting, node.GetName())
			}
		}
		if len(waiting) > 0 {
			return "", fmt.Errorf("not Ready: %s; `make status` shows why", strings.Join(waiting, ", "))
		}
		expected, _ := result.Outputs["nodes"].Value.([]any)
		if len(list.Items) < len(expected) {
			return "", fmt.Errorf("%d of %d nodes have joined", len(list.Items), len(expected))
		}
		if len(list.Items) == 0 {
			return "control plane alone, no nodes", nil
		}
		return fmt.Sprintf("%d of %d nodes Ready", len(list.Items), len(list.Items)), nil
	}
}

func nodeReady(node map[string]any) bool {
	conditions, _, _ := unstructured.NestedSlice(node, "status", "conditions")
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == "Ready" {
			return c["status"] == "True"
		}
	}
	return false
}

func get(ctx context.Context, config *rest.Config, path string) (int, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path, nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}
