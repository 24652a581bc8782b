package provider

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// accessTimeout bounds the wait for a control plane whose services are ready
// to let its administrator in: the agent applies the RBAC objects within
// seconds, a slow disk takes longer.
const accessTimeout = 2 * time.Minute

// restConfig reads the administrator's kubeconfig and the files it names. Each call
// reads them again, because the agent renews the certificate; without that client-go
// would watch the files, long after the environment is gone.
func restConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	config.Timeout = 15 * time.Second
	// The default limit of 5 requests a second would make a rewrite of many
	// secrets slow; the API server's own fairness protects it.
	config.QPS, config.Burst = 200, 400
	return config, nil
}

func coreClient(kubeconfig string) (*corev1.CoreV1Client, error) {
	config, err := restConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	return corev1.NewForConfig(config)
}

// waitForAccess returns when the administrator of the kubeconfig may list
// namespaces.
func waitForAccess(ctx context.Context, kubeconfig string) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, accessTimeout, true, func(ctx context.Context) (bool, error) {
		client, err := coreClient(kubeconfig)
		if err == nil {
			_, err = client.Namespaces().List(ctx, metav1.ListOptions{Limit: 1})
		}
		if err != nil && ctx.Err() == nil {
			last = err // and not the end of the wait itself
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("the API server does not let the administrator in (kubeconfig %s): %w", kubeconfig, last)
	}
	return nil
}
