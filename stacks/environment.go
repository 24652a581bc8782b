package stacks

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/local"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
)

// Environment is what a stack's settings say, typed and with defaults.
type Environment struct {
	// Name is the stack's name: a DNS label of at most 32 characters.
	Name string
	// Platform is "local".
	Platform string
	// Root is the directory of Pulumi.yaml.
	Root string
	// StateDirectory holds the data and logs of a local cluster.
	StateDirectory string
	// ProgramsDirectory holds the programs of a local cluster.
	ProgramsDirectory string
	KubernetesVersion string
	// Workers is nil when not set.
	Workers      *int
	PortOffset   int
	Network      NetworkSettings
	Encryption   EncryptionSettings
	OIDC         []hostconfig.OIDCIssuer
	Audit        hostconfig.Audit
	Certificates hostconfig.CertificateLifetimes
	PodSecurity  hostconfig.PodSecurity
	ExtraArgs    map[string]map[string]string
	ExtraKubelet map[string]any
	NodeLabels   map[string]string
	Tenants      []baseline.TenantSpec
	Exceptions   []hostconfig.Exception
}

// NetworkSettings are the ranges of a local cluster.
type NetworkSettings struct {
	NodeCIDR     string `json:"nodeCIDR"`
	PodCIDR      string `json:"podCIDR"`
	ServiceCIDR  string `json:"serviceCIDR"`
	OperatorCIDR string `json:"operatorCIDR"`
}

// EncryptionSettings say how the API server encrypts what it stores.
type EncryptionSettings struct {
	Provider    string   `json:"provider"`
	KeyName     string   `json:"keyName"`
	Resources   []string `json:"resources"`
	KMSName     string   `json:"kmsName"`
	KMSEndpoint string   `json:"kmsEndpoint"`
}

var environmentName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

// ReadEnvironment reads and checks the settings of a stack. The error names
// every setting that is wrong.
func ReadEnvironment(ctx *pulumi.Context) (Environment, error) {
	r := &reader{ctx: ctx}
	env := Environment{Name: ctx.Stack(), Root: root(ctx)}
	if !environmentName.MatchString(env.Name) {
		r.problems = append(r.problems, fmt.Errorf("the stack is named %q: use at most 32 lower-case letters, digits and dashes, beginning with a letter", env.Name))
	}
	env.Platform = r.text("platform", "")
	env.KubernetesVersion = r.text("kubernetesVersion", "v1.35.4")
	env.StateDirectory = absolute(env.Root, r.text("stateDirectory", filepath.Join(".state", env.Name)))
	env.ProgramsDirectory = absolute(env.Root, r.text("programsDirectory", envOr("REDOUBT_BIN_DIR", "bin")))
	if workers, set := r.number("workers", 0); set {
		env.Workers = &workers
	}
	env.PortOffset, _ = r.number("portOffset", 0)
	r.object("network", &env.Network)
	r.object("encryption", &env.Encryption)
	r.object("oidc", &env.OIDC)
	r.object("audit", &env.Audit)
	r.object("certificates", &env.Certificates)
	r.object("podSecurity", &env.PodSecurity)
	r.object("extraArgs", &env.ExtraArgs)
	r.object("extraKubelet", &env.ExtraKubelet)
	r.object("nodeLabels", &env.NodeLabels)
	r.object("tenants", &env.Tenants)
	r.object("exceptions", &env.Exceptions)
	r.refuseUnknown(env.Root)
	for i, tenant := range env.Tenants {
		if err := tenant.Validate(); err != nil {
			r.problem(fmt.Sprintf("tenants[%d]", i), "%v", err)
		}
	}
	return env, errors.Join(r.problems...)
}

// clusterArgs are the settings as the local component takes them.
func (e Environment) clusterArgs(host local.HostFacts) *local.ClusterArgs {
	workers := host.DefaultWorkers()
	if e.Workers != nil {
		workers = *e.Workers
	}
	network, encryption := local.NetworkArgs(e.Network), local.EncryptionArgs(e.Encryption)
	return &local.ClusterArgs{
		Environment: e.Name, StateDirectory: e.StateDirectory, ProgramsDirectory: e.ProgramsDirectory,
		Isolated: host.Isolation, Workers: workers, KubernetesVersion: e.KubernetesVersion,
		Network: &network, PortOffset: e.PortOffset, Encryption: &encryption,
		CgroupV1: host.CgroupV1, RestrictOOMScoreAdj: host.RestrictOOMScoreAdj,
		OIDC: e.OIDC, Audit: e.Audit, Certificates: e.Certificates, PodSecurity: e.PodSecurity,
		ExtraArgs: e.ExtraArgs, ExtraKubelet: e.ExtraKubelet, NodeLabels: e.NodeLabels, Exceptions: e.Exceptions,
	}
}

// root is the directory of Pulumi.yaml. REDOUBT_ROOT replaces it where a
// program drives the engine from elsewhere.
func root(ctx *pulumi.Context) string { return envOr("REDOUBT_ROOT", ctx.RootDirectory()) }

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func absolute(root, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(root, path)
}
