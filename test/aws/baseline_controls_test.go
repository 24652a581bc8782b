package aws_test

import (
	"fmt"
	"slices"
	"testing"
)

// insideCheck is a control of the CIS benchmark of EKS that is upheld inside the cluster.
type insideCheck struct {
	ids   []string
	wrong func(api *apiServer) []string
	// spoil takes the control away from an object, and tells whether it was one that has it.
	spoil func(o *object) bool
}

const enforce = "pod-security.kubernetes.io/enforce"

// tenants are the namespaces that the baseline makes.
func (a *apiServer) tenants() []object { return a.find("Namespace", "") }

var insideChecks = []insideCheck{
	{ids: []string{"CIS-EKS-4.1.5"}, wrong: func(a *apiServer) (wrong []string) {
		namespaces := []string{"default", "kube-system", "kube-public", "kube-node-lease"}
		for _, tenant := range a.tenants() {
			namespaces = append(namespaces, tenant.name)
		}
		for _, namespace := range namespaces {
			accounts := a.find("ServiceAccountPatch", namespace)
			if !slices.ContainsFunc(accounts, func(o object) bool {
				return o.name == "default" && o.value.Get("automountServiceAccountToken") == false
			}) {
				wrong = append(wrong, "pods of "+namespace+" get a token that they did not ask for")
			}
		}
		return wrong
	}, spoil: set("ServiceAccountPatch", "automountServiceAccountToken", true)},
	// "restricted" forbids privileged containers, the host's processes, IPC and network, and escalation.
	// https://kubernetes.io/docs/concepts/security/pod-security-standards/
	{ids: []string{"CIS-EKS-4.2.1", "CIS-EKS-4.2.2", "CIS-EKS-4.2.3", "CIS-EKS-4.2.4", "CIS-EKS-4.2.5", "M22"}, wrong: func(a *apiServer) (wrong []string) {
		for _, tenant := range a.tenants() {
			if level := tenant.value.Texts("metadata.labels")[enforce]; level != "restricted" {
				wrong = append(wrong, fmt.Sprintf("%s enforces %q", tenant.name, level))
			}
		}
		return wrong
	}, spoil: set("Namespace", "metadata", map[string]any{"labels": map[string]any{enforce: "baseline"}})},
	{ids: []string{"CIS-EKS-4.3.2", "M21"}, wrong: func(a *apiServer) (wrong []string) {
		for _, namespace := range append(namesOf(a.tenants()), "kube-system") {
			if !slices.ContainsFunc(a.find("NetworkPolicy", namespace), func(o object) bool {
				types := o.value.Strings("spec.policyTypes")
				return len(o.value.Texts("spec.podSelector.matchLabels")) == 0 && slices.Contains(types, "Ingress") && slices.Contains(types, "Egress") &&
					len(o.value.List("spec.ingress"))+len(o.value.List("spec.egress")) == 0
			}) {
				wrong = append(wrong, "nothing denies what nobody named in "+namespace)
			}
		}
		return wrong
	}, spoil: set("NetworkPolicy", "spec", map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress"}})},
	{ids: []string{"CIS-EKS-4.5.1", "M23", "M24"}, wrong: func(a *apiServer) (wrong []string) {
		for _, tenant := range a.tenants() {
			if len(a.find("ResourceQuota", tenant.name)) == 0 || len(a.find("LimitRange", tenant.name)) == 0 {
				wrong = append(wrong, tenant.name+" has no bounds")
			}
		}
		if len(a.tenants()) == 0 {
			wrong = append(wrong, "there is no namespace but those of Kubernetes")
		}
		return wrong
	}, spoil: func(o *object) bool {
		was := o.kind
		if was == "ResourceQuota" {
			o.kind = "Nothing"
		}
		return was != o.kind
	}},
}

// set spoils a property of objects of a kind.
func set(kind, property string, value any) func(*object) bool {
	return func(o *object) bool {
		if o.kind != kind {
			return false
		}
		o.value = o.value.Copy()
		o.value[property] = value
		return true
	}
}

// judge holds what is inside the cluster against the controls, and then without each of them: the check must see it.
func (a *apiServer) judge(t *testing.T) {
	t.Helper()
	for _, check := range insideChecks {
		if wrong := check.wrong(a); len(wrong) > 0 {
			t.Errorf("%v: %v", check.ids, wrong)
		}
		spoiled := 0
		for i := range a.objects {
			other := &apiServer{objects: slices.Clone(a.objects)}
			if !check.spoil(&other.objects[i]) || check.without(a, i) {
				continue
			}
			spoiled++
			if len(check.wrong(other)) == 0 {
				t.Errorf("%v: taken away from %s %s/%s, and not seen", check.ids, a.objects[i].kind, a.objects[i].namespace, a.objects[i].name)
			}
		}
		if spoiled == 0 {
			t.Errorf("%v: there is nothing to take away", check.ids)
		}
	}
}

// without tells whether an object has no part in the control: it is upheld without the object.
func (c insideCheck) without(a *apiServer, i int) bool {
	return len(c.wrong(&apiServer{objects: slices.Delete(slices.Clone(a.objects), i, i+1)})) == 0 && a.objects[i].kind != "Namespace"
}
