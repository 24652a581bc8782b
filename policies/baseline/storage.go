package baseline

import (
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	storagev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/storage/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// NewEncryptedStorage registers the default class of storage, "encrypted": what
// the provisioner makes with the parameters, which name the customer key (M19). A
// claim's volume is made where its pod runs. Classes that the cloud brings stay: of
// several default classes the youngest counts, and an admission policy refuses
// claims on any other.
// https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
func NewEncryptedStorage(ctx *pulumi.Context, name, provisioner string, parameters map[string]string, opts ...pulumi.ResourceOption) error {
	annotations := force()
	annotations["storageclass.kubernetes.io/is-default-class"] = pulumi.String("true")
	_, err := storagev1.NewStorageClass(ctx, name+"-encrypted", &storagev1.StorageClassArgs{
		Metadata:    &metav1.ObjectMetaArgs{Name: pulumi.String("encrypted"), Annotations: annotations},
		Provisioner: pulumi.String(provisioner), VolumeBindingMode: pulumi.String("WaitForFirstConsumer"),
		AllowVolumeExpansion: pulumi.Bool(true), ReclaimPolicy: pulumi.String("Delete"), Parameters: pulumi.ToStringMap(parameters),
	}, opts...)
	return err
}
