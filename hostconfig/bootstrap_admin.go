package hostconfig

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Verbs of rules.
const (
	verbsRead  = "get list watch"
	verbsWrite = "create update patch delete deletecollection"
	verbsAll   = verbsRead + " " + verbsWrite
)

// rule gives a rule for resources of one API group; the verbs are separated by
// spaces.
func rule(apiGroup, verbs string, resources ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{apiGroup}, Verbs: strings.Fields(verbs), Resources: resources}
}

// PlatformAdminRules are what it takes to run a cluster as code: to install
// namespaces, workloads, policies and APIs, and to look after nodes.
//
// Every resource and verb is named: no wildcard, so that an API that is added
// later is not covered until somebody decides it (CIS 5.1.3). Left out on
// purpose: impersonate, escalate and bind (5.1.8), nodes/proxy (5.1.10), the
// approval and signing of certificate requests (5.1.11), and changes of node
// status. A role that this group writes can grant only what stands here,
// because the API server refuses escalation; so everything that a tenant's role
// grants must be here too.
func PlatformAdminRules() []rbacv1.PolicyRule {
	rules := append(workloadRules(), clusterRules()...)
	return append(append(rules, observationRules()...), virtualRules()...)
}

// virtualRules are rights on resources that no API serves: admission policies ask
// the authorizer for them, to know who the platform is, who acts in an emergency,
// and who looks after quarantine. They stand here because a role can grant only
// what its author holds.
func virtualRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("redoubt.dev", "administer", "platform"),
		rule("redoubt.dev", "use", "breakglass"),
		rule("redoubt.dev", "impose release forensics", "quarantines"),
	}
}

// workloadRules are what lives in namespaces.
func workloadRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("", verbsAll, "namespaces", "pods", "services", "endpoints", "configmaps", "secrets", "serviceaccounts",
			"persistentvolumeclaims", "replicationcontrollers", "resourcequotas", "limitranges", "podtemplates"),
		rule("", "get list watch", "pods/log", "pods/status"),
		rule("", "get create", "pods/exec", "pods/attach", "pods/portforward"),
		rule("", "create", "pods/eviction", "serviceaccounts/token"),
		rule("", "get update patch", "pods/ephemeralcontainers", "pods/resize", "replicationcontrollers/scale"),
		rule("", "get", "namespaces/status", "services/status", "resourcequotas/status", "persistentvolumeclaims/status",
			"replicationcontrollers/status"),
		rule("", "get list watch create patch update delete", "events"),
		rule("events.k8s.io", "get list watch create patch update delete", "events"),
		rule("apps", verbsAll, "deployments", "statefulsets", "daemonsets", "replicasets", "controllerrevisions"),
		rule("apps", "get update patch", "deployments/scale", "statefulsets/scale", "replicasets/scale"),
		rule("apps", "get", "deployments/status", "statefulsets/status", "daemonsets/status", "replicasets/status"),
		rule("batch", verbsAll, "jobs", "cronjobs"),
		rule("batch", "get", "jobs/status", "cronjobs/status"),
		rule("autoscaling", verbsAll, "horizontalpodautoscalers"),
		rule("autoscaling", "get", "horizontalpodautoscalers/status"),
		rule("policy", verbsAll, "poddisruptionbudgets"),
		rule("policy", "get", "poddisruptionbudgets/status"),
		rule("networking.k8s.io", verbsAll, "networkpolicies", "ingresses", "ingressclasses"),
		rule("networking.k8s.io", "get", "ingresses/status"),
		rule("discovery.k8s.io", verbsAll, "endpointslices"),
		rule("coordination.k8s.io", verbsAll, "leases"),
	}
}

// clusterRules are what belongs to the whole cluster.
func clusterRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		rule("", "get list watch update patch delete", "nodes"),
		rule("", verbsAll, "persistentvolumes"),
		rule("rbac.authorization.k8s.io", verbsAll, "roles", "rolebindings", "clusterroles", "clusterrolebindings"),
		rule("storage.k8s.io", verbsAll, "storageclasses", "csidrivers", "volumeattachments", "volumeattributesclasses"),
		rule("storage.k8s.io", verbsRead, "csinodes", "csistoragecapacities"),
		rule("scheduling.k8s.io", verbsAll, "priorityclasses"),
		rule("node.k8s.io", verbsAll, "runtimeclasses"),
		rule("flowcontrol.apiserver.k8s.io", verbsAll, "flowschemas", "prioritylevelconfigurations"),
		rule("admissionregistration.k8s.io", verbsAll, "validatingadmissionpolicies", "validatingadmissionpolicybindings",
			"validatingwebhookconfigurations", "mutatingwebhookconfigurations"),
		rule("admissionregistration.k8s.io", "get", "validatingadmissionpolicies/status"),
		rule("apiextensions.k8s.io", verbsAll, "customresourcedefinitions"),
		rule("apiextensions.k8s.io", "get", "customresourcedefinitions/status"),
		rule("apiregistration.k8s.io", verbsAll, "apiservices"),
		rule("apiregistration.k8s.io", "get", "apiservices/status"),
		rule("certificates.k8s.io", "get list watch delete", "certificatesigningrequests"),
		// To look at only: a mutating policy changes what others write.
		rule("admissionregistration.k8s.io", verbsRead, "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"),
		rule("networking.k8s.io", verbsRead, "ipaddresses", "servicecidrs"),
		rule("resource.k8s.io", verbsRead, "resourceclaims", "resourceclaimtemplates", "deviceclasses", "resourceslices"),
	}
}

// observationRules are questions about the cluster and about one's own rights.
func observationRules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		// Parts of the kubelet's API that only read; nodes/proxy is exec in every pod.
		rule("", "get", "nodes/metrics", "nodes/stats", "nodes/healthz", "nodes/pods", "nodes/status"),
		rule("metrics.k8s.io", "get list", "nodes", "pods"),
		rule("authorization.k8s.io", "create", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews",
			"localsubjectaccessreviews"),
		rule("authentication.k8s.io", "create", "selfsubjectreviews", "tokenreviews"),
		// Discovery and health are everybody's through system:discovery.
		{
			Verbs:           []string{"get"},
			NonResourceURLs: []string{"/metrics", "/metrics/slis", "/livez", "/readyz", "/healthz"},
		},
	}
}
