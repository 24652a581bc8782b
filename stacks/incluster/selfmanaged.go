package incluster

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/stacks/settings"
)

// SelfManagedEnvironment is what the settings of a second stack say: what lies
// inside a cluster that runs itself, on whichever cloud. It is run where its load
// balancer is reached.
type SelfManagedEnvironment struct {
	// Platform is that of the first stack with -baseline at its end.
	Platform string `json:"platform" jsonschema:"required"`
	// Cluster is the first stack: its name, or organization/project/stack. Required.
	Cluster string `json:"cluster" jsonschema:"required"`
	// Credential is the program that gives a token of the identity provider. Required.
	Credential Credential `json:"credential" jsonschema:"required"`
	// Baseline is what the cluster gets once, whatever runs in it. Its
	// policies.registries are required: no cloud's own registry stands in for them.
	Baseline baseline.Spec `json:"baseline" jsonschema:"required"`
	// Tenants are namespaces with Pod Security "restricted", default-deny network
	// policies, a quota and limits.
	Tenants []baseline.TenantSpec `json:"tenants,omitempty"`
	// Exceptions accept risks: each names a control, a reason and an expiry at most
	// a year away.
	Exceptions []hostconfig.Exception `json:"exceptions,omitempty"`
}

// Credential is a program that clients of Kubernetes ask for a short-lived token.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
type Credential struct {
	// Command is the program, such as kubectl-oidc_login.
	Command string `json:"command" jsonschema:"required"`
	// Arguments are given to it.
	Arguments []string `json:"arguments,omitempty"`
}

func readSelfManaged(ctx *pulumi.Context) (SelfManagedEnvironment, error) {
	var e SelfManagedEnvironment
	r := settings.New(ctx)
	r.Environment()
	r.Struct(&e)
	r.RefuseUnknown()
	if r.Err() == nil {
		e.validate(r, time.Now())
	}
	return e, r.Err()
}

func (e SelfManagedEnvironment) validate(r *settings.Reader, now time.Time) {
	if e.Cluster == "" {
		r.Add("cluster", "is missing", "write the name of the first stack, such as aws-flatcar")
	}
	if e.Credential.Command == "" {
		r.Add("credential.command", "is missing: no kubeconfig with a credential of its own is ever made", "write the program of your identity provider, such as kubectl-oidc_login")
	}
	r.Report("", hostconfig.CheckExceptions("exceptions", e.Exceptions, now), nil)
	r.Report("", e.Baseline.WithAPIServers(known).Validate("baseline", e.Exceptions, now), nil)
	CheckTenants(r, e.Tenants, e.Baseline, e.Exceptions)
}

// Outputs are the names of the first stack's outputs.
type Outputs struct{ Cluster, Endpoint, Authority string }

// kubeadmUser is the identity in kubeadm's own kubeconfig, which is on control planes alone and lives for a day. A control
// plane that is replaced writes kubeadm's roles and bindings again; policies on roles must let it, or it stays half a control
// plane. https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/create-cluster-kubeadm/
const kubeadmUser = "kubernetes-admin"

// SelfManaged is the second stack of an environment with a cluster that runs
// itself. The resolver is that of the cloud, which the cluster's DNS asks.
func SelfManaged(from Outputs, resolver string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		e, err := readSelfManaged(ctx)
		if err != nil {
			return err
		}
		of, err := Read(ctx, e.Cluster)
		if err != nil {
			return err
		}
		cluster, endpoint, authority := of.Text(from.Cluster), of.Text(from.Endpoint), of.Text(from.Authority)
		spec := e.Baseline.WithAPIServers(of.Endpoints(OutputAPIServers)...).WithResolvers(resolver).WithSystemUsers(kubeadmUser)
		if err := of.Err(); err != nil {
			return err
		}
		config, err := Kubeconfig(cluster, endpoint, authority, "", clientcmdv1.ExecConfig{Command: e.Credential.Command, Args: e.Credential.Arguments,
			InstallHint: fmt.Sprintf("install %s, which gives a token of the identity provider", e.Credential.Command)})
		if err != nil {
			return err
		}
		api, err := Provider(ctx, cluster, config)
		if err != nil {
			return err
		}
		_, err = Baseline(ctx, cluster, &baseline.Args{Spec: spec, Exceptions: e.Exceptions, Kubeconfig: Reached(config), Bootstrapped: true},
			e.Tenants, pulumi.Provider(api))
		return err
	}
}
