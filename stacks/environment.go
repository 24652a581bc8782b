package stacks

import (
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/components/local"
	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/settings"
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
	Baseline     baseline.Spec
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

// ReadEnvironment reads and checks the settings of a stack. The error names
// every setting that is wrong.
func ReadEnvironment(ctx *pulumi.Context) (Environment, error) {
	r := settings.New(ctx)
	env := Environment{Name: r.Environment(), Root: settings.Root(ctx)}
	env.Platform = r.Text("platform", "")
	env.KubernetesVersion = r.Text("kubernetesVersion", "v1.35.4")
	env.StateDirectory = absolute(env.Root, r.Text("stateDirectory", filepath.Join(".state", env.Name)))
	env.ProgramsDirectory = absolute(env.Root, r.Text("programsDirectory", envOr("REDOUBT_BIN_DIR", "bin")))
	if workers, set := r.Number("workers", 0); set {
		env.Workers = &workers
	}
	env.PortOffset, _ = r.Number("portOffset", 0)
	r.Object("network", &env.Network)
	r.Object("encryption", &env.Encryption)
	r.Object("oidc", &env.OIDC)
	r.Object("audit", &env.Audit)
	r.Object("certificates", &env.Certificates)
	r.Object("podSecurity", &env.PodSecurity)
	r.Object("extraArgs", &env.ExtraArgs)
	r.Object("extraKubelet", &env.ExtraKubelet)
	r.Object("nodeLabels", &env.NodeLabels)
	r.Object("baseline", &env.Baseline)
	r.Object("tenants", &env.Tenants)
	r.Object("exceptions", &env.Exceptions)
	r.RefuseUnknown()
	incluster.CheckBaseline(r, env.Baseline, env.Exceptions, time.Now())
	incluster.CheckOwn(r, env.Baseline)
	incluster.CheckTenants(r, env.Tenants, env.Baseline, env.Exceptions)
	return env, r.Err()
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
