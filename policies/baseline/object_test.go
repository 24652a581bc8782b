package baseline

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// An object is registered as it is, under the type that the provider knows it by,
// and without what the API server writes.
func TestNewObject(t *testing.T) {
	r := &recorder{resources: map[string]resource.PropertyMap{}}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := newObject(ctx, "x", &corev1.ConfigMap{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metav1.ObjectMeta{Name: "x", Namespace: "y"}, Data: map[string]string{"a": "b"},
		})
		return err
	}, pulumi.WithMocks("redoubt", "test", r))
	if err != nil {
		t.Fatal(err)
	}
	made := r.resources["kubernetes:core/v1:ConfigMap"].Mappable()
	metadata, _ := made["metadata"].(map[string]any)
	data, _ := made["data"].(map[string]any)
	if metadata["name"] != "x" || metadata["namespace"] != "y" || data["a"] != "b" || made["apiVersion"] != "v1" {
		t.Errorf("%v", made)
	}
	if _, there := metadata["creationTimestamp"]; there {
		t.Error("creationTimestamp is the API server's to write")
	}
	if err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := newObject(ctx, "x", &corev1.ConfigMap{})
		return err
	}, pulumi.WithMocks("redoubt", "test", r)); err == nil {
		t.Error("an object without kind was registered")
	}
}
