package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// What lies inside the cluster comes in an order in which nothing waits in vain: the network plugin is strict, so the
// policies of the system's namespace are first, then the add-ons that run as pods, which need nodes (M21, M22, M23).
func TestBaselineOfProduction(t *testing.T) {
	t.Parallel()
	first := prepare(t, "aws-prod")
	made := first.mustUp()
	api := &simtest.APIServer{There: func() []string {
		var names []string
		for _, addon := range first.Cloud.Objects(addonToken) {
			names = append(names, addon.State.String("addonName"))
		}
		return names
	}}
	inside := environment{first.With(nil)}
	inside.Stack, inside.File, inside.Beside = "aws-prod-baseline", settingsFile("aws-prod-baseline"), append(inside.Beside, api.Provider())
	inside.mustUp()

	for _, word := range []string{"get-token", "aws-prod", made.Output("apiEndpoint")} {
		if !strings.Contains(api.Kubeconfig(), word) {
			t.Errorf("%q is not in the kubeconfig: %s", word, api.Kubeconfig())
		}
	}
	policies := api.Find("NetworkPolicy", "kube-system")
	for _, p := range policies {
		for _, addon := range []string{"coredns", "aws-ebs-csi-driver"} {
			if slices.Contains(p.Before, addon) {
				t.Errorf("%s was there before the policy %s", addon, p.Name)
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
	classes := api.Find("StorageClass", "")
	if len(classes) != 1 || classes[0].Value.String("parameters.kmsKeyId") != made.Output("volumesKeyArn") || classes[0].Value.String("parameters.encrypted") != "true" {
		t.Errorf("storage classes: %v", classes)
	}
	for _, kind := range []string{"NetworkPolicy", "ResourceQuota", "LimitRange"} {
		if len(api.Find(kind, "team-a")) == 0 {
			t.Errorf("the tenant has no %s", kind)
		}
	}
	tenant := slices.IndexFunc(api.Objects(), func(o simtest.KubernetesObject) bool { return o.Kind == "Namespace" && o.Name == "team-a" })
	if tenant < 0 || api.Objects()[tenant].Value.Texts("metadata.labels")["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Errorf("the tenant's namespace: %v", api.Objects())
	}
	simtest.Inside{Accounts: []string{"CIS-EKS-4.1.5"}, Pods: []string{"CIS-EKS-4.2.1", "CIS-EKS-4.2.2", "CIS-EKS-4.2.3", "CIS-EKS-4.2.4", "CIS-EKS-4.2.5", "M22"},
		Policies: []string{"CIS-EKS-4.3.2", "M21"}, Bounds: []string{"CIS-EKS-4.5.1", "M23", "M24"}, Denied: []string{"kube-system"}}.Judge(t, api.Objects())
	if again := inside.mustUp(); again.Changed() != 0 {
		t.Errorf("a second pass: %v", again.Changes)
	}
	if err := inside.Destroy(); err != nil || len(api.Objects()) > 0 {
		t.Errorf("left behind: %v %v", namesOf(api.Objects()), err)
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

func namesOf(objects []simtest.KubernetesObject) []string {
	var names []string
	for _, o := range objects {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
