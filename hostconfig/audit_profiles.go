package hostconfig

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// The first rule of a policy that matches decides, so the order is: what must
// never be logged in full, what must always be, what is noise, and then the
// rest. No rule for noise stands before the first two. The levels are explained
// in https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#audit-policy

var auditedChanges = []string{"create", "update", "patch", "delete", "deletecollection"}

func auditPolicyOf(rules ...[]auditv1.PolicyRule) *auditv1.Policy {
	return &auditv1.Policy{
		TypeMeta:          metav1.TypeMeta{APIVersion: "audit.k8s.io/v1", Kind: "Policy"},
		OmitStages:        []auditv1.Stage{auditv1.StageRequestReceived},
		OmitManagedFields: true,
		Rules:             slices.Concat(rules...),
	}
}

func resourcesIn(group string, resources ...string) auditv1.GroupResources {
	return auditv1.GroupResources{Group: group, Resources: resources}
}

// sensitiveAuditRules open every profile.
func sensitiveAuditRules() []auditv1.PolicyRule {
	in := resourcesIn
	return []auditv1.PolicyRule{
		// Bodies that hold secrets or tokens: who, what and when, never the content.
		{Level: auditv1.LevelMetadata, Resources: []auditv1.GroupResources{
			in("", "secrets", "configmaps", "serviceaccounts/token"),
			in("authentication.k8s.io", "tokenreviews"),
		}},
		// Ways into a running container or around the API.
		{Level: auditv1.LevelRequestResponse, Resources: []auditv1.GroupResources{
			in("", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers",
				"pods/proxy", "services/proxy", "nodes/proxy"),
		}},
		// Changes of who may do what, and of what the API server enforces.
		{Level: auditv1.LevelRequestResponse, Verbs: auditedChanges, Resources: []auditv1.GroupResources{
			in("rbac.authorization.k8s.io"),
			in("admissionregistration.k8s.io"),
			in("certificates.k8s.io"),
			in("apiregistration.k8s.io"),
			in("apiextensions.k8s.io", "customresourcedefinitions"),
		}},
		// Noise that says nothing: probes, many times a minute.
		{Level: auditv1.LevelNone, NonResourceURLs: []string{"/livez*", "/readyz*", "/healthz*"}},
	}
}

// standardAuditPolicy uses all four levels.
func standardAuditPolicy() *auditv1.Policy {
	in := resourcesIn
	return auditPolicyOf(sensitiveAuditRules(), []auditv1.PolicyRule{
		// Noise: what the system itself reads all the time.
		{Level: auditv1.LevelNone, UserGroups: []string{"system:nodes"}, Verbs: []string{"get"}, Resources: []auditv1.GroupResources{
			in("", "nodes"),
		}},
		{Level: auditv1.LevelNone, UserGroups: []string{"system:nodes"}, Verbs: []string{"get", "update", "patch"}, Resources: []auditv1.GroupResources{
			in("coordination.k8s.io", "leases"),
		}},
		{Level: auditv1.LevelNone, Users: []string{controllerManagerUser, schedulerUser}, Verbs: []string{"get", "update"}, Resources: []auditv1.GroupResources{
			in("coordination.k8s.io", "leases"),
		}},
		{Level: auditv1.LevelNone, Verbs: []string{"watch"}, Users: []string{controllerManagerUser, schedulerUser, "system:apiserver"}},
		{Level: auditv1.LevelNone, Verbs: []string{"watch"}, UserGroups: []string{"system:serviceaccounts:kube-system"}},
		// Events and the reports of nodes say little and are many.
		{Level: auditv1.LevelMetadata, Resources: []auditv1.GroupResources{in("", "events"), in("events.k8s.io", "events")}},
		{Level: auditv1.LevelMetadata, UserGroups: []string{"system:nodes"}, Verbs: []string{"update", "patch"}, Resources: []auditv1.GroupResources{
			in("", "nodes/status", "pods/status"),
		}},
		// Every other change, with what was asked for.
		{Level: auditv1.LevelRequest, Verbs: auditedChanges},
		{Level: auditv1.LevelMetadata},
	})
}

// verboseAuditPolicy hides nobody: the system's own reads and leases are there.
func verboseAuditPolicy() *auditv1.Policy {
	in := resourcesIn
	return auditPolicyOf(sensitiveAuditRules(), []auditv1.PolicyRule{
		// A heartbeat's body says nothing that its metadata does not.
		{Level: auditv1.LevelMetadata, Resources: []auditv1.GroupResources{in("coordination.k8s.io", "leases")}},
		{Level: auditv1.LevelRequest, Resources: []auditv1.GroupResources{in("", "events"), in("events.k8s.io", "events")}},
		{Level: auditv1.LevelRequest, UserGroups: []string{"system:nodes"}, Verbs: []string{"update", "patch"}, Resources: []auditv1.GroupResources{
			in("", "nodes/status", "pods/status"),
		}},
		// Who looked at which rights, and what they saw.
		{Level: auditv1.LevelRequestResponse, Resources: []auditv1.GroupResources{in("rbac.authorization.k8s.io")}},
		// Every other change, with what came of it.
		{Level: auditv1.LevelRequestResponse, Verbs: auditedChanges},
		{Level: auditv1.LevelMetadata},
	})
}
