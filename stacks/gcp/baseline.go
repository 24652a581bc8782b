package gcp

import (
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/nodeaudit"
	"github.com/redoubt-dev/redoubt/stacks/incluster"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// BaselineEnvironment is what the settings of a second stack say: what lies
// inside the cluster. It is run where the private endpoint is reached.
type BaselineEnvironment struct {
	// Platform is gcp-baseline.
	Platform string `json:"platform" jsonschema:"required"`
	// Cluster is the first stack: its name, or organization/project/stack. Required.
	Cluster string `json:"cluster" jsonschema:"required"`
	// Endpoint replaces that of the cluster, for a tunnel: https://localhost:8443.
	Endpoint string `json:"endpoint,omitempty"`
	// Baseline is what the cluster gets once, whatever runs in it.
	Baseline baseline.Spec `json:"baseline,omitempty"`
	// Tenants are namespaces with Pod Security "restricted", default-deny network
	// policies, a quota and limits.
	Tenants []baseline.TenantSpec `json:"tenants,omitempty"`
	// NodeAudit has nodes run the audit daemon of Linux, and its records sent to Cloud
	// Logging (CIS GKE 5.7.2). Clusters of Autopilot have no nodes of their own for it.
	NodeAudit *nodeaudit.Settings `json:"nodeAudit,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// systemUsers are what GKE itself acts as in a cluster. Names that begin with
// "system:" are Kubernetes' own: no user of Google Cloud has one.
var systemUsers = []string{"system:addon-manager", "system:gke-*"}

// readBaseline reads and checks the settings of a second stack.
func readBaseline(ctx *pulumi.Context) (BaselineEnvironment, error) {
	var e BaselineEnvironment
	r := settings.New(ctx)
	r.Environment()
	r.Struct(&e)
	r.RefuseUnknown()
	e.validate(r, time.Now())
	return e, r.Err()
}

func (e BaselineEnvironment) validate(r *settings.Reader, now time.Time) {
	if e.Cluster == "" {
		r.Add("cluster", "is missing", "write the name of the first stack, such as gcp-prod")
	}
	r.Report("", hostconfig.CheckExceptions("exceptions", e.Exceptions, now), nil)
	if e.NodeAudit != nil {
		r.Report("", e.NodeAudit.Validate("nodeAudit"), nil)
	}
	incluster.CheckBaseline(r, e.spec(), e.Exceptions, now)
	incluster.CheckTenants(r, e.Tenants, e.Baseline, e.Exceptions)
}

// spec is the baseline with the namespaces that other settings ask for.
func (e BaselineEnvironment) spec() baseline.Spec {
	if e.NodeAudit == nil {
		return e.Baseline
	}
	return e.Baseline.WithSystemNamespaces(nodeaudit.SystemNamespace())
}

// registryOf is a project's own registry, from which images come by default.
// https://cloud.google.com/artifact-registry/docs/repositories/repo-locations
func registryOf(project, region string) string { return region + "-docker.pkg.dev/" + project }

// inCluster is the second stack of an environment.
func inCluster(ctx *pulumi.Context) error {
	e, err := readBaseline(ctx)
	if err != nil {
		return err
	}
	of, err := incluster.Read(ctx, e.Cluster)
	if err != nil {
		return err
	}
	name, endpoint, authority, key := of.Text(outputCluster), of.Text(outputEndpoint), of.Text(outputAuthority), of.Text(outputDisksKey)
	of.Value(outputNodePools) // pods need nodes
	if err := of.Err(); err != nil {
		return err
	}
	serverName := ""
	if e.Endpoint != "" {
		endpoint, serverName = e.Endpoint, "kubernetes" // which every API server's certificate has
	}
	config, err := kubeconfig(name, endpoint, authority, serverName)
	if err != nil {
		return err
	}
	api, err := incluster.Provider(ctx, name, config)
	if err != nil {
		return err
	}
	in := pulumi.Provider(api)
	// https://cloud.google.com/kubernetes-engine/docs/how-to/using-cmek#dynamically_provision_an_encrypted_persistent_volume
	disks := map[string]string{"type": "pd-balanced", "disk-encryption-kms-key": key}
	if err := baseline.NewEncryptedStorage(ctx, name, "pd.csi.storage.gke.io", disks, in); err != nil {
		return err
	}
	registry := registryOf(of.Text(outputProject), of.Text(outputRegion))
	if err := of.Err(); err != nil {
		return err
	}
	spec := e.spec().WithRegistries(registry).WithSystemUsers(systemUsers...).WithAPIServers(of.Endpoints(incluster.OutputAPIServers)...).WithResolvers(linkLocalResolver)
	spec.Network.PodsAskResolvers = true // Cloud DNS
	if err := of.Err(); err != nil {
		return err
	}
	made, err := incluster.Baseline(ctx, name, &baseline.Args{Spec: spec, SystemWorkloads: systemWorkloads, Exceptions: e.Exceptions, Kubeconfig: incluster.Reached(config)}, e.Tenants, in)
	if err != nil || e.NodeAudit == nil {
		return err
	}
	return baseline.NewNodeAudit(ctx, name+"-node-audit", *e.NodeAudit, nodeaudit.Cluster{Name: name, Location: of.Text(outputRegion)}, made, in)
}
