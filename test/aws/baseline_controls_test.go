package aws_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// insideCheck is a control of the CIS benchmark of EKS that is upheld inside the cluster.
type insideCheck struct {
	ids   []string
	wrong func(insideCluster) []string
	// spoil takes the control away from an object, and tells whether it was one that has it.
	spoil func(o *simtest.KubernetesObject) bool
}

const enforce = "pod-security.kubernetes.io/enforce"

// insideCluster are the objects that the baseline has applied.
type insideCluster []simtest.KubernetesObject

func (a insideCluster) find(kind, namespace string) []simtest.KubernetesObject {
	return slices.DeleteFunc(slices.Clone(a), func(o simtest.KubernetesObject) bool { return o.Kind != kind || o.Namespace != namespace })
}

// tenants are the namespaces that the baseline makes.
func (a insideCluster) tenants() []simtest.KubernetesObject { return a.find("Namespace", "") }

var insideChecks = []insideCheck{
	{ids: []string{"CIS-EKS-4.1.5"}, wrong: func(a insideCluster) (wrong []string) {
		namespaces := []string{"default", "kube-system", "kube-public", "kube-node-lease"}
		for _, tenant := range a.tenants() {
			namespaces = append(namespaces, tenant.Name)
		}
		for _, namespace := range namespaces {
			accounts := a.find("ServiceAccountPatch", namespace)
			if !slices.ContainsFunc(accounts, func(o simtest.KubernetesObject) bool {
				return o.Name == "default" && o.Value.Get("automountServiceAccountToken") == false
			}) {
				wrong = append(wrong, "pods of "+namespace+" get a token that they did not ask for")
			}
		}
		return wrong
	}, spoil: set("ServiceAccountPatch", "automountServiceAccountToken", true)},
	// "restricted" forbids privileged containers, the host's processes, IPC and network, and escalation.
	// https://kubernetes.io/docs/concepts/security/pod-security-standards/
	{ids: []string{"CIS-EKS-4.2.1", "CIS-EKS-4.2.2", "CIS-EKS-4.2.3", "CIS-EKS-4.2.4", "CIS-EKS-4.2.5", "M22"}, wrong: func(a insideCluster) (wrong []string) {
		for _, tenant := range a.tenants() {
			if level := tenant.Value.Texts("metadata.labels")[enforce]; level != "restricted" {
				wrong = append(wrong, fmt.Sprintf("%s enforces %q", tenant.Name, level))
			}
		}
		return wrong
	}, spoil: set("Namespace", "metadata", map[string]any{"labels": map[string]any{enforce: "baseline"}})},
	{ids: []string{"CIS-EKS-4.3.2", "M21"}, wrong: func(a insideCluster) (wrong []string) {
		for _, namespace := range append(namesOf(a.tenants()), "kube-system") {
			if !slices.ContainsFunc(a.find("NetworkPolicy", namespace), func(o simtest.KubernetesObject) bool {
				types := o.Value.Strings("spec.policyTypes")
				return len(o.Value.Texts("spec.podSelector.matchLabels")) == 0 && slices.Contains(types, "Ingress") && slices.Contains(types, "Egress") &&
					len(o.Value.List("spec.ingress"))+len(o.Value.List("spec.egress")) == 0
			}) {
				wrong = append(wrong, "nothing denies what nobody named in "+namespace)
			}
		}
		return wrong
	}, spoil: set("NetworkPolicy", "spec", map[string]any{"podSelector": map[string]any{}, "policyTypes": []any{"Ingress"}})},
	{ids: []string{"CIS-EKS-4.5.1", "M23", "M24"}, wrong: func(a insideCluster) (wrong []string) {
		for _, tenant := range a.tenants() {
			if len(a.find("ResourceQuota", tenant.Name)) == 0 || len(a.find("LimitRange", tenant.Name)) == 0 {
				wrong = append(wrong, tenant.Name+" has no bounds")
			}
		}
		if len(a.tenants()) == 0 {
			wrong = append(wrong, "there is no namespace but those of Kubernetes")
		}
		return wrong
	}, spoil: func(o *simtest.KubernetesObject) bool {
		was := o.Kind
		if was == "ResourceQuota" {
			o.Kind = "Nothing"
		}
		return was != o.Kind
	}},
}

// set spoils a property of objects of a kind.
func set(kind, property string, value any) func(*simtest.KubernetesObject) bool {
	return func(o *simtest.KubernetesObject) bool {
		if o.Kind != kind {
			return false
		}
		o.Value = o.Value.Copy()
		o.Value[property] = value
		return true
	}
}

// judge holds what is inside the cluster against the controls, and then without each of them: the check must see it.
func (a insideCluster) judge(t *testing.T) {
	t.Helper()
	for _, check := range insideChecks {
		if wrong := check.wrong(a); len(wrong) > 0 {
			t.Errorf("%v: %v", check.ids, wrong)
		}
		spoiled := 0
		for i := range a {
			other := slices.Clone(a)
			if !check.spoil(&other[i]) || check.without(a, i) {
				continue
			}
			spoiled++
			if len(check.wrong(other)) == 0 {
				t.Errorf("%v: taken away from %s %s/%s, and not seen", check.ids, a[i].Kind, a[i].Namespace, a[i].Name)
			}
		}
		if spoiled == 0 {
			t.Errorf("%v: there is nothing to take away", check.ids)
		}
	}
}

// without tells whether an object has no part in the control: it is upheld without the object.
func (c insideCheck) without(a insideCluster, i int) bool {
	return len(c.wrong(slices.Delete(slices.Clone(a), i, i+1))) == 0 && a[i].Kind != "Namespace"
}
