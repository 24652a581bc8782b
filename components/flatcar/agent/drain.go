package agent

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
)

// drain moves the pods off a node whose instance is about to end: no new ones, the
// others are evicted, which honours disruption budgets, and once none is left the
// group may terminate the instance. The group's own bound ends the waiting when a
// budget never allows it.
//
// Nobody ends the pods of a node whose kubelet is silent: once all of them are told
// to end and their time for it is over, the instance need not wait. They are not
// deleted here. Their names become free when the instance has ended and its Node is
// removed, so that no two pods of a StatefulSet ever have one name:
// https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/
func (a *Agent) drain(ctx context.Context, core *coreclient.CoreV1Client, node *corev1.Node, instance cloud.Instance) error {
	if !node.Spec.Unschedulable {
		if err := patch(ctx, core, node, map[string]any{"spec": map[string]any{"unschedulable": true}}); err != nil {
			return err
		}
		a.log.Info("draining: the instance is about to end", "node", node.Name, "instance", instance.ID)
	}
	pods, err := core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node.Name).String()})
	if err != nil {
		return err
	}
	left := 0
	var faults []error
	for i := range pods.Items {
		pod := &pods.Items[i]
		if stays(pod) {
			continue
		}
		if pod.DeletionTimestamp != nil { // on its way
			if ready(node) || a.now().Before(pod.DeletionTimestamp.Time) {
				left++
			}
			continue
		}
		left++
		// Without retries of the client: it would wait for a budget as long as that
		// takes, and all other nodes with it.
		err := core.RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("eviction").MaxRetries(0).Body(&policyv1.Eviction{
			ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
			DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
		}).Do(ctx).Error()
		// A budget that does not allow it now may allow it at the next pass.
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsTooManyRequests(err) && !apierrors.IsConflict(err) {
			faults = append(faults, fmt.Errorf("evicting %s/%s: %w", pod.Namespace, pod.Name, err))
		}
	}
	if left > 0 || len(faults) > 0 {
		return errors.Join(faults...)
	}
	if err := a.cloud.Release(ctx, instance); err != nil {
		return err
	}
	a.log.Info("drained", "node", node.Name, "instance", instance.ID)
	return nil
}

// stays tells whether a pod ends with its node: the kubelet's own, those of a
// DaemonSet, which tolerate every node and would come back at once, and finished ones.
func stays(pod *corev1.Pod) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return true
	}
	if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "DaemonSet" {
		return true
	}
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}
