package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/policies/baseline/quarantine"
)

// Notice says why something is isolated.
type Notice struct {
	// Reason is a sentence; it is shown to whoever is refused something.
	Reason string
	// Now is the time that is written.
	Now time.Time
}

// minimumReason is the shortest reason that says something.
const minimumReason = 10

// passes is how often pods are looked for: what was being made when the label was
// written may come after the first.
const passes = 2

// Impose isolates a target and all pods in it, and gives what was labelled, the
// target first. What is isolated already stays as it is, so that it can be run
// again. A node is taken out of service, and nothing is driven from it.
func Impose(ctx context.Context, client kubernetes.Interface, t Target, n Notice) ([]Target, error) {
	if len(strings.TrimSpace(n.Reason)) < minimumReason {
		return nil, fmt.Errorf("reason %q: say in a sentence why it is isolated; it is shown to whoever is refused something", n.Reason)
	}
	by, err := whoami(ctx, client)
	if err != nil {
		return nil, err
	}
	notes := map[string]any{quarantine.AnnotationReason: n.Reason, quarantine.AnnotationBy: by,
		quarantine.AnnotationSince: n.Now.UTC().Format(time.RFC3339), quarantine.AnnotationOf: t.String()}
	var done []Target
	changed, err := imposeOne(ctx, client, t, notes)
	if err != nil {
		return nil, fmt.Errorf("isolating %s: %w", t, err)
	}
	if changed {
		done = append(done, t)
	}
	for range passes {
		pods, err := podsOf(ctx, client, t)
		if err != nil {
			return done, err
		}
		var faults []error
		for _, pod := range pods {
			changed, err := imposeOne(ctx, client, pod, notes)
			switch {
			case apierrors.IsNotFound(err): // it ended meanwhile
			case err != nil:
				faults = append(faults, fmt.Errorf("isolating %s: %w", pod, err))
			case changed:
				done = append(done, pod)
			}
		}
		if len(faults) > 0 {
			return done, errors.Join(faults...)
		}
	}
	return done, nil
}

// Release lifts the isolation of a target, and that of the pods that were isolated
// because of it. What was isolated for a reason of its own stays.
func Release(ctx context.Context, client kubernetes.Interface, t Target) ([]Target, error) {
	pods, err := podsOf(ctx, client, t)
	if err != nil {
		return nil, err
	}
	// The pods first: whoever is interrupted finds the target isolated, and runs it again.
	var done []Target
	for _, each := range append(pods, t) {
		changed, err := releaseOne(ctx, client, each, t)
		switch {
		case apierrors.IsNotFound(err) && each != t:
		case err != nil:
			return done, fmt.Errorf("releasing %s: %w", each, err)
		case changed:
			done = append(done, each)
		}
	}
	return done, nil
}

// whoami is the name that the API server knows the caller by.
func whoami(ctx context.Context, client kubernetes.Interface) (string, error) {
	self, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking who is asking: %w", err)
	}
	return self.Status.UserInfo.Username, nil
}

// podsOf are the pods in a namespace or on a node, but for those of the node
// itself, which no API server can change: mirrors of static pods.
func podsOf(ctx context.Context, client kubernetes.Interface, t Target) ([]Target, error) {
	namespace, options := t.Name, metav1.ListOptions{}
	switch t.Kind {
	case Pod:
		return nil, nil
	case Node:
		namespace, options.FieldSelector = "", "spec.nodeName="+t.Name
	}
	list, err := client.CoreV1().Pods(namespace).List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("listing the pods of %s: %w", t, err)
	}
	var out []Target
	for _, pod := range list.Items {
		if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; !mirror {
			out = append(out, Target{Pod, pod.Namespace, pod.Name})
		}
	}
	return out, nil
}

// object is what a label is written to.
type object struct {
	metav1.ObjectMeta
	spec corev1.NodeSpec
}

func get(ctx context.Context, client kubernetes.Interface, t Target) (object, error) {
	core := client.CoreV1()
	switch t.Kind {
	case Pod:
		o, err := core.Pods(t.Namespace).Get(ctx, t.Name, metav1.GetOptions{})
		return object{ObjectMeta: o.ObjectMeta}, err
	case Namespace:
		o, err := core.Namespaces().Get(ctx, t.Name, metav1.GetOptions{})
		return object{ObjectMeta: o.ObjectMeta}, err
	}
	o, err := core.Nodes().Get(ctx, t.Name, metav1.GetOptions{})
	return object{o.ObjectMeta, o.Spec}, err
}

// patch writes metadata, and the whole specification of a node's scheduling. The
// version is that which was read: nobody's change in between is lost.
func patch(ctx context.Context, client kubernetes.Interface, t Target, o object, labels, annotations, spec map[string]any) error {
	body := map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations, "resourceVersion": o.ResourceVersion}}
	if spec != nil {
		body["spec"] = spec
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	core, options := client.CoreV1(), metav1.PatchOptions{FieldManager: "redoubt-quarantine"}
	switch t.Kind {
	case Pod:
		_, err = core.Pods(t.Namespace).Patch(ctx, t.Name, types.MergePatchType, text, options)
	case Namespace:
		_, err = core.Namespaces().Patch(ctx, t.Name, types.MergePatchType, text, options)
	default:
		_, err = core.Nodes().Patch(ctx, t.Name, types.MergePatchType, text, options)
	}
	return err
}

// attempts bounds how often a write that somebody else came before is tried again.
const attempts = 5

func imposeOne(ctx context.Context, client kubernetes.Interface, t Target, notes map[string]any) (changed bool, err error) {
	for range attempts {
		o, err := get(ctx, client, t)
		if err != nil {
			return false, err
		}
		if _, there := o.Labels[quarantine.Label]; there {
			return false, nil
		}
		annotations, spec := map[string]any{}, map[string]any(nil)
		for key, value := range notes {
			annotations[key] = value
		}
		if t.Kind == Node {
			// Who released it must know whether it was in service.
			annotations[quarantine.AnnotationCordoned] = fmt.Sprint(o.spec.Unschedulable)
			taints := slices.DeleteFunc(slices.Clone(o.spec.Taints), isOurs)
			spec = map[string]any{"unschedulable": true, "taints": append(taints, corev1.Taint{Key: quarantine.Taint, Effect: corev1.TaintEffectNoSchedule})}
		}
		if err = patch(ctx, client, t, o, map[string]any{quarantine.Label: "true"}, annotations, spec); !apierrors.IsConflict(err) {
			return err == nil, err
		}
	}
	return false, fmt.Errorf("others changed it %d times meanwhile: try again", attempts)
}

func releaseOne(ctx context.Context, client kubernetes.Interface, t, of Target) (changed bool, err error) {
	for range attempts {
		o, err := get(ctx, client, t)
		if err != nil {
			return false, err
		}
		because := o.Annotations[quarantine.AnnotationOf]
		if _, there := o.Labels[quarantine.Label]; !there || t != of && because != of.String() {
			return false, nil
		}
		annotations := map[string]any{}
		for _, key := range []string{quarantine.AnnotationReason, quarantine.AnnotationBy, quarantine.AnnotationSince, quarantine.AnnotationOf, quarantine.AnnotationCordoned} {
			annotations[key] = nil
		}
		var spec map[string]any
		if t.Kind == Node {
			spec = map[string]any{"taints": slices.DeleteFunc(slices.Clone(o.spec.Taints), isOurs)}
			if o.Annotations[quarantine.AnnotationCordoned] == "false" {
				spec["unschedulable"] = nil
			}
		}
		if err = patch(ctx, client, t, o, map[string]any{quarantine.Label: nil}, annotations, spec); !apierrors.IsConflict(err) {
			return err == nil, err
		}
	}
	return false, fmt.Errorf("others changed it %d times meanwhile: try again", attempts)
}

func isOurs(taint corev1.Taint) bool { return taint.Key == quarantine.Taint }
