package gcp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
	"github.com/redoubt-dev/redoubt/test/simcloud/simtest"
)

// inside is the second stack of an environment, beside the first.
func (e environment) inside(api *simtest.APIServer) environment {
	second := environment{e.With(nil)}
	second.Stack = e.Stack + "-baseline"
	second.File, second.Beside = settingsFile(second.Stack), append(slices.Clone(second.Beside), api.Provider())
	return second
}

// What lies inside the cluster is what the first stack gave out: its endpoint, the key of its disks. CIS GKE 4.1.4, 4.2.1,
// 4.3.2, 4.6.1 and 5.9.1 are upheld there (M19, M20, M21, M22, M23).
func TestBaselineOfProduction(t *testing.T) {
	t.Parallel()
	first := prepare(t, "gcp-prod")
	made := first.mustUp()
	api := &simtest.APIServer{}
	second := first.inside(api)
	second.mustUp()

	for _, word := range []string{"gke-gcloud-auth-plugin", "server: " + made.Output("apiEndpoint"), made.Output("certificateAuthority")} {
		if word == "" || !strings.Contains(api.Kubeconfig(), word) {
			t.Errorf("%q is not in the kubeconfig: %s", word, api.Kubeconfig())
		}
	}
	classes := api.Find("StorageClass", "")
	if len(classes) != 1 {
		t.Fatalf("storage classes: %v", classes)
	}
	class := classes[0].Value
	if key := class.String("parameters.disk-encryption-kms-key"); key != made.Output("disksKeyId") || !strings.HasSuffix(key, "/cryptoKeys/gcp-prod-disks") ||
		class.Texts("metadata.annotations")["storageclass.kubernetes.io/is-default-class"] != "true" {
		t.Errorf("CIS-GKE-5.9.1: %v", class)
	}
	// What GKE puts into kube-system has its flows and no others; names are asked of the cloud, on the port of DNS alone.
	held := map[string]bool{}
	for _, o := range api.Find("NetworkPolicy", "kube-system") {
		held[o.Name] = true
	}
	for _, name := range []string{"default-deny", "dns", "konnectivity-agent", "metrics-server", "event-exporter", "l7-default-backend"} {
		if !held[name] {
			t.Errorf("M21: kube-system has no policy %s", name)
		}
	}
	simtest.Inside{Accounts: []string{"CIS-GKE-4.1.4"}, Pods: []string{"CIS-GKE-4.2.1", "M22"}, Policies: []string{"CIS-GKE-4.3.2", "M21"},
		Bounds: []string{"CIS-GKE-4.6.1", "M23", "M24"}}.Judge(t, api.Objects())
	if again := second.mustUp(); again.Changed() != 0 {
		t.Errorf("a second pass: %v", again.Changes)
	}
	tunnel, err := second.set(map[string]string{"endpoint": "https://localhost:8443"}).up()
	if err != nil || tunnel.Replaces() > 0 || !strings.Contains(api.Kubeconfig(), "server: https://localhost:8443") {
		t.Errorf("through a tunnel: %v %v", err, tunnel.Changes)
	}
	if err := second.Destroy(); err != nil || len(api.Objects()) > 0 {
		t.Errorf("left behind: %v %v", api.Objects(), err)
	}
}

// A baseline without a first stack that is up, or that failed before it had nodes, says what to do.
func TestBaselineComesSecond(t *testing.T) {
	t.Parallel()
	first := prepare(t, "gcp-dev")
	if _, err := first.preview(); err != nil { // the stack is there, and nothing in it
		t.Fatal(err)
	}
	_, err := first.inside(&simtest.APIServer{}).up()
	refused(t, err, "redoubt:cluster: the stack gcp-dev has no output", "bring it up first: pulumi up -s gcp-dev")

	first.Cloud.Inject(simcloud.Fault{Operation: simcloud.Create, Type: poolToken, Err: simcloud.Errorf("badRequest", "no machines")})
	_, err = first.up()
	refused(t, err, "no machines")
	_, err = first.inside(&simtest.APIServer{}).up()
	refused(t, err, "redoubt:cluster: the stack gcp-dev has no output")
}
