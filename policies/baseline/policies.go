package baseline

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/redoubt-dev/redoubt/policies/baseline/admission"
	"github.com/redoubt-dev/redoubt/policies/baseline/admission/probe"
)

// provingTime bounds the wait for policies to take effect, which takes a second or
// two; an API server that is reached through a tunnel takes its time to answer.
const provingTime = time.Minute

// newPolicies registers the admission policies (M25). A policy that changes gets a
// name of its own: the engine makes it, this waits until it was seen to refuse
// something, and only then does the engine remove the one before. The output is
// known once all are in force.
func newPolicies(ctx *pulumi.Context, name string, args *Args, parent pulumi.ResourceOption) (pulumi.StringOutput, error) {
	settings, kubeconfig := args.Spec.Policies, args.Kubeconfig
	patience := args.Patience
	if patience == 0 {
		patience = provingTime
	}
	rendered, parameters, err := admission.Render(settings, append(admission.Catalogue(), args.Policies...))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	// What a policy reads is there before it, and goes after it: a policy without its
	// parameters refuses everything.
	parametersMade, err := newObject(ctx, name+"-parameters", parameters, parent)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	var ready []any
	count := map[string]bool{}
	for _, r := range rendered {
		for _, p := range r.Members {
			count[p.ID] = true
		}
		id := name + "-" + r.ID
		policy, err := newObject(ctx, id, r.Policy, parent, pulumi.DependsOn([]pulumi.Resource{parametersMade}))
		if err != nil {
			return pulumi.StringOutput{}, err
		}
		for _, binding := range r.Bindings {
			made, err := newBinding(ctx, id+binding.Name[len(r.Policy.Name):]+"-binding", binding, policy, parent)
			if err != nil {
				return pulumi.StringOutput{}, err
			}
			ready = append(ready, made.ID())
		}
	}
	if kubeconfig == nil {
		kubeconfig = pulumi.String("")
	}
	return pulumi.All(append(ready, kubeconfig)...).ApplyTWithContext(ctx.Context(), func(within context.Context, values []any) (string, error) {
		text, _ := values[len(values)-1].(string)
		in := fmt.Sprintf("%d policies", len(count))
		if text == "" || ctx.DryRun() {
			return in, nil
		}
		config, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
		if err != nil {
			return "", fmt.Errorf("the kubeconfig of the baseline: %w", err)
		}
		// Read now, or client-go watches the files, long after the program needs them.
		if err := rest.LoadTLSFiles(config); err != nil {
			return "", fmt.Errorf("the kubeconfig of the baseline: %w", err)
		}
		within, cancel := context.WithTimeout(within, patience)
		defer cancel()
		return in, probe.Await(within, config, settings, rendered)
	}).(pulumi.StringOutput), nil
}

// levels are those of Pod Security in the namespaces that Kubernetes makes itself
// (M22): nothing runs in them but what the network and the volumes of nodes need,
// in kube-system, which has to be privileged and is looked at all the same.
var levels = map[string]struct{ enforce, report string }{
	"default": {"restricted", "restricted"}, "kube-public": {"restricted", "restricted"}, "kube-node-lease": {"restricted", "restricted"},
	"kube-system": {"privileged", "baseline"},
}

// newLevels labels namespaces that others have made, and makes those of the system
// that nobody makes, which it gives by their names.
func newLevels(ctx *pulumi.Context, name, version string, settings admission.Settings, parent pulumi.ResourceOption) (made map[string]pulumi.Resource, err error) {
	made = map[string]pulumi.Resource{}
	all := maps.Clone(levels)
	for _, namespace := range settings.SystemNamespaces {
		level := namespace.PodSecurity
		if level == "" {
			level = "restricted"
		}
		if !namespace.Create {
			all[namespace.Name] = struct{ enforce, report string }{level, level}
			continue
		}
		labels := levelLabels(level, level, version)
		labels[admission.LabelManagedBy], labels[admission.LabelSystem] = pulumi.String(admission.ManagedBy), pulumi.String("true")
		namespaceMade, err := corev1.NewNamespace(ctx, name+"-"+namespace.Name, &corev1.NamespaceArgs{
			Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String(namespace.Name), Labels: labels, Annotations: force()},
		}, parent)
		if err != nil {
			return nil, err
		}
		made[namespace.Name] = namespaceMade
		if err := withoutToken(ctx, name+"-"+namespace.Name, namespaceMade.Metadata.Name().Elem(), parent); err != nil {
			return nil, err
		}
	}
	for namespace, level := range all {
		_, err := corev1.NewNamespacePatch(ctx, name+"-"+namespace+"-level", &corev1.NamespacePatchArgs{
			Metadata: &metav1.ObjectMetaPatchArgs{Name: pulumi.String(namespace), Labels: levelLabels(level.enforce, level.report, version), Annotations: force()},
		}, parent)
		if err != nil {
			return nil, err
		}
	}
	return made, nil
}

// levelLabels are the labels of Pod Security, their meaning pinned to a version.
func levelLabels(enforce, report, version string) pulumi.StringMap {
	if version == "" {
		version = podSecurityVersion
	}
	labels := pulumi.StringMap{}
	for mode, level := range map[string]string{"enforce": enforce, "audit": report, "warn": report} {
		labels[podSecurityPrefix+mode] = pulumi.String(level)
		labels[podSecurityPrefix+mode+"-version"] = pulumi.String(version)
	}
	return labels
}

// podSecurityVersion is the oldest minor that is supported.
const podSecurityVersion = "v1.35"
