package aws_test

import (
	"slices"
	"strings"
	"testing"
)

// What lies inside the cluster comes in an order in which nothing waits in vain: the network plugin is strict, so the
// policies of the system's namespace are first, then the add-ons that run as pods, which need nodes (M21, M22, M23).
func TestBaselineOfProduction(t *testing.T) {
	t.Parallel()
	first := prepare(t, "aws-prod")
	made := first.mustUp()
	api := &apiServer{cloud: first.Cloud}
	inside := environment{first.With(nil)}
	inside.Stack, inside.File, inside.Beside = "aws-prod-baseline", settingsFile("aws-prod-baseline"), append(inside.Beside, api.provider())
	inside.mustUp()

	for _, word := range []string{"get-token", "aws-prod", made.Output("apiEndpoint")} {
		if !strings.Contains(api.config, word) {
			t.Errorf("%q is not in the kubeconfig: %s", word, api.config)
		}
	}
	policies := api.find("NetworkPolicy", "kube-system")
	for _, p := range policies {
		for _, addon := range []string{"coredns", "aws-ebs-csi-driver"} {
			if slices.Contains(p.before, addon) {
				t.Errorf("%s was there before the policy %s", addon, p.name)
			}
		}
	}
	if names := namesOf(policies); !slices.Equal(names, []string{"default-deny", "dns", "ebs-csi"}) {
		t.Errorf("policies %v", names)
	}
	for _, addon := range []string{"coredns", "aws-ebs-csi-driver"} {
		span := spanOf(t, first.Cloud, 0, addonToken, "aws-prod-"+addon)
		for _, pool := range []string{"aws-prod-general", "aws-prod-restricted"} {
			if nodes := spanOf(t, first.Cloud, 0, groupToken, pool); span.Start.Before(nodes.End) {
				t.Errorf("%s began at %s, and nodes of %s were there at %s", addon, span.Start, pool, nodes.End)
			}
		}
	}
	classes := api.find("StorageClass", "")
	if len(classes) != 1 || classes[0].value.String("parameters.kmsKeyId") != made.Output("volumesKeyArn") || classes[0].value.String("parameters.encrypted") != "true" {
		t.Errorf("storage classes: %v", classes)
	}
	for _, kind := range []string{"NetworkPolicy", "ResourceQuota", "LimitRange"} {
		if len(api.find(kind, "team-a")) == 0 {
			t.Errorf("the tenant has no %s", kind)
		}
	}
	tenant := slices.IndexFunc(api.objects, func(o object) bool { return o.kind == "Namespace" && o.name == "team-a" })
	if tenant < 0 || api.objects[tenant].value.Texts("metadata.labels")["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("the tenant's namespace: %v", api.objects)
	}
	api.judge(t)
	if again := inside.mustUp(); again.Changed() != 0 {
		t.Errorf("a second pass: %v", again.Changes)
	}
	if err := inside.Destroy(); err != nil || len(api.objects) > 0 {
		t.Errorf("left behind: %v %v", namesOf(api.objects), err)
	}
	for _, o := range first.Cloud.Objects(addonToken) {
		if slices.Contains([]string{"coredns", "aws-ebs-csi-driver"}, o.State.String("addonName")) {
			t.Errorf("left behind: %s", o.ID)
		}
	}
}

// A baseline without a first stack that is up says what to do.
func TestBaselineComesSecond(t *testing.T) {
	t.Parallel()
	first := prepare(t, "aws-prod")
	if _, err := first.preview(); err != nil { // the stack is there, and nothing in it
		t.Fatal(err)
	}
	inside := environment{first.With(nil)}
	inside.Stack, inside.File = "aws-prod-baseline", settingsFile("aws-prod-baseline")
	_, err := inside.up()
	refused(t, err, "redoubt:cluster: the stack aws-prod has no output", "bring it up first: pulumi up -s aws-prod")
}

func namesOf(objects []object) []string {
	var names []string
	for _, o := range objects {
		names = append(names, o.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
