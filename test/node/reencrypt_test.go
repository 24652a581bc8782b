//go:build linux

package node

import (
	"context"
	"crypto/aes"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	aestransformer "k8s.io/apiserver/pkg/storage/value/encrypt/aes"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// TestReencrypt goes through the rewriting under a new key on two real API servers (M18).
func TestReencrypt(t *testing.T) {
	t.Parallel()
	p := newPlanes(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("redoubt-node's log:\n%s", p.logs)
		}
	})
	serve(t, func(ctx context.Context) error { return p.agents[0].ServeKMS(ctx) })
	p.encrypt(t, 0, hostconfig.EncryptionKMS)
	p.encrypt(t, 1, hostconfig.EncryptionSecretbox)
	p.start(0)
	serve(t, func(ctx context.Context) error { return p.agents[0].Approve(ctx, t.TempDir()) })
	p.define(t)
	for _, name := range []string{"plain", "cbc", "box", "guarded", "busy", "first-version"} {
		p.make(t, name)
	}
	// The cloud's key gets a version, which an API server learns within a minute or when it starts.
	p.RotateKey("prod/secrets")
	p.start(0)
	p.make(t, "second-version")
	p.plant(t, "plain", "", nil)
	block, err := aes.NewCipher([]byte(strings.Repeat("o", 32)))
	require.NoError(t, err)
	p.plant(t, "cbc", "k8s:enc:aescbc:v1:old:", aestransformer.NewCBCTransformer(block))
	p.plantLast(t, "box")
	p.start(1)

	t.Run("apart", func(t *testing.T) { p.apart(t) })
	p.encrypt(t, 1, hostconfig.EncryptionKMS)
	p.start(1)
	t.Run("refused", func(t *testing.T) { p.refuses(t) })
	t.Run("whole", func(t *testing.T) { p.whole(t) })
	t.Run("interrupted", func(t *testing.T) { p.interrupted(t) })
	t.Run("rights", func(t *testing.T) { p.rights(t) })
	assert.NotContains(t, p.logs.String(), canary)
	assert.NotContains(t, p.logs.String(), base64.StdEncoding.EncodeToString([]byte(canary)))
}

// define makes the resource of a group of its own, and waits for the rights.
func (p *planes) define(t *testing.T) {
	t.Helper()
	definitions := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	_, err := dynamic.NewForConfigOrDie(p.as(t, "admin", "system:masters")).Resource(definitions).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "widgets.example.org"},
		"spec": map[string]any{"group": "example.org", "scope": "Cluster", "names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	eventually(t, "redoubt-node's rights", func() error {
		_, err := kubernetes.NewForConfigOrDie(p.as(t, nodeconfig.UserEncryption)).CoreV1().Secrets("default").Patch(t.Context(), "nobody", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("%w", err)
	})
}

// apart: while control planes write with different keys, or one has said nothing,
// nothing is written.
func (p *planes) apart(t *testing.T) {
	_, before := p.stored(t)
	require.NoError(t, p.agents[0].Reencrypt(t.Context()))
	told := p.told(t)
	assert.Equal(t, "false", told["rewritten"])
	assert.Contains(t, told["state"], "until all control planes write with the same key")
	assert.Contains(t, told["writers"], "control-plane-1: kms redoubt "+p.config.KMS.Keys[0]+number(2)+"\ncontrol-plane-2: has not said it yet")
	for _, line := range []string{"secrets: 1 under no key (plaintext)", "secrets: 1 under aescbc old", "secrets: 1 under secretbox key-1", "widgets.example.org: 6 under kms redoubt " + p.config.KMS.Keys[0] + number(1)} {
		assert.Contains(t, told["objects"], line)
	}
	require.NoError(t, p.agents[1].Reencrypt(t.Context()))
	assert.Contains(t, p.told(t)["writers"], "control-plane-2: secretbox key-1")
	require.NoError(t, p.agents[0].Reencrypt(t.Context()))
	_, after := p.stored(t)
	delete(after, "/registry/configmaps/kube-system/redoubt-encryption") // made meanwhile
	delete(before, "/registry/configmaps/kube-system/redoubt-encryption")
	assert.Equal(t, before, after, "something was written before all control planes could read it")
}

// refuses: two at a time, while somebody writes, and with an object that admission lets
// nobody change: everything else is written anew.
func (p *planes) refuses(t *testing.T) {
	ctx := t.Context()
	everything := admissionv1.OperationType("UPDATE")
	policies := p.admin.AdmissionregistrationV1()
	fail := admissionv1.Fail
	_, err := policies.ValidatingAdmissionPolicies().Create(ctx, &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "guard"}, Spec: admissionv1.ValidatingAdmissionPolicySpec{
		FailurePolicy: &fail,
		MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{ResourceNames: []string{"guarded"}, RuleWithOperations: admissionv1.RuleWithOperations{
			Operations: []admissionv1.OperationType{everything}, Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"secrets"}}}}}},
		Validations: []admissionv1.Validation{{Expression: "false", MessageExpression: "'it holds ' + string(object.data['a'])"}},
	}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = policies.ValidatingAdmissionPolicyBindings().Create(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "guard"},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "guard", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	second := p.as(t, "admin", "system:masters")
	second.Host = p.second
	eventually(t, "the guard", func() error {
		_, err := kubernetes.NewForConfigOrDie(second).CoreV1().Secrets("default").Patch(ctx, "guarded", types.MergePatchType, []byte(`{}`), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("it lets everybody through: %w", err)
	})
	busy, stop := context.WithCancel(ctx)
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; busy.Err() == nil; i++ {
			_, _ = p.admin.CoreV1().Secrets("default").Patch(busy, "busy", types.MergePatchType, fmt.Appendf(nil, `{"metadata":{"annotations":{"a":"%d"}}}`, i), metav1.PatchOptions{})
		}
	})
	// The second one says that it writes with the same key now.
	err = p.agents[1].Reencrypt(ctx)
	assert.ErrorContains(t, err, "1 objects are under another key than kms redoubt")
	var both sync.WaitGroup
	for _, each := range p.agents {
		both.Go(func() { _ = each.Reencrypt(ctx) }) // whoever gets the lock fails again
	}
	both.Wait()
	stop()
	writing.Wait()
	told := p.told(t)
	assert.Equal(t, "false", told["rewritten"])
	assert.Equal(t, "secrets default/guarded: 422 Invalid", told["refused"])
	assert.Contains(t, told["state"], "1 objects are under another key")
	assert.Contains(t, p.logs.String(), `msg="not rewritten" resource=secrets namespace=default name=guarded reason="422 Invalid"`)
	for _, resource := range encryptedResources {
		if resource != "secrets" {
			assert.NotContains(t, told["objects"], resource+": 1 under kms redoubt "+p.config.KMS.Keys[0]+number(1))
		}
	}
}

// whole: once nobody refuses anything, everything is under the key that writes, and the
// next run writes nothing.
func (p *planes) whole(t *testing.T) {
	ctx := t.Context()
	require.NoError(t, p.admin.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(ctx, "guard", metav1.DeleteOptions{}))
	eventually(t, "the rest", func() error { return p.agents[0].Reencrypt(ctx) })
	told := p.told(t)
	assert.Equal(t, "true", told["rewritten"])
	assert.NotContains(t, told, "refused")
	values, before := p.stored(t)
	for key, value := range values {
		assert.True(t, strings.HasPrefix(value, "k8s:enc:kms:v2:redoubt:") && strings.Contains(value, number(2)) && !strings.Contains(value, number(1)), "%s: %.80q", key, value)
	}
	for _, name := range []string{"plain", "cbc", "box", "guarded", "busy", "first-version", "second-version"} {
		secret, err := p.admin.CoreV1().Secrets("default").Get(ctx, name, metav1.GetOptions{})
		require.NoError(t, err)
		assert.Equal(t, canary, string(secret.Data["a"]), name)
		assert.Empty(t, secret.Labels)
	}
	said := len(p.logs.String())
	for _, each := range p.agents {
		require.NoError(t, each.Reencrypt(ctx))
	}
	assert.Equal(t, 2, strings.Count(p.logs.String()[said:], " rewritten=0 "), "the API server was asked to write what needed it not")
	_, after := p.stored(t)
	for _, each := range []map[string]int64{before, after} {
		delete(each, "/registry/configmaps/kube-system/redoubt-encryption") // says when it was
	}
	assert.Equal(t, before, after, "nothing was to be done, and something was written")
	// Whoever writes into the ConfigMap misleads people until the next run, and nobody else.
	_, err := p.admin.CoreV1().ConfigMaps("kube-system").Patch(ctx, "redoubt-encryption", types.MergePatchType, []byte(`{"data":{"rewritten":"false","writers":"nobody"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.NoError(t, p.agents[0].Reencrypt(ctx))
	assert.Equal(t, "true", p.told(t)["rewritten"])
}

// interrupted: a run that ends in the middle leaves the rest to the next one, and what
// it did is not done again.
func (p *planes) interrupted(t *testing.T) {
	ctx := t.Context()
	const many = 120
	for i := range many {
		_, err := p.admin.CoreV1().Secrets("default").Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("many-%03d", i)}, StringData: map[string]string{"a": canary}}, metav1.CreateOptions{})
		require.NoError(t, err)
		p.plantLast(t, fmt.Sprintf("many-%03d", i))
	}
	left := func() (count int, done map[string]int64) {
		values, revisions := p.stored(t)
		done = map[string]int64{}
		for key, value := range values {
			switch {
			case strings.HasPrefix(value, "k8s:enc:secretbox:"):
				count++
			case strings.Contains(key, "/many-"):
				done[key] = revisions[key]
			}
		}
		return count, done
	}
	cut, kill := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.agents[0].Reencrypt(cut) }()
	eventually(t, "the middle", func() error {
		if count, _ := left(); count > many-20 {
			return fmt.Errorf("%d are left", count)
		}
		return nil
	})
	kill()
	require.ErrorIs(t, <-ended, context.Canceled)
	count, done := left()
	require.NotZero(t, count, "it was not in the middle")
	// One that was killed has not released its lock: nobody works beside it.
	now, holder, seconds := metav1.NowMicro(), "control-plane-1", int32(600)
	leases := p.admin.CoordinationV1().Leases("kube-system")
	lease, err := leases.Get(ctx, "redoubt-encryption", metav1.GetOptions{})
	require.NoError(t, err)
	lease.Spec.HolderIdentity, lease.Spec.RenewTime, lease.Spec.LeaseDurationSeconds = &holder, &now, &seconds
	lease, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, p.agents[1].Reencrypt(ctx))
	still, _ := left()
	assert.Equal(t, count, still)
	past := metav1.NewMicroTime(time.Now().Add(-time.Hour))
	lease.Spec.RenewTime = &past
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	require.NoError(t, err)
	var both sync.WaitGroup
	for _, each := range p.agents {
		both.Go(func() { assert.NoError(t, each.Reencrypt(ctx)) })
	}
	both.Wait()
	count, now2 := left()
	assert.Zero(t, count)
	for key, revision := range done {
		assert.Equal(t, revision, now2[key], "%s was written twice", key)
	}
}

// rights: the identity reads nothing, and writes nothing else.
func (p *planes) rights(t *testing.T) {
	ctx := t.Context()
	core := kubernetes.NewForConfigOrDie(p.as(t, nodeconfig.UserEncryption)).CoreV1()
	for what, try := range map[string]func() error{
		"reads a Secret":   func() error { _, err := core.Secrets("default").Get(ctx, "plain", metav1.GetOptions{}); return err },
		"lists Secrets":    func() error { _, err := core.Secrets("").List(ctx, metav1.ListOptions{}); return err },
		"deletes a Secret": func() error { return core.Secrets("default").Delete(ctx, "plain", metav1.DeleteOptions{}) },
		"makes a ConfigMap": func() error {
			_, err := core.ConfigMaps("kube-system").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{})
			return err
		},
		"changes a Node": func() error {
			_, err := core.Nodes().Patch(ctx, "x", types.MergePatchType, []byte("{}"), metav1.PatchOptions{})
			return err
		},
	} {
		assert.True(t, apierrors.IsForbidden(try()), "it %s", what)
	}
	assert.ErrorContains(t, p.on(t, p.id("1"), p.worker("general"), nil).Reencrypt(ctx), "for control planes")
}
