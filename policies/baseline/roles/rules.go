package roles

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

// Verbs on the virtual resource of quarantine; see hostconfig's administrator.
const (
	// VerbImpose sets the label, VerbRelease takes it away.
	VerbImpose  = "impose"
	VerbRelease = "release"
	// VerbForensics is to get into what is under quarantine.
	VerbForensics = "forensics"
)

const (
	verbsRead  = "get list watch"
	verbsWrite = "create update patch delete deletecollection"
)

// hidden are resources that a reader must not have: secrets, and those whose GET
// is no reading, because it opens a stream into a pod.
var hidden = []string{"secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy"}

// asks are questions about oneself that everybody may ask.
var asks = []string{"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}

func rule(group, verbs string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Verbs: strings.Fields(verbs), Resources: resources}
}

// AuditorRules read everything that the platform's administrator can, but for
// Secrets and what lies in pods. They are derived from his, so that what is added
// there is not forgotten here.
func AuditorRules() []rbacv1.PolicyRule {
	return readable(hostconfig.PlatformAdminRules(), func(resource string) bool { return !slices.Contains(hidden, resource) })
}

// readable is what rules read, of the resources that are kept.
func readable(rules []rbacv1.PolicyRule, keep func(string) bool) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	for _, r := range rules {
		kept := rbacv1.PolicyRule{APIGroups: r.APIGroups, NonResourceURLs: r.NonResourceURLs, ResourceNames: r.ResourceNames}
		for _, verb := range r.Verbs {
			if slices.Contains(strings.Fields(verbsRead), verb) {
				kept.Verbs = append(kept.Verbs, verb)
			}
		}
		for _, resource := range r.Resources {
			if keep(resource) && !slices.Contains(asks, resource) {
				kept.Resources = append(kept.Resources, resource)
			}
		}
		if len(kept.Verbs) > 0 && len(kept.Resources)+len(kept.NonResourceURLs) > 0 {
			out = append(out, kept)
		}
	}
	return out
}

// OperatorRules keep a cluster running by day: besides reading they restart pods,
// scale workloads and take nodes out of service and back. They choose no image, no
// account and no setting, so that no right follows from them.
func OperatorRules() []rbacv1.PolicyRule {
	return append(AuditorRules(),
		rule("", "delete", "pods"),
		rule("", "create", "pods/eviction"),
		rule("", "update patch", "replicationcontrollers/scale"),
		rule("apps", "update patch", "deployments/scale", "statefulsets/scale", "replicasets/scale"),
		rule("batch", "delete", "jobs"),
		rule("", "update patch", "nodes"), // cordon and uncordon
	)
}

// ResponderRules are for an incident: to isolate a pod, a namespace or a node, to
// look into it, to keep what is found, and to delete it afterwards. Admission
// policies hold the labels that they write to those of quarantine.
func ResponderRules() []rbacv1.PolicyRule {
	return append(AuditorRules(),
		rule(admission.Group, VerbImpose+" "+VerbRelease+" "+VerbForensics, admission.ResourceQuarantines),
		rule("", "patch", "pods", "namespaces", "nodes"),
		rule("", "get create", "pods/exec", "pods/attach"),
		rule("", "get update patch", "pods/ephemeralcontainers"),
		rule("", "delete", "pods"),
		rule("apps", "update patch", "deployments/scale", "statefulsets/scale", "replicasets/scale"),
	)
}

// BreakGlassRules undo what went wrong when nobody else can: they read everything,
// get into every pod, and lift admission and network policies, roles and bindings,
// which the API server still holds to what they grant. They make no workload.
// Being in the group is an event that the audit log shows; in peace it is empty.
func BreakGlassRules() []rbacv1.PolicyRule {
	return append(readable(hostconfig.PlatformAdminRules(), func(resource string) bool { return resource != "nodes/proxy" }),
		rule(admission.Group, admission.VerbAdminister, admission.ResourcePlatform),
		rule(admission.Group, admission.VerbUse, admission.ResourceBreakGlass),
		rule(admission.Group, VerbImpose+" "+VerbRelease+" "+VerbForensics, admission.ResourceQuarantines),
		rule("", "create", "pods/exec", "pods/attach", "pods/portforward", "pods/eviction"),
		rule("", "update patch", "pods/ephemeralcontainers", "namespaces", "nodes", "resourcequotas", "limitranges"),
		rule("", "delete deletecollection", "pods", "resourcequotas", "limitranges", "secrets"),
		rule("", "delete", "nodes"),
		rule("apps", "update patch", "deployments/scale", "statefulsets/scale", "replicasets/scale"),
		rule("networking.k8s.io", verbsWrite, "networkpolicies"),
		rule("rbac.authorization.k8s.io", verbsWrite, "roles", "rolebindings", "clusterroles", "clusterrolebindings"),
		rule("admissionregistration.k8s.io", "update patch delete", "validatingadmissionpolicies", "validatingadmissionpolicybindings"),
		rule("admissionregistration.k8s.io", "delete", "validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
		rule("apiregistration.k8s.io", "delete", "apiservices"),
	)
}

// ViewerRules read a namespace, but for Secrets.
func ViewerRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("", verbsRead, "pods", "pods/status", "pods/log", "services", "endpoints", "configmaps", "serviceaccounts",
			"persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "limitranges", "events"),
		rule("events.k8s.io", verbsRead, "events"),
		rule("apps", verbsRead, "deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions"),
		rule("batch", verbsRead, "jobs", "cronjobs"),
		rule("autoscaling", verbsRead, "horizontalpodautoscalers"),
		rule("policy", verbsRead, "poddisruptionbudgets"),
		rule("networking.k8s.io", verbsRead, "networkpolicies", "ingresses"),
		rule("discovery.k8s.io", verbsRead, "endpointslices"),
		rule("rbac.authorization.k8s.io", verbsRead, "roles", "rolebindings"),
	}
}

// DeveloperRules run a tenant's workloads. What bounds the tenant is not theirs:
// network policies, quotas, limits, roles and bindings; nor are tokens of accounts
// and endpoints, by which traffic is taken away. Of a Secret they need the name:
// no listing (CIS 5.1.2); whoever runs pods can mount those of the namespace anyway.
func DeveloperRules() []rbacv1.PolicyRule {
	return append(ViewerRules(),
		rule("", verbsWrite, "pods", "services", "configmaps", "persistentvolumeclaims"),
		rule("", "create update patch delete", "serviceaccounts"),
		rule("", "get create update patch delete", "secrets"),
		rule("", "create", "pods/eviction"),
		rule("apps", verbsWrite, "deployments", "statefulsets", "daemonsets", "replicasets"),
		rule("apps", "get update patch", "deployments/scale", "statefulsets/scale", "replicasets/scale"),
		rule("batch", verbsWrite, "jobs", "cronjobs"),
		rule("autoscaling", verbsWrite, "horizontalpodautoscalers"),
		rule("policy", verbsWrite, "poddisruptionbudgets"),
		rule("networking.k8s.io", verbsWrite, "ingresses"),
	)
}

// DebuggerRules get into a tenant's pods, for those who need to beside developers.
func DebuggerRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("", verbsRead, "pods", "pods/log"),
		rule("", "get create", "pods/exec", "pods/attach", "pods/portforward"),
		rule("", "get update patch", "pods/ephemeralcontainers"),
	}
}
