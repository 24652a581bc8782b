package kubeapply_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestNamespaceIsReadyWithItsAccountAndGoneWhenDeleted(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := create(t, s, "kubernetes:core/v1:Namespace", "lifecycle", m{"metadata": m{"name": "lifecycle",
		"labels": m{"pod-security.kubernetes.io/enforce": "restricted"}}})
	if ns.id != "lifecycle" {
		t.Errorf("id %q", ns.id)
	}
	live(t, accounts, "lifecycle", "default")
	if got := live(t, namespaces, "", "lifecycle").GetManagedFields()[0].Manager; !strings.HasPrefix(got, "pulumi-kubernetes-") {
		t.Errorf("field manager %q", got)
	}
	if err := ns.delete(); err != nil {
		t.Fatal(err)
	}
	_, err := server(t).client.Resource(namespaces).Get(context.Background(), "lifecycle", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("after delete: %v", err)
	}
	if err := ns.delete(); err != nil {
		t.Errorf("a second delete: %v", err)
	}
	if r := ns.read(); r.GetId() != "" {
		t.Errorf("reads as %q although it is gone", r.GetId())
	}
}

func TestQuotaIsCountedWhenReadyAndQuantitiesAreNoDrift(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	inputs := m{"metadata": m{"name": "quota", "namespace": ns}, "spec": m{"hard": m{"requests.cpu": "1000m", "pods": "2"}}}
	quota := create(t, s, "kubernetes:core/v1:ResourceQuota", "quota", inputs)
	if quota.id != ns+"/quota" {
		t.Errorf("id %q", quota.id)
	}
	if hard, ok, _ := unstructured.NestedMap(live(t, quotas, ns, "quota").Object, "status", "hard"); !ok {
		t.Errorf("created before the quota was counted: %v", hard)
	}
	read := quota.read()
	if before, after := decode(t, quota.state), decode(t, read.GetProperties()); !before.DeepEquals(after) {
		t.Errorf("a refresh without drift changed the state:\n%v\n%v", before, after)
	}
	quota.state, quota.inputs = read.GetProperties(), read.GetInputs()
	if d := quota.diff(inputs); d.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("1000m for 1 shows as a change: %v", d.GetDetailedDiff())
	}
	meddle(t, quotas, ns, "quota", `{"spec":{"hard":{"pods":"200"}}}`)
	read = quota.read()
	quota.state, quota.inputs = read.GetProperties(), read.GetInputs()
	d := quota.diff(inputs)
	if _, ok := d.GetDetailedDiff()["spec.hard.pods"]; !ok || len(d.GetDetailedDiff()) != 1 {
		t.Errorf("drift: %v", d.GetDetailedDiff())
	}
	mustFail(t, quota.update(inputs), "somebody", "patchForce") // the field is somebody's by now: not taken by surprise
	inputs["metadata"].(m)["annotations"] = m{"pulumi.com/patchForce": "true"}
	if err := quota.update(inputs); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructured.NestedString(live(t, quotas, ns, "quota").Object, "spec", "hard", "pods"); got != "2" {
		t.Errorf("after repair: pods %s", got)
	}
}

func TestRemovedFieldLeavesTheObjectAndForeignOnesStay(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	inputs := m{"metadata": m{"name": "x", "namespace": ns, "labels": m{"a": "1", "b": "2"}}}
	account := create(t, s, "kubernetes:core/v1:ServiceAccount", "x", inputs)
	meddle(t, accounts, ns, "x", `{"metadata":{"labels":{"theirs":"yes"}}}`)
	inputs = m{"metadata": m{"name": "x", "namespace": ns, "labels": m{"a": "1"}}}
	if d := account.diff(inputs); len(d.GetReplaces()) != 0 || d.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME {
		t.Errorf("%v", d)
	}
	if err := account.update(inputs); err != nil {
		t.Fatal(err)
	}
	labels := live(t, accounts, ns, "x").GetLabels()
	if len(labels) != 2 || labels["theirs"] != "yes" || labels["a"] != "1" {
		t.Errorf("labels %v", labels)
	}
	// A refresh must not take their label for ours.
	read := account.read()
	account.inputs, account.state = read.GetInputs(), read.GetProperties()
	if d := account.diff(inputs); d.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("a foreign label shows as our drift: %v", d.GetDetailedDiff())
	}
}

func TestDriftInAListIsSeenAndRepaired(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	inputs := m{"metadata": m{"name": "deny", "namespace": ns},
		"spec": m{"podSelector": m{}, "policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{}}}
	policy := create(t, s, "kubernetes:networking.k8s.io/v1:NetworkPolicy", "deny", inputs)
	meddle(t, policies, ns, "deny", `{"spec":{"ingress":[{}]}}`)
	read := policy.read()
	policy.inputs, policy.state = read.GetInputs(), read.GetProperties()
	if d := policy.diff(inputs); d.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME {
		t.Fatal("an opened policy is not seen")
	}
	inputs["metadata"].(m)["annotations"] = m{"pulumi.com/patchForce": "true"}
	if err := policy.update(inputs); err != nil {
		t.Fatal(err)
	}
	if rules, ok, _ := unstructured.NestedSlice(live(t, policies, ns, "deny").Object, "spec", "ingress"); ok && len(rules) > 0 {
		t.Errorf("after repair: %v", rules)
	}
}

func TestPatchTakesItsFieldsAndGivesThemBack(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	patch := create(t, s, "kubernetes:core/v1:ServiceAccountPatch", "default", m{"apiVersion": "v1", "kind": "ServiceAccount",
		"metadata": m{"name": "default", "namespace": ns}, "automountServiceAccountToken": false})
	before := live(t, accounts, ns, "default")
	if got, ok, _ := unstructured.NestedBool(before.Object, "automountServiceAccountToken"); !ok || got {
		t.Errorf("automount %v %v", got, ok)
	}
	meddle(t, accounts, ns, "default", `{"metadata":{"labels":{"theirs":"yes"}}}`)
	if err := patch.delete(); err != nil {
		t.Fatal(err)
	}
	after := live(t, accounts, ns, "default")
	if _, ok, _ := unstructured.NestedBool(after.Object, "automountServiceAccountToken"); ok {
		t.Error("the patched field stays after the patch has gone")
	}
	if after.GetUID() != before.GetUID() || after.GetLabels()["theirs"] != "yes" {
		t.Error("the patched object itself was touched")
	}
	d := patch.diff(m{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": m{"name": "other", "namespace": ns}})
	if len(d.GetReplaces()) == 0 {
		t.Error("a patch moved to another object must be replaced")
	}
}

func TestDeleteOfAPatchOnAMissingObjectMakesNothing(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	patch := create(t, s, "kubernetes:core/v1:ConfigMapPatch", "gone", m{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": m{"name": "gone", "namespace": ns}, "data": m{"a": "b"}})
	if err := server(t).client.Resource(configMaps).Namespace(ns).Delete(context.Background(), "gone", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := patch.delete(); err != nil {
		t.Fatal(err)
	}
	if _, err := server(t).client.Resource(configMaps).Namespace(ns).Get(context.Background(), "gone", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the delete made it again: %v", err)
	}
}

func TestDeleteSparesAnObjectMadeSince(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	inputs := m{"metadata": m{"name": "again", "namespace": ns}, "data": m{"a": "b"}}
	mine := create(t, s, "kubernetes:core/v1:ConfigMap", "again", inputs)
	maps := server(t).client.Resource(configMaps).Namespace(ns)
	if err := maps.Delete(context.Background(), "again", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	other := &unstructured.Unstructured{Object: m{"apiVersion": "v1", "kind": "ConfigMap", "metadata": m{"name": "again"}}}
	if _, err := maps.Create(context.Background(), other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if r := mine.read(); r.GetId() != "" {
		t.Error("reads somebody else's object as ours")
	}
	if err := mine.delete(); err != nil {
		t.Fatal(err)
	}
	live(t, configMaps, ns, "again")
}

func TestSecretContentsStaySecretAndDriftInStringDataIsSeen(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	inputs := m{"metadata": m{"name": "s", "namespace": ns}, "stringData": m{"password": "hunter2"}, "data": m{"k": "dg=="}}
	sec := create(t, s, "kubernetes:core/v1:Secret", "s", inputs)
	for _, text := range []string{"hunter2", base64.StdEncoding.EncodeToString([]byte("hunter2")), "dg=="} {
		if strings.Contains(withoutSecrets(decode(t, sec.state)), text) {
			t.Errorf("%q is readable in the state", text)
		}
	}
	read := sec.read()
	if strings.Contains(withoutSecrets(decode(t, read.GetInputs()))+withoutSecrets(decode(t, read.GetProperties())), "hunter2") {
		t.Error("readable after a refresh")
	}
	sec.inputs, sec.state = read.GetInputs(), read.GetProperties()
	if d := sec.diff(inputs); d.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("stringData shows as a change: %v", d.GetDetailedDiff())
	}
	meddle(t, secrets, ns, "s", `{"data":{"password":"`+base64.StdEncoding.EncodeToString([]byte("other"))+`"}}`)
	read = sec.read()
	sec.inputs, sec.state = read.GetInputs(), read.GetProperties()
	if d := sec.diff(inputs); d.GetChanges() != pulumirpc.DiffResponse_DIFF_SOME || len(d.GetReplaces()) == 0 {
		t.Errorf("a changed password is not seen: %v", d)
	}
}

func TestSecretInputsStaySecretInOutputs(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	cm := create(t, s, "kubernetes:core/v1:ConfigMap", "c", m{"metadata": m{"name": "c", "namespace": ns}, "data": m{"a": secret{"zebra"}, "b": "open"}})
	shown := withoutSecrets(decode(t, cm.state))
	if strings.Contains(shown, "zebra") || !strings.Contains(shown, "open") {
		t.Errorf("state: %s", shown)
	}
}

func TestNewKindIsFoundRightAfterItsDefinition(t *testing.T) {
	t.Parallel()
	s := connected(t)
	// Fill the discovery cache before the kind exists.
	ns := namespace(t, s)
	create(t, s, "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", "crontabs", m{
		"metadata": m{"name": "crontabs.stable.example.com"},
		"spec": m{"group": "stable.example.com", "scope": "Namespaced",
			"names": m{"plural": "crontabs", "singular": "crontab", "kind": "CronTab"},
			"versions": []any{m{"name": "v1", "served": true, "storage": true,
				"schema": m{"openAPIV3Schema": m{"type": "object", "properties": m{"spec": m{"type": "object", "x_kubernetes_preserve_unknown_fields": true}}}}}}}})
	tab := create(t, s, "kubernetes:stable.example.com/v1:CronTab", "tab", m{"metadata": m{"name": "tab", "namespace": ns}, "spec": m{"cron": "* * * * *", "n": 3.0}})
	if r := tab.read(); r.GetId() == "" {
		t.Error("not found again")
	}
}

func TestAnUnknownKindFailsWithTheRemedy(t *testing.T) {
	t.Parallel()
	s := connected(t)
	o := declare(t, s, "kubernetes:absent.example.com/v1:Thing", "x", m{"metadata": m{"name": "x"}})
	started := time.Now()
	mustFail(t, o.create(), "Thing x", "CustomResourceDefinition")
	if time.Since(started) > 20*time.Second {
		t.Error("took longer than the patience")
	}
}

func TestMisspeltFieldIsRefused(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	o := declare(t, s, "kubernetes:core/v1:ServiceAccount", "x", m{"metadata": m{"name": "x", "namespace": ns}, "automountServiceAccountTokens": false})
	mustFail(t, o.create(), "automountServiceAccountTokens", ns+"/x")
}

func TestCreateIsRepeatable(t *testing.T) {
	t.Parallel()
	s := connected(t)
	ns := namespace(t, s)
	inputs := m{"metadata": m{"namespace": ns}, "data": m{"a": "b"}}
	first := create(t, s, "kubernetes:core/v1:ConfigMap", "twice", inputs)
	// The engine was killed before it recorded the result: the next deployment starts from nothing.
	second := create(t, connected(t), "kubernetes:core/v1:ConfigMap", "twice", inputs)
	if first.id != second.id {
		t.Errorf("%s and %s: the interrupted object is left behind", first.id, second.id)
	}
	managers := live(t, configMaps, ns, strings.TrimPrefix(second.id, ns+"/")).GetManagedFields()
	if len(managers) != 1 {
		t.Errorf("%d field managers", len(managers))
	}
}
