package approver

import (
	"context"
	"fmt"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const resource = "certificatesigningrequests"

// client speaks to one resource. The generated clients would do the same and
// register every API type of Kubernetes in the memory of a small daemon.
type client struct {
	rest       rest.Interface
	parameters runtime.ParameterCodec
}

// newClient makes a client with the identity in a kubeconfig. Certificate and key
// are read again when they change, since the agent itself renews them.
func newClient(kubeconfig string) (*client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	scheme := runtime.NewScheme()
	if err := certificatesv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config.APIPath = "/apis"
	config.GroupVersion = &certificatesv1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.UserAgent = "redoubt-agent"
	// A group of a hundred machines that joins at once is answered in seconds; each
	// answer takes two requests.
	config.QPS, config.Burst = 25, 50
	restClient, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kubeconfig, err)
	}
	return &client{rest: restClient, parameters: runtime.NewParameterCodec(scheme)}, nil
}

func (c *client) get(ctx context.Context, name string) (*certificatesv1.CertificateSigningRequest, error) {
	csr := &certificatesv1.CertificateSigningRequest{}
	return csr, c.rest.Get().Resource(resource).Name(name).Do(ctx).Into(csr)
}

func (c *client) list(ctx context.Context, options metav1.ListOptions) (*certificatesv1.CertificateSigningRequestList, error) {
	list := &certificatesv1.CertificateSigningRequestList{}
	return list, c.rest.Get().Resource(resource).VersionedParams(&options, c.parameters).Do(ctx).Into(list)
}

func (c *client) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	return c.rest.Get().Resource(resource).VersionedParams(&options, c.parameters).Watch(ctx)
}

// updateApproval writes the conditions; it fails when the request has changed since
// it was read.
func (c *client) updateApproval(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	return c.rest.Put().Resource(resource).Name(csr.Name).SubResource("approval").Body(csr).Do(ctx).Error()
}

// informer watches the requests to one signer.
func (c *client) informer(signer string, add func(name string)) cache.Controller {
	selector := fields.OneTermEqualSelector("spec.signerName", signer).String()
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				options.FieldSelector = selector
				return c.list(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				options.FieldSelector = selector
				return c.watch(ctx, options)
			},
		},
		ObjectType: &certificatesv1.CertificateSigningRequest{},
		Handler:    enqueue(add),
	})
	return informer
}
