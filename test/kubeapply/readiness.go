package kubeapply

import (
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// readiness judges, by group and kind, whether an object does what it was made for. Kinds that are not listed are ready
// when they are written.
var readiness = map[string]func(object map[string]any, at look) progress{
	"/Namespace":             namespaceReady,
	"/PersistentVolumeClaim": claimReady,
	"/Pod":                   podReady,
	"/ResourceQuota":         quotaReady,
	"apps/DaemonSet":         daemonSetReady,
	"apps/Deployment":        deploymentReady,
	"apps/StatefulSet":       statefulSetReady,
	"batch/Job":              jobReady,
	"apiextensions.k8s.io/CustomResourceDefinition": definitionReady,
}

// namespaceReady waits for the default service account too: without it every pod is refused, and a patch of it would
// meet the controller that makes it.
func namespaceReady(object map[string]any, at look) progress {
	phase, _, _ := unstructured.NestedString(object, "status", "phase")
	if phase == "Terminating" {
		return failed("is being deleted: wait until it is gone, then run the same command again")
	}
	if phase != "Active" {
		return waiting("phase %q, not Active", phase)
	}
	name, _, _ := unstructured.NestedString(object, "metadata", "name")
	if _, err := at("v1", "ServiceAccount", name, "default"); err != nil {
		return waiting("its default ServiceAccount does not exist yet; kube-controller-manager makes it")
	}
	return ready
}

func quotaReady(object map[string]any, _ look) progress {
	wanted, _, _ := unstructured.NestedMap(object, "spec", "hard")
	counted, _, _ := unstructured.NestedMap(object, "status", "hard")
	if len(wanted) > 0 && !reflect.DeepEqual(wanted, counted) {
		return waiting("the quota controller has not counted it yet; until then the quota refuses every object")
	}
	return ready
}

func claimReady(object map[string]any, at look) progress {
	phase, _, _ := unstructured.NestedString(object, "status", "phase")
	switch phase {
	case "Bound":
		return ready
	case "Lost":
		return failed("lost its volume")
	}
	if class, _, _ := unstructured.NestedString(object, "spec", "storageClassName"); class != "" {
		if storage, err := at("storage.k8s.io/v1", "StorageClass", "", class); err == nil && storage["volumeBindingMode"] == "WaitForFirstConsumer" {
			return ready
		}
	}
	return waiting("phase %q, not Bound", phase)
}

func podReady(object map[string]any, _ look) progress {
	phase, _, _ := unstructured.NestedString(object, "status", "phase")
	switch phase {
	case "Succeeded":
		return ready
	case "Failed":
		reason, _, _ := unstructured.NestedString(object, "status", "message")
		return failed("failed%s", because(reason, containerTrouble(object)))
	}
	if conditionOf(object, "Ready").status == "True" {
		return ready
	}
	return waiting("%s%s", orPending(phase), because(conditionOf(object, "PodScheduled").message, containerTrouble(object)))
}

// containerTrouble says why containers do not run: the image, the configuration, an exit.
func containerTrouble(object map[string]any) string {
	var out []string
	for _, list := range []string{"initContainerStatuses", "containerStatuses"} {
		statuses, _, _ := unstructured.NestedSlice(object, "status", list)
		for _, item := range statuses {
			container, _ := item.(map[string]any)
			name, _ := container["name"].(string)
			for _, state := range []string{"waiting", "terminated"} {
				reason, _, _ := unstructured.NestedString(container, "state", state, "reason")
				message, _, _ := unstructured.NestedString(container, "state", state, "message")
				if reason != "" && reason != "ContainerCreating" && reason != "PodInitializing" && reason != "Completed" {
					out = append(out, strings.TrimSpace("container "+name+": "+reason+" "+message))
				}
			}
		}
	}
	return strings.Join(out, "; ")
}

func deploymentReady(object map[string]any, _ look) progress {
	if !observed(object) {
		return waiting("the deployment controller has not seen it yet")
	}
	if c := conditionOf(object, "Progressing"); c.reason == "ProgressDeadlineExceeded" {
		return failed("%s%s", c.message, because(conditionOf(object, "ReplicaFailure").message))
	}
	wanted := count(object, 1, "spec", "replicas")
	updated, available, all := count(object, 0, "status", "updatedReplicas"), count(object, 0, "status", "availableReplicas"), count(object, 0, "status", "replicas")
	if updated >= wanted && available >= wanted && all == updated {
		return ready
	}
	return waiting("%d of %d replicas updated, %d available%s", updated, wanted, available, because(conditionOf(object, "ReplicaFailure").message))
}

func statefulSetReady(object map[string]any, _ look) progress {
	if !observed(object) {
		return waiting("the stateful set controller has not seen it yet")
	}
	wanted, running := count(object, 1, "spec", "replicas"), count(object, 0, "status", "readyReplicas")
	strategy, _, _ := unstructured.NestedString(object, "spec", "updateStrategy", "type")
	current, _, _ := unstructured.NestedString(object, "status", "currentRevision")
	update, _, _ := unstructured.NestedString(object, "status", "updateRevision")
	partition := count(object, 0, "spec", "updateStrategy", "rollingUpdate", "partition")
	if running >= wanted && (strategy == "OnDelete" || partition > 0 || current == update) {
		return ready
	}
	return waiting("%d of %d replicas ready, revision %s of %s", running, wanted, current, update)
}

func daemonSetReady(object map[string]any, _ look) progress {
	if !observed(object) {
		return waiting("the daemon set controller has not seen it yet")
	}
	wanted := count(object, 0, "status", "desiredNumberScheduled")
	updated, available := count(object, 0, "status", "updatedNumberScheduled"), count(object, 0, "status", "numberAvailable")
	strategy, _, _ := unstructured.NestedString(object, "spec", "updateStrategy", "type")
	if available >= wanted && (strategy == "OnDelete" || updated >= wanted) {
		return ready
	}
	return waiting("%d of %d nodes updated, %d available", updated, wanted, available)
}

func jobReady(object map[string]any, _ look) progress {
	if c := conditionOf(object, "Failed"); c.status == "True" {
		return failed("failed%s", because(c.message))
	}
	suspended, _, _ := unstructured.NestedBool(object, "spec", "suspend")
	if suspended || conditionOf(object, "Complete").status == "True" {
		return ready
	}
	return waiting("%d of %d pods succeeded", count(object, 0, "status", "succeeded"), count(object, 1, "spec", "completions"))
}

func definitionReady(object map[string]any, _ look) progress {
	if c := conditionOf(object, "NamesAccepted"); c.status == "False" {
		return failed("its names are taken%s", because(c.message))
	}
	if conditionOf(object, "Established").status == "True" {
		return ready
	}
	return waiting("not established yet")
}

// observed tells that the controller has judged the present generation.
func observed(object map[string]any) bool {
	return count(object, -1, "status", "observedGeneration") >= count(object, 0, "metadata", "generation")
}

func count(object map[string]any, otherwise int64, path ...string) int64 {
	v, ok, _ := unstructured.NestedFieldNoCopy(object, path...)
	if !ok {
		return otherwise
	}
	n, ok := number(v)
	if !ok {
		return otherwise
	}
	return int64(n)
}

func because(reasons ...string) string {
	var out []string
	for _, r := range reasons {
		if r != "" {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return ": " + strings.Join(out, "; ")
}

func orPending(phase string) string {
	if phase == "" {
		return "Pending"
	}
	return phase
}
