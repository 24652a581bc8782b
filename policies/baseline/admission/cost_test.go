package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	admissionapi "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// bigPod has a hundred containers that violate everything, and long names.
func bigPod() *corev1.Pod {
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "big", Namespace: "team", CreationTimestamp: metav1.Now()}}
	for i := range 100 {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: fmt.Sprintf("container-%03d-%s", i, strings.Repeat("x", 40)), Image: "foreign.example.org/" + strings.Repeat("long/", 30) + "app:latest",
			Env: []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "k"}}}}})
	}
	for i := range 50 {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprint(i), VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
	}
	return pod
}

// The most that a policy may cost is what the API server allows: beyond it, it would refuse whatever it looks at. A pod
// with a hundred containers, against a list of a hundred registries and three hundred exceptions, costs a third of it at most, all policies on pods and
// their message together.
func TestCost(t *testing.T) {
	settings := Settings{}
	for i := range 100 {
		settings.Registries = append(settings.Registries, fmt.Sprintf("registry-%03d.example.org/team", i))
	}
	rendered, parameters, err := Render(settings, Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	var highest int64
	var entries []string
	for i := range 300 {
		entries = append(entries, fmt.Sprintf("policy-%03d 2099-01-01T00:00:00Z the reason of this one", i))
	}
	parameters.Data["exceptions.team"] = strings.Join(entries, "\n")
	for _, r := range rendered {
		if len(r.Members[0].Templates) == 0 || r.ID == "encrypted-storage" {
			continue // the others are about small objects
		}
		c := compile(t, r.Policy)
		validation, left := c.cost(t, c.validations, bigPod(), parameters)
		// What is left after the validations is the budget of the messages.
		said, rest := c.cost(t, c.messages, bigPod(), parameters)
		if validation.EvalResult.Value() != false {
			t.Errorf("%s lets the pod in", r.ID)
		}
		cost := 2*int64(celconfig.RuntimeCELCostBudget) - left - rest
		highest = max(highest, cost)
		if cost > celconfig.RuntimeCELCostBudget/3 {
			t.Errorf("%s costs %d of %d", r.ID, cost, celconfig.RuntimeCELCostBudget)
		}
		text, _ := said.EvalResult.Value().(string)
		if len(text) > celconfig.MaxEvaluatedMessageExpressionSizeBytes {
			t.Errorf("%s says %d bytes", r.ID, len(text))
		}
		for _, id := range []string{"image-registries", "image-tags", "run-as-non-root", "capabilities", "seccomp", "volume-types", "resources", "secrets-in-env"} {
			if !strings.Contains(text, "(M25/"+id) {
				t.Errorf("%s says nothing of %s:\n%s", r.ID, id, text)
			}
		}
	}
	t.Logf("the dearest costs %d of %d", highest, celconfig.RuntimeCELCostBudget)
}

// cost evaluates the first of some expressions, and gives what is left of the budget.
func (compiled) cost(t *testing.T, of plugin.ConditionEvaluator, pod *corev1.Pod, parameters *corev1.ConfigMap) (plugin.EvaluationResult, int64) {
	t.Helper()
	kind, resource := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	attributes := admission.NewAttributesRecord(pod, nil, kind, pod.Namespace, pod.Name, resource, "", admission.Create, nil, false, nil)
	request := &admissionapi.AdmissionRequest{Namespace: pod.Namespace, Name: pod.Name, Operation: admissionapi.Create, Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace}}
	text, err := json.Marshal(parameters)
	if err != nil {
		t.Fatal(err)
	}
	params := &corev1.ConfigMap{}
	if err := json.Unmarshal(text, params); err != nil {
		t.Fatal(err)
	}
	var object runtime.Object = pod
	results, left, err := of.ForInput(context.Background(), &admission.VersionedAttributes{Attributes: attributes, VersionedObject: object, VersionedKind: kind}, request,
		plugin.OptionalVariableBindings{VersionedParams: params}, namespace, celconfig.RuntimeCELCostBudget)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Error != nil {
		t.Fatal(results[0].Error)
	}
	return results[0], left
}
