package kubeapply

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kind is what a type token says: which API, and whether the resource is a patch on somebody else's object.
type kind struct {
	gvk   schema.GroupVersionKind
	patch bool
}

func (k kind) isSecret() bool { return k.gvk.Group == "" && k.gvk.Kind == "Secret" }

// String is "Deployment (apps/v1)", for messages.
func (k kind) String() string {
	return fmt.Sprintf("%s (%s)", k.gvk.Kind, k.gvk.GroupVersion())
}

// patchKinds are real kinds whose names end in Patch or List; none of Kubernetes' own does, so any other kind with
// such a name and a matching `kind` input is taken at its word.
func parseKind(urn resource.URN, inputs resource.PropertyMap) (kind, error) {
	token := urn.Type()
	module := string(token.Module().Name())
	name := string(token.Name())
	group, version, ok := strings.Cut(module, "/")
	if string(token.Package()) != Package || !ok || name == "" {
		return kind{}, fmt.Errorf("type %s: expected kubernetes:<group>/<version>:<Kind>, such as kubernetes:apps/v1:Deployment", token)
	}
	if group == "helm.sh" || strings.HasPrefix(group, "kustomize") || strings.HasPrefix(group, "yaml") {
		return kind{}, fmt.Errorf("type %s is not served by this stand-in for the kubernetes plugin: write the objects as resources, or %s",
			token, officialPlugin)
	}
	if group == "core" {
		group = ""
	}
	k := kind{gvk: schema.GroupVersionKind{Group: group, Version: version, Kind: name}}
	stated := ""
	if v := plain(inputs["kind"]); v.IsString() {
		stated = v.StringValue()
	}
	if stated == name {
		return k, nil
	}
	if base, isPatch := strings.CutSuffix(name, "Patch"); isPatch && base != "" {
		k.gvk.Kind, k.patch = base, true
		return k, nil
	}
	if base, isList := strings.CutSuffix(name, "List"); isList && base != "" {
		return kind{}, fmt.Errorf("type %s: lists exist for manifests and cannot be created; declare each %s as a resource", token, base)
	}
	return k, nil
}

// clusterScoped lists the kinds of Kubernetes itself that have no namespace, for the one question that must be
// answered without an API server: whether the provider's default namespace applies. Source: `kubectl api-resources
// --namespaced=false`, v1.35.
var clusterScoped = map[string][]string{
	"":                             {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
	"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
	"apiextensions.k8s.io":         {"CustomResourceDefinition"},
	"apiregistration.k8s.io":       {"APIService"},
	"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
	"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
	"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
	"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
	"networking.k8s.io":            {"IngressClass", "IPAddress", "ServiceCIDR"},
	"node.k8s.io":                  {"RuntimeClass"},
	"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
	"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceSlice"},
	"scheduling.k8s.io":            {"PriorityClass"},
	"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	"storagemigration.k8s.io":      {"StorageVersionMigration"},
}

// builtInGroups hold namespaced kinds only, beside those of clusterScoped.
var builtInGroups = map[string]bool{
	"apps": true, "autoscaling": true, "batch": true, "coordination.k8s.io": true, "discovery.k8s.io": true,
	"events.k8s.io": true, "policy": true,
}

// namespaced tells whether a kind of Kubernetes itself has a namespace; known is false for custom resources.
func (k kind) namespaced() (namespaced, known bool) {
	kinds, ok := clusterScoped[k.gvk.Group]
	for _, name := range kinds {
		if name == k.gvk.Kind {
			return false, true
		}
	}
	return true, ok || builtInGroups[k.gvk.Group]
}
