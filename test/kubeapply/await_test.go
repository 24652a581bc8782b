package kubeapply_test

import (
	"context"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

func deployment(ns string, annotations m) m {
	return m{"metadata": m{"name": "web", "namespace": ns, "annotations": annotations}, "spec": m{
		"replicas": 1.0, "selector": m{"matchLabels": m{"app": "web"}},
		"template": m{"metadata": m{"labels": m{"app": "web"}}, "spec": m{"containers": []any{m{"name": "c", "image": "redoubt.local/hello:1.0"}}}}}}
}

// No node and no scheduler exist here, so the test itself plays the kubelet.
func TestDeploymentWaitsForItsRollout(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	go func() {
		for range 100 {
			time.Sleep(200 * time.Millisecond)
			list, err := server(t).client.Resource(pods).Namespace(ns).List(context.Background(), metav1.ListOptions{})
			if err != nil {
				return
			}
			for _, pod := range list.Items {
				_, _ = server(t).client.Resource(pods).Namespace(ns).Patch(context.Background(), pod.GetName(), types.MergePatchType,
					[]byte(`{"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2020-01-01T00:00:00Z"}]}}`),
					metav1.PatchOptions{}, "status")
			}
		}
	}()
	d := create(t, s, "kubernetes:apps/v1:Deployment", "web", deployment(ns, m{}))
	got := live(t, schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, ns, "web")
	if n, _, _ := nested(got.Object, "status", "availableReplicas"); n != int64(1) {
		t.Errorf("returned with %v replicas available", n)
	}
	if err := d.delete(); err != nil {
		t.Fatal(err)
	}
	list, err := server(t).client.Resource(pods).Namespace(ns).List(context.Background(), metav1.ListOptions{})
	if err != nil || len(list.Items) > 0 {
		t.Errorf("%d pods are left behind: %v", len(list.Items), err)
	}
}

func TestWaitThatTimesOutSaysWhyAndRecordsTheObject(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	o := declare(t, s, "kubernetes:apps/v1:Deployment", "web", deployment(ns, m{"pulumi.com/timeoutSeconds": "2"}))
	err := o.create()
	mustFail(t, err, "Deployment "+ns+"/web", "not ready after 2s", "0 available")
	details := status.Convert(err).Details()
	if len(details) != 1 {
		t.Fatalf("details %v", details)
	}
	failed, ok := details[0].(*pulumirpc.ErrorResourceInitFailed)
	if !ok || failed.GetId() != ns+"/web" || failed.GetProperties() == nil {
		t.Errorf("details %v", details[0])
	}
}

func TestSkipAwaitDoesNotWait(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	create(t, s, "kubernetes:apps/v1:Deployment", "web", deployment(ns, m{"pulumi.com/skipAwait": "true"}))
}

func TestCancelEndsAWait(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	o := declare(t, s, "kubernetes:apps/v1:Deployment", "web", deployment(ns, m{}))
	time.AfterFunc(500*time.Millisecond, func() { _, _ = s.Cancel(context.Background(), &emptypb.Empty{}) })
	started := time.Now()
	mustFail(t, o.create(), "cancelled")
	if time.Since(started) > 5*time.Second {
		t.Error("cancel was not heard")
	}
}

func TestClaimThatWaitsForItsConsumerIsReady(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	create(t, s, "kubernetes:storage.k8s.io/v1:StorageClass", "late", m{"metadata": m{"name": "late"},
		"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"})
	create(t, s, "kubernetes:core/v1:PersistentVolumeClaim", "c", m{"metadata": m{"name": "c", "namespace": ns},
		"spec": m{"storageClassName": "late", "accessModes": []any{"ReadWriteOnce"}, "resources": m{"requests": m{"storage": "1Gi"}}}})
}
