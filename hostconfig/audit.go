package hostconfig

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"
)

// Audit says what the API server records and how long it keeps the records.
type Audit struct {
	// Policy is a whole audit policy in YAML that replaces the default. It must
	// still log what compliance needs and must not log secrets; see
	// [AuditDemands].
	Policy string `json:"policy,omitempty"`
	// MaxAgeDays, MaxBackups and MaxSizeMegabytes are the rotation of the log:
	// 30, 10 and 100 by default, which CIS 1.2.17 to 1.2.19 demand at least.
	MaxAgeDays       int `json:"maxAgeDays,omitempty"`
	MaxBackups       int `json:"maxBackups,omitempty"`
	MaxSizeMegabytes int `json:"maxSizeMegabytes,omitempty"`
}

// The least that CIS Kubernetes 1.2.17, 1.2.18 and 1.2.19 accept.
const (
	minimumAuditDays      = 30
	minimumAuditBackups   = 10
	minimumAuditMegabytes = 100
)

func (a Audit) withDefaults() Audit {
	setDefault(&a.MaxAgeDays, minimumAuditDays)
	setDefault(&a.MaxBackups, minimumAuditBackups)
	setDefault(&a.MaxSizeMegabytes, minimumAuditMegabytes)
	return a
}

// policy gives the policy that is in force.
func (a Audit) policy() (*auditv1.Policy, error) {
	if a.Policy == "" {
		return defaultAuditPolicy(), nil
	}
	policy := &auditv1.Policy{}
	if err := yaml.UnmarshalStrict([]byte(a.Policy), policy); err != nil {
		return nil, err
	}
	return policy, nil
}

func (c ControlPlane) auditPolicyFile() (File, error) {
	policy, err := c.Audit.policy()
	if err != nil {
		return File{}, fmt.Errorf("audit policy: %w", err)
	}
	contents, err := renderYAML(policy)
	if err != nil {
		return File{}, fmt.Errorf("audit policy: %w", err)
	}
	return File{Path: c.Paths.AuditPolicy(), Mode: modePrivate, Contents: contents}, nil
}

// defaultAuditPolicy uses all four levels. The first rule that matches decides,
// so the order is: what must never be logged in full, what must always be, what
// is noise, and then the rest. No rule for noise stands before the first two.
func defaultAuditPolicy() *auditv1.Policy {
	changes := []string{"create", "update", "patch", "delete", "deletecollection"}
	in := func(group string, resources ...string) auditv1.GroupResources {
		return auditv1.GroupResources{Group: group, Resources: resources}
	}
	return &auditv1.Policy{
		TypeMeta:          metav1.TypeMeta{APIVersion: "audit.k8s.io/v1", Kind: "Policy"},
		OmitStages:        []auditv1.Stage{auditv1.StageRequestReceived},
		OmitManagedFields: true,
		Rules: []auditv1.PolicyRule{
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
			{Level: auditv1.LevelRequestResponse, Verbs: changes, Resources: []auditv1.GroupResources{
				in("rbac.authorization.k8s.io"),
				in("admissionregistration.k8s.io"),
				in("certificates.k8s.io"),
				in("apiregistration.k8s.io"),
				in("apiextensions.k8s.io", "customresourcedefinitions"),
			}},
			// Noise: what the system itself reads all the time.
			{Level: auditv1.LevelNone, NonResourceURLs: []string{"/livez*", "/readyz*", "/healthz*"}},
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
			{Level: auditv1.LevelRequest, Verbs: changes},
			{Level: auditv1.LevelMetadata},
		},
	}
}
