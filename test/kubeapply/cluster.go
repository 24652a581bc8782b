package kubeapply

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// cluster is a connection to one API server.
type cluster struct {
	host      string
	namespace string // of the kubeconfig's context, "default" when it names none
	client    dynamic.Interface
	mapper    *restmapper.DeferredDiscoveryRESTMapper
	down      atomic.Bool // no answer within the patience once: later operations ask once only
}

// unreachable is the error of every operation whose API server does not answer.
type unreachable struct {
	host   string
	reason error
}

func (u unreachable) Error() string {
	host := u.host
	if host == "" {
		host = "the cluster of the kubernetes provider"
	}
	return fmt.Sprintf("the Kubernetes API server at %s cannot be reached: %v. "+
		"Start the cluster and run the same command again; when the cluster is gone for good, "+
		"PULUMI_K8S_DELETE_UNREACHABLE=true drops its objects from the state", host, u.reason)
}

func (u unreachable) Unwrap() error { return u.reason }

// connect makes the clients on first use. Nothing is sent yet.
func (s *session) connect() (*cluster, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster != nil {
		return s.cluster, nil
	}
	if s.settings.unknown {
		return nil, unreachable{reason: errors.New("its kubeconfig is not known yet")}
	}
	loader, err := s.settings.clientConfig()
	if err != nil {
		return nil, unreachable{reason: err}
	}
	if s.redirect != nil {
		if loader, err = s.redirected(loader); err != nil {
			return nil, err
		}
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, unreachable{reason: err}
	}
	// Read now, or client-go watches the files, long after the cluster is gone.
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, unreachable{reason: err}
	}
	namespace, _, err := loader.Namespace()
	if err != nil || namespace == "" {
		namespace = "default"
	}
	config.UserAgent = "pulumi-kubernetes-stand-in/" + Version
	config.QPS, config.Burst = 50, 120 // a stack registers its objects at once; the API server's own limits decide
	config.Timeout = 30 * time.Second  // no request here is a watch
	config.Dial = (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	config.WarningHandlerWithContext = warnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	discover, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	s.cluster = &cluster{
		host: config.Host, namespace: namespace, client: client,
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(discover)),
	}
	return s.cluster, nil
}

// resource finds the API of a kind. The namespace returned is "" for kinds that have none, and the default one where
// the object names none.
func (c *cluster) resource(k kind, namespace string) (dynamic.ResourceInterface, string, error) {
	mapping, err := c.mapper.RESTMapping(k.gvk.GroupKind(), k.gvk.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset() // declared since discovery was read, perhaps
		mapping, err = c.mapper.RESTMapping(k.gvk.GroupKind(), k.gvk.Version)
	}
	if err != nil {
		return nil, "", err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return c.client.Resource(mapping.Resource), "", nil
	}
	if namespace == "" {
		namespace = c.namespace
	}
	return c.client.Resource(mapping.Resource).Namespace(namespace), namespace, nil
}

// retry repeats an operation while its failure is one that passes by itself: a server that starts, a kind that was
// declared a moment ago, a namespace whose furniture is still being made.
func (s *Server) retry(ctx context.Context, c *cluster, operation func() error) error {
	deadline := time.Now().Add(s.options.Patience)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := operation()
		if err == nil || !passing(err) {
			return s.explain(c, err)
		}
		if time.Now().Add(pause).After(deadline) || refused(err) && c.down.Load() {
			c.down.Store(refused(err))
			return s.explain(c, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cancelled while waiting for the API server: %w", err)
		case <-time.After(pause):
		}
	}
}

// explain names the server in a network error and keeps the API server's own words otherwise.
func (s *Server) explain(c *cluster, err error) error {
	if refused(err) {
		return unreachable{host: c.host, reason: rootCause(err)}
	}
	// Somebody else answers at the address: the cluster itself does not.
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return unreachable{host: c.host, reason: fmt.Errorf("another server answers there, or the kubeconfig is of another cluster: %w", certificate)}
	}
	return err
}

// passing tells failures that a later attempt may not meet.
func passing(err error) bool {
	var early notYet
	if refused(err) || errors.As(err, &early) {
		return true
	}
	switch {
	case apierrors.IsServerTimeout(err), apierrors.IsTimeout(err), apierrors.IsTooManyRequests(err),
		apierrors.IsServiceUnavailable(err):
		return true
	case apierrors.IsInternalError(err):
		// A field that the kind does not have is an internal error to server-side apply.
		return !strings.Contains(err.Error(), "typed patch object")
	case apierrors.IsForbidden(err):
		// Admission that waits for a controller: the quota's first count, the namespace's default account.
		return strings.Contains(err.Error(), "status unknown for quota") || strings.Contains(err.Error(), "error looking up service account")
	}
	return false
}

// notYet is the failure of a write whose preconditions may be on their way: the namespace, the kind itself.
type notYet struct{ error }

func (n notYet) Unwrap() error { return n.error }

// refused tells that no API server answered.
func refused(err error) bool {
	var status apierrors.APIStatus
	var down unreachable
	switch {
	case err == nil, errors.As(err, &status):
		return false
	case errors.As(err, &down), errors.Is(err, os.ErrNotExist), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	case utilnet.IsConnectionRefused(err), utilnet.IsConnectionReset(err), utilnet.IsHTTP2ConnectionLost(err), utilnet.IsTimeout(err):
		return true
	}
	var operation *net.OpError
	var number syscall.Errno
	return errors.As(err, &operation) || errors.As(err, &number)
}

func rootCause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

type warningSink struct{}

// warnings hands the API server's warnings (a deprecated version, a pod that Pod Security would refuse) to the
// resource they are about.
type warnings struct{}

func (warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if sink, ok := ctx.Value(warningSink{}).(func(string)); ok && code == 299 && text != "" {
		sink(text)
	}
}

var _ rest.WarningHandlerWithContext = warnings{}
