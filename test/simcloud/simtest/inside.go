package simtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Inside are the ids of controls that are upheld inside a cluster.
type Inside struct {
	// Accounts: no pod gets a token that it did not ask for. Pods: nothing runs that is not restricted. Policies: what
	// nobody named is denied. Bounds: tenants have namespaces with quotas and limits.
	Accounts, Pods, Policies, Bounds []string
	// Denied are namespaces beside those of tenants that deny what nobody named.
	Denied []string
}

// insideCheck is one of them.
type insideCheck struct {
	ids   []string
	wrong func(objects applied) []string
	// spoil takes the control away from an object, and tells whether it was one that has it.
	spoil func(o *KubernetesObject) bool
}

const enforce = "pod-security.kubernetes.io/enforce"

// applied are the objects in a cluster.
type applied []KubernetesObject

// find gives the objects of a kind in a namespace.
func (a applied) find(kind, namespace string) []KubernetesObject {
	return slices.DeleteFunc(slices.Clone(a), func(o KubernetesObject) bool { return o.Kind != kind || o.Namespace != namespace })
}

// namespaces are those that the baseline makes.
func (a applied) namespaces() []KubernetesObject { return a.find("Namespace", "") }

// tenants are those of them that are no part of the system.
func (a applied) tenants() []KubernetesObject {
	return slices.DeleteFunc(a.namespaces(), func(o KubernetesObject) bool { return o.Value.Texts("metadata.labels")[admission.LabelSystem] != "" })
}

func (c Inside) checks() []insideCheck {
	return []insideCheck{
		{ids: c.Accounts, wrong: func(a applied) (wrong []string) {
			namespaces := []string{"default", "kube-system", "kube-public", "kube-node-lease"}
			for _, made := range a.namespaces() {
				namespaces = append(namespaces, made.Name)
			}
			for _, namespace := range namespaces {
				accounts := a.find("ServiceAccountPatch", namespace)
				if !slices.ContainsFunc(accounts, func(o KubernetesObject) bool {
					return o.Name == "default" && o.Value.Get("automountServiceAccountToken") == false
				}) {
					wrong = append(wrong, "pods of "+namespace+" get a token that they did not ask for")
				}
			}
			return wrong
		}, spoil: set("ServiceAccountPatch", "automountServiceAccountToken", true)},
		// "restricted" forbids privileged containers, the host's processes, IPC and network, and escalation.
		// https://kubernetes.io/docs/concepts/security/pod-security-standards/
		{ids: c.Pods, wrong: func(a applied) (wrong []string) {
			for _, tenant := range a.tenants() {
				if level := tenant.Value.Texts("metadata.labels")[enforce]; level != "restricted" {
					wrong = append(wrong, fmt.Sprintf("%s enforces %q", tenant.Name, level))
				}
			}
			return wrong
		}, spoil: set("Namespace", "metadata", map[string]any{"labels": map[string]any{enforce: "baseline"}})},
		{ids: c.Policies, wrong: func(a applied) (wrong []string) {
			namespaces := slices.Clone(c.Denied)
			for _, made := range a.namespaces() {
				namespaces = append(namespaces, made.Name)
			}
			for _, namespace := range namespaces {
				if !slices.ContainsFunc(a.find("NetworkPolicy", namespace), func(o KubernetesObject) bool {
					types := o.Value.Strings("spec.policyTypes")
					return len(o.Value.Texts("spec.podSelector.matchLabels")) == 0 && slices.Contains(types, "Ingress") && slices.Contains(types, "Egress") &&
						len(o.Value.List("spec.ingress"))+len(o.Value.List("spec.egress")) == 0
				}) {
					wrong = append(wrong, "nothing denies what nobody named in "+namespace)
				}
			}
			return wrong
		}, spoil: set("NetworkPolicy", "spec", map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress"}})},
		{ids: c.Bounds, wrong: func(a applied) (wrong []string) {
			for _, tenant := range a.tenants() {
				bounds := slices.DeleteFunc(a.find("ResourceQuota", tenant.Name), func(o KubernetesObject) bool { return o.Value.Has("spec.scopeSelector") }) // those of some pods only
				if len(bounds) == 0 || len(a.find("LimitRange", tenant.Name)) == 0 {
					wrong = append(wrong, tenant.Name+" has no bounds")
				}
			}
			if len(a.tenants()) == 0 {
				wrong = append(wrong, "there is no namespace but those of Kubernetes")
			}
			return wrong
		}, spoil: func(o *KubernetesObject) bool {
			was := o.Kind
			if was == "ResourceQuota" {
				o.Kind = "Nothing"
			}
			return was != o.Kind
		}},
	}
}

// set spoils a property of objects of a kind.
func set(kind, property string, value any) func(*KubernetesObject) bool {
	return func(o *KubernetesObject) bool {
		if o.Kind != kind {
			return false
		}
		o.Value = o.Value.Copy()
		o.Value[property] = value
		return true
	}
}

// Judge holds what is inside a cluster against the controls, and then without each of them: the check must see it.
func (c Inside) Judge(t testing.TB, objects []KubernetesObject) {
	t.Helper()
	for _, check := range c.checks() {
		if wrong := check.wrong(objects); len(wrong) > 0 {
			t.Errorf("%v: %v", check.ids, wrong)
		}
		spoiled := 0
		for i := range objects {
			other := applied(slices.Clone(objects))
			if !check.spoil(&other[i]) || check.without(objects, i) {
				continue
			}
			spoiled++
			if len(check.wrong(other)) == 0 {
				t.Errorf("%v: taken away from %s %s/%s, and not seen", check.ids, objects[i].Kind, objects[i].Namespace, objects[i].Name)
			}
		}
		if spoiled == 0 {
			t.Errorf("%v: there is nothing to take away", check.ids)
		}
	}
}

// without tells whether an object has no part in the control: it is upheld without the object.
func (c insideCheck) without(objects applied, i int) bool {
	return len(c.wrong(slices.Delete(slices.Clone(objects), i, i+1))) == 0 && objects[i].Kind != "Namespace"
}
