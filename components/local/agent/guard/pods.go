package guard

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

// pods are those of the node that are under quarantine.
type pods struct {
	store      cache.Store
	controller cache.Controller
	// changed has something when one came or went.
	changed chan struct{}
}

// watchPods begins to watch. The API server sends those with the label alone.
func watchPods(ctx context.Context, o Options) (*pods, error) {
	config, err := clientcmd.BuildConfigFromFlags("", o.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Kubeconfig, err)
	}
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.UserAgent = "redoubt-agent"
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	parameters := runtime.NewParameterCodec(scheme)
	of := func(options metav1.ListOptions) *rest.Request {
		options.FieldSelector, options.LabelSelector = fields.OneTermEqualSelector("spec.nodeName", o.Node).String(), quarantine.Label
		return client.Get().Resource("pods").VersionedParams(&options, parameters)
	}
	p := &pods{changed: make(chan struct{}, 1)}
	tell := func(any) {
		select {
		case p.changed <- struct{}{}:
		default:
		}
	}
	p.store, p.controller = cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				list := &corev1.PodList{}
				return list, of(options).Do(ctx).Into(list)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				options.Watch = true
				return of(options).Watch(ctx)
			},
		},
		ObjectType: &corev1.Pod{},
		Handler:    cache.ResourceEventHandlerFuncs{AddFunc: tell, UpdateFunc: func(_, now any) { tell(now) }, DeleteFunc: tell},
	})
	go p.controller.RunWithContext(ctx)
	return p, nil
}

// quarantined are their addresses, nil as long as the API server has not told.
func (p *pods) quarantined() []netip.Addr {
	if !p.controller.HasSynced() {
		return nil
	}
	out := []netip.Addr{}
	for _, each := range p.store.List() {
		pod, ok := each.(*corev1.Pod)
		if !ok || pod.Spec.HostNetwork {
			continue // its address is the node's
		}
		for _, ip := range pod.Status.PodIPs {
			if address, err := netip.ParseAddr(ip.IP); err == nil {
				out = append(out, address)
			}
		}
	}
	return out
}
