// Command existing-cluster puts Redoubt's baseline into the cluster of KUBECONFIG,
// whoever made it: admission policies that audit first. See README.md.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/hostconfig"
	"github.com/redoubt-dev/redoubt/policies/baseline"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
)

func main() { pulumi.Run(program) }

func program(ctx *pulumi.Context) error {
	settings := config.New(ctx, "")
	spec := baseline.Spec{Policies: admission.Settings{Mode: admission.Mode(settings.Get("mode"))}}
	if err := settings.TryObject("registries", &spec.Policies.Registries); err != nil {
		return err
	}
	kubeconfig, err := current()
	if err != nil {
		return err
	}
	api, err := kubernetes.NewProvider(ctx, "cluster", &kubernetes.ProviderArgs{Kubeconfig: pulumi.String(kubeconfig), EnableServerSideApply: pulumi.Bool(true)})
	if err != nil {
		return err
	}
	args := &baseline.Args{Spec: spec, Kubeconfig: pulumi.String(kubeconfig)}
	if until := settings.Get("until"); until != "" {
		args.Exceptions = []hostconfig.Exception{{Control: admission.ControlEnforcement, Reason: "workloads are brought up to the policies", Expires: until}}
	}
	made, err := baseline.NewBaseline(ctx, "baseline", args, pulumi.Provider(api))
	if err != nil {
		return err
	}
	ctx.Export("inForce", made.InForce)
	return nil
}

// current is the kubeconfig that kubectl would use, all files merged.
func current() (string, error) {
	raw, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		return "", err
	}
	text, err := clientcmd.Write(*raw)
	return string(text), err
}
