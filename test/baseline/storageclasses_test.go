package baseline

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/test/kubeapi"
)

const defaultClass = "storageclass.kubernetes.io/is-default-class"

// foreign are the classes that EKS and GKE put into a cluster: without a key of the customer, and one the default.
var foreign = map[string]storagev1.StorageClass{
	"gp2":          {Provisioner: "kubernetes.io/aws-ebs", Parameters: map[string]string{"type": "gp2"}, ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{defaultClass: "true"}}},
	"standard":     {Provisioner: "kubernetes.io/gce-pd", Parameters: map[string]string{"type": "pd-standard"}},
	"standard-rwo": {Provisioner: "pd.csi.storage.gke.io", Parameters: map[string]string{"type": "pd-balanced"}, ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{defaultClass: "true"}}},
	"premium-rwo":  {Provisioner: "pd.csi.storage.gke.io", Parameters: map[string]string{"type": "pd-ssd"}},
}

// TestForeignStorageClasses puts the baseline into a cluster whose cloud has made classes without a customer key, two of
// them the default. No claim gets one of them any more, and they are as before when the baseline has gone (M19).
func TestForeignStorageClasses(t *testing.T) {
	a := alone(t, kubeapi.Options{Controllers: true, DefaultStorageClass: true})
	ctx := context.Background()
	if _, err := a.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, class := range foreign {
		class.Name = name
		if _, err := a.client.StorageV1().StorageClasses().Create(ctx, &class, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	claims := 0
	// claim asks for a volume without making it, and gives the class that it would have.
	claim := func(class *string) (string, error) {
		claims++
		made, err := a.client.CoreV1().PersistentVolumeClaims("team").Create(ctx, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("data-%d", claims)},
			Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil || made.Spec.StorageClassName == nil {
			return "", err
		}
		return *made.Spec.StorageClassName, nil
	}
	// Without the baseline a claim gets one of them: what it gets below is the baseline's doing.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if got, err := claim(nil); err == nil && foreign[got].Provisioner != "" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("before: %q %v", got, err)
		}
	}
	classes := func() string {
		list, err := a.client.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range list.Items {
			out = append(out, fmt.Sprintf("%s %s %s %v %v", c.Name, c.UID, c.ResourceVersion, c.Annotations, c.Parameters))
		}
		return strings.Join(out, "\n")
	}
	before := classes()
	time.Sleep(time.Second) // ages are in seconds, and the youngest default is the one that counts
	e := newEngine(t, a.Server)
	spec := baseline.Spec{Policies: admission.Settings{Registries: []string{"registry.example.org"}}}
	d := e.driverOf(func(ctx *pulumi.Context, in *kubernetes.Provider) error {
		if err := baseline.NewEncryptedStorage(ctx, "cluster", "ebs.csi.aws.com", map[string]string{"encrypted": "true"}, pulumi.Provider(in)); err != nil {
			return err
		}
		_, err := baseline.NewBaseline(ctx, "baseline", &baseline.Args{Spec: spec, Kubeconfig: pulumi.String(a.Server.Kubeconfig)}, pulumi.Provider(in))
		return err
	})
	if _, err := d.Up(ctx); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		got, err := claim(nil)
		if err == nil && got == "encrypted" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a claim without a class gets %q: %v", got, err)
		}
	}
	for name := range foreign {
		if got, err := claim(&name); err == nil || !strings.Contains(err.Error(), "M19") {
			t.Errorf("a claim on %s is let in with %q: %v", name, got, err)
		}
	}
	none := ""
	if _, err := claim(&none); err == nil {
		t.Error("a claim on no class at all, which binds to any volume, is let in")
	}
	again, err := d.Up(ctx)
	if err != nil || again.Changed() != 0 {
		t.Errorf("a second up: %v, %v", again.Changes, err)
	}
	if _, err := d.Destroy(ctx); err != nil {
		t.Fatal(err)
	}
	if after := classes(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
