package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	admissionapi "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
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
		if strings.HasSuffix(r.ID, narrowedSuffix) {
			// The second object for pods is quiet where the first speaks, or both would warn.
			if validation.EvalResult.Value() != true {
				t.Errorf("%s refuses what the first refuses", r.ID)
			}
			continue
		}
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

// A pod with a hundred containers that violates nothing costs the question the most, as it goes through all of them; the
// second object is the dearest where the namespace narrows the registries to others. They cost half and a third of what is
// allowed at most: beyond it, every such pod would be refused.
func TestCostOfTheQuestion(t *testing.T) {
	settings := Settings{BaselineNamespaces: []string{"relaxed"}}
	for i := range 100 {
		settings.Registries = append(settings.Registries, fmt.Sprintf("registry-%03d.example.org/team", i))
	}
	yes, no := true, false
	amounts := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")}
	pod := bigPod()
	pod.Spec.AutomountServiceAccountToken, pod.Spec.SecurityContext = &no, &corev1.PodSecurityContext{RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		c.Image, c.Env = "registry-099.example.org/team/"+strings.Repeat("long/", 30)+"app@sha256:"+strings.Repeat("0", 64), nil
		c.Resources = corev1.ResourceRequirements{Limits: amounts, Requests: amounts}
		c.SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
		handler := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/"}}
		c.LivenessProbe, c.ReadinessProbe, c.StartupProbe = &corev1.Probe{ProbeHandler: handler}, &corev1.Probe{ProbeHandler: handler}, &corev1.Probe{ProbeHandler: handler}
	}
	for i := range pod.Spec.Volumes {
		pod.Spec.Volumes[i].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	}
	rendered, parameters, err := Render(settings, Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	narrowed := map[string]string{AnnotationRegistries: strings.Repeat("registry-098.example.org/team,", 100)}
	for _, r := range rendered {
		switch {
		case len(r.Policy.Spec.MatchConditions) == 1 && r.Policy.Spec.MatchConditions[0].Name == questionName:
			result, left := compile(t, r.Policy).costIn(t, compile(t, r.Policy).conditions, pod, parameters, nil, celconfig.RuntimeCELCostBudgetMatchConditions)
			cost := celconfig.RuntimeCELCostBudgetMatchConditions - left
			t.Logf("%s asks at %d", r.ID, cost)
			if result.EvalResult.Value() != false {
				t.Errorf("%s suspects the pod", r.ID)
			}
			if cost > celconfig.PerCallLimit/2 {
				t.Errorf("the question of %s costs %d of %d", r.ID, cost, celconfig.PerCallLimit)
			}
		case r.ID == "pods-deny"+narrowedSuffix:
			c := compile(t, r.Policy)
			result, left := c.costIn(t, c.validations, pod, parameters, narrowed, celconfig.RuntimeCELCostBudget)
			said, rest := c.costIn(t, c.messages, pod, parameters, narrowed, celconfig.RuntimeCELCostBudget)
			cost := 2*int64(celconfig.RuntimeCELCostBudget) - left - rest
			t.Logf("%s costs %d", r.ID, cost)
			if text, _ := said.EvalResult.Value().(string); result.EvalResult.Value() != false || !strings.Contains(text, "(M25/image-registries") {
				t.Errorf("%s lets the pod in, or says %q", r.ID, text)
			}
			if cost > celconfig.RuntimeCELCostBudget/3 {
				t.Errorf("%s costs %d of %d", r.ID, cost, celconfig.RuntimeCELCostBudget)
			}
		}
	}
}

// cost evaluates the first of some expressions, and gives what is left of the budget.
func (compiled) cost(t *testing.T, of plugin.ConditionEvaluator, pod *corev1.Pod, parameters *corev1.ConfigMap) (plugin.EvaluationResult, int64) {
	t.Helper()
	return compiled{}.costIn(t, of, pod, parameters, nil, celconfig.RuntimeCELCostBudget)
}

// costIn does so in a namespace with annotations.
func (compiled) costIn(t *testing.T, of plugin.ConditionEvaluator, pod *corev1.Pod, parameters *corev1.ConfigMap, annotations map[string]string, budget int64) (plugin.EvaluationResult, int64) {
	t.Helper()
	kind, resource := schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	attributes := admission.NewAttributesRecord(pod, nil, kind, pod.Namespace, pod.Name, resource, "", admission.Create, nil, false, nil)
	request := &admissionapi.AdmissionRequest{Namespace: pod.Namespace, Name: pod.Name, Operation: admissionapi.Create, Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: pod.Namespace, Annotations: annotations}}
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
		plugin.OptionalVariableBindings{VersionedParams: params}, namespace, budget)
	if err != nil {
		t.Fatal(err)
	}
	if results[0].Error != nil {
		t.Fatal(results[0].Error)
	}
	return results[0], left
}
