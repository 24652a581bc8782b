package kubeapply

// immutable is a field whose change the API server refuses, so that the object must be replaced. Everything below the
// path counts, but for the names in except directly below it.
type immutable struct {
	path   []string
	except []string
}

func field(path ...string) immutable { return immutable{path: path} }

// identity is immutable on every object.
var identity = []immutable{field("kind"), field("metadata", "name"), field("metadata", "namespace")}

// immutableByKind holds, by group and kind, the fields Kubernetes v1.35 refuses to change (k8s.io/kubernetes
// pkg/apis/*/validation, functions Validate*Update), as far as an object of the kind is declared in practice. A change
// that is not listed here fails with the API server's own message.
var immutableByKind = map[string][]immutable{
	"/PersistentVolume": {{path: []string{"spec"}, except: []string{
		"accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
		"storageClassName", "volumeAttributesClassName"}}},
	// A claim may grow; replacing it instead would lose its data.
	"/PersistentVolumeClaim": {{path: []string{"spec"}, except: []string{"resources", "volumeAttributesClassName"}}},
	"/Pod":                   {{path: []string{"spec"}, except: []string{"activeDeadlineSeconds", "tolerations"}}},
	"/ResourceQuota":         {field("spec", "scopes"), field("spec", "scopeSelector")},
	"/Secret":                {field("type")},
	"/Service":               {field("spec", "clusterIP")},

	"apps/DaemonSet":   {field("spec", "selector")},
	"apps/Deployment":  {field("spec", "selector")},
	"apps/ReplicaSet":  {field("spec", "selector")},
	"apps/StatefulSet": {field("spec", "podManagementPolicy"), field("spec", "selector"), field("spec", "serviceName"), field("spec", "volumeClaimTemplates")},

	"batch/Job": {
		field("spec", "backoffLimitPerIndex"), field("spec", "completionMode"), field("spec", "completions"),
		field("spec", "managedBy"), field("spec", "podFailurePolicy"), field("spec", "selector"),
		field("spec", "successPolicy"), field("spec", "template")},

	"apiextensions.k8s.io/CustomResourceDefinition": {field("spec", "group"), field("spec", "scope")},
	"certificates.k8s.io/CertificateSigningRequest": {field("spec")},
	"networking.k8s.io/IngressClass":                {field("spec", "controller")},
	"node.k8s.io/RuntimeClass":                      {field("handler")},
	"rbac.authorization.k8s.io/ClusterRoleBinding":  {field("roleRef")},
	"rbac.authorization.k8s.io/RoleBinding":         {field("roleRef")},
	"scheduling.k8s.io/PriorityClass":               {field("preemptionPolicy"), field("value")},
	"storage.k8s.io/CSIDriver":                      {field("spec", "attachRequired"), field("spec", "volumeLifecycleModes")},
	"storage.k8s.io/StorageClass":                   {field("parameters"), field("provisioner"), field("reclaimPolicy"), field("volumeBindingMode")},
}

// immutableFields lists the fields of a kind that replace the object. Patches share an object that others own: only
// its identity replaces them.
func immutableFields(k kind, with settings) []immutable {
	out := append([]immutable(nil), identity...)
	if k.patch {
		return out
	}
	id := k.gvk.Group + "/" + k.gvk.Kind
	out = append(out, immutableByKind[id]...)
	// A new name for new contents is what makes a workload roll: the official provider replaces by default.
	if id == "/ConfigMap" && !with.configMapMutable {
		out = append(out, field("data"), field("binaryData"))
	}
	if id == "/Secret" && !with.secretMutable {
		out = append(out, field("data"), field("stringData"))
	}
	return out
}
