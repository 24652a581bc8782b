// Package csr speaks to the API server about certificate requests, and about
// nothing else.
package csr

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

// Client speaks to one resource. The generated clients would do the same and
// register every API type of Kubernetes in the memory of a small daemon.
type Client struct {
	rest       rest.Interface
	parameters runtime.ParameterCodec
}

// NewClient makes a client with the identity in a kubeconfig. Certificate and key
// are read again when they change, since they are short-lived.
func NewClient(kubeconfig string) (*Client, error) {
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
	return &Client{rest: restClient, parameters: runtime.NewParameterCodec(scheme)}, nil
}

// Create makes a request; the API server chooses the name's end.
func (c *Client) Create(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	made := &certificatesv1.CertificateSigningRequest{}
	return made, c.rest.Post().Resource(resource).Body(csr).Do(ctx).Into(made)
}

// Get reads one request.
func (c *Client) Get(ctx context.Context, name string) (*certificatesv1.CertificateSigningRequest, error) {
	csr := &certificatesv1.CertificateSigningRequest{}
	return csr, c.rest.Get().Resource(resource).Name(name).Do(ctx).Into(csr)
}

// List reads requests.
func (c *Client) List(ctx context.Context, options metav1.ListOptions) (*certificatesv1.CertificateSigningRequestList, error) {
	list := &certificatesv1.CertificateSigningRequestList{}
	return list, c.rest.Get().Resource(resource).VersionedParams(&options, c.parameters).Do(ctx).Into(list)
}

func (c *Client) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	return c.rest.Get().Resource(resource).VersionedParams(&options, c.parameters).Watch(ctx)
}

// UpdateApproval writes the conditions; it fails when the request has changed since
// it was read. It gives the request as it is then.
func (c *Client) UpdateApproval(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) (*certificatesv1.CertificateSigningRequest, error) {
	made := &certificatesv1.CertificateSigningRequest{}
	return made, c.rest.Put().Resource(resource).Name(csr.Name).SubResource("approval").Body(csr).Do(ctx).Into(made)
}

// UpdateStatus writes the certificate.
func (c *Client) UpdateStatus(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) error {
	return c.rest.Put().Resource(resource).Name(csr.Name).SubResource("status").Body(csr).Do(ctx).Error()
}

// Informer watches the requests to one signer and tells the handler.
func (c *Client) Informer(signer string, handler cache.ResourceEventHandler) cache.Controller {
	selector := fields.OneTermEqualSelector("spec.signerName", signer).String()
	_, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				options.FieldSelector = selector
				return c.List(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				options.FieldSelector = selector
				return c.watch(ctx, options)
			},
		},
		ObjectType: &certificatesv1.CertificateSigningRequest{},
		Handler:    handler,
	})
	return informer
}
