package hostconfig

import (
	"fmt"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"
)

// AuditProfile names a policy of this package.
type AuditProfile string

const (
	// AuditStandard records every change with what was asked for, and leaves out
	// what the system itself reads all the time (CIS Kubernetes 3.2.1, 3.2.2).
	AuditStandard AuditProfile = "standard"
	// AuditVerbose leaves out only health checks, and records every change with
	// what was asked for and what came of it. Expect several times the volume.
	AuditVerbose AuditProfile = "verbose"
)

// Audit says what the API server records and how long it keeps the records.
// Neither profile records the body of a secret, a config map or a token.
type Audit struct {
	// Profile is AuditStandard by default; empty when a Policy is written.
	Profile AuditProfile `json:"profile,omitempty"`
	// Policy is a whole audit policy in YAML in place of a profile. It must
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
	if a.Policy == "" {
		setDefault(&a.Profile, AuditStandard)
	}
	setDefault(&a.MaxAgeDays, minimumAuditDays)
	setDefault(&a.MaxBackups, minimumAuditBackups)
	setDefault(&a.MaxSizeMegabytes, minimumAuditMegabytes)
	return a
}

// policy gives the policy that is in force.
func (a Audit) policy() (*auditv1.Policy, error) {
	switch {
	case a.Policy == "" && a.Profile == AuditVerbose:
		return verboseAuditPolicy(), nil
	case a.Policy == "":
		return standardAuditPolicy(), nil
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
