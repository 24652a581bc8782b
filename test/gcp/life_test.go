package gcp_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// Every environment is planned as it is made, made again without a change, found as it was made, and removed with
// nothing left but what must outlive it. One that holds data is removed only on purpose (M43).
func TestLifeOfEnvironments(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gcp-dev", "gcp-prod"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := prepare(t, name)
			before := keysOf(e.Cloud)
			planned, err := e.preview()
			if err != nil {
				t.Fatal(err)
			}
			if made := keysOf(e.Cloud); !slices.Equal(made, before) {
				t.Errorf("a preview made %v", made)
			}
			made := e.mustUp()
			if made.Creates() != planned.Creates() || made.Changed() != made.Creates() {
				t.Errorf("planned %v, did %v", planned.Changes, made.Changes)
			}
			outputs(t, name, made.Output)
			if again := e.mustUp(); again.Changed() != 0 || again.Same() != made.Creates() {
				t.Errorf("a second pass: %v", again.Changes)
			}
			if drift, err := e.Refresh(); err != nil || drift.Changed() != 0 {
				t.Errorf("drift where there is none: %v %v", drift.Changes, err)
			}
			if nothing, err := e.preview(); err != nil || nothing.Changed() != 0 {
				t.Errorf("a preview of no change: %v %v", nothing.Changes, err)
			}
			if name == "gcp-prod" {
				all := keysOf(e.Cloud)
				refused(t, e.Destroy(), "container/cluster:Cluster gcp-prod", "kms/cryptoKey:CryptoKey gcp-prod-secrets", "unprotected: true", "nothing of it was removed")
				if left := keysOf(e.Cloud); !slices.Equal(left, all) {
					t.Fatalf("refused, but gone: %d of %d are left", len(left), len(all))
				}
				// The provider's own protection of the cluster goes with that of the engine.
				freed := e.set(map[string]string{"unprotected": "true"}).mustUp()
				if freed.Updates() != 1 || freed.Changed() != 1 {
					t.Errorf("without protection: %v", freed.Changes)
				}
			}
			if err := e.Destroy(); err != nil {
				t.Fatal(err)
			}
			if left := beyond(e.Cloud, before); !slices.Equal(left, outlives[name]) {
				t.Errorf("left behind:\n%s\nmust outlive it:\n%s", strings.Join(left, "\n"), strings.Join(outlives[name], "\n"))
			}
		})
	}
}

// outlives is what a destroy leaves: a locked archive with the key without which nobody reads it.
var outlives = map[string][]string{
	"gcp-prod": {
		"gcp:kms/cryptoKey:CryptoKey projects/redoubt-prod-4711/locations/europe-west3/keyRings/gcp-prod/cryptoKeys/gcp-prod-logs",
		"gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember projects/redoubt-prod-4711/locations/europe-west3/keyRings/gcp-prod/cryptoKeys/gcp-prod-logs/roles/cloudkms.cryptoKeyEncrypterDecrypter/serviceAccount:service-471100000001@gs-project-accounts.iam.gserviceaccount.com",
		"gcp:storage/bucket:Bucket gcp-prod-audit-redoubt-prod-4711-europe-west3",
	},
}

// Names of keys are taken for ever: what comes again under the same name takes another generation.
func TestKeysOfAnEnvironmentThatComesAgain(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-dev")
	e.mustUp()
	if err := e.Destroy(); err != nil {
		t.Fatal(err)
	}
	_, err := e.up()
	refused(t, err, "KeyRing projects/redoubt-dev-4712/locations/europe-west3/keyRings/gcp-dev-g1 already exists")
	e.edited(t, edit{"keys.generation": "g2"}).mustUp()
}

// beyond is what exists and did not before.
func beyond(cloud *simcloud.Cloud, before []string) []string {
	var out []string
	for _, o := range cloud.Objects() {
		if !slices.Contains(before, o.Key()) {
			out = append(out, o.Type+" "+o.ID)
		}
	}
	slices.Sort(out)
	return out
}

// outputs judges what a stack gives out: enough to get in with credentials of one's own, and no secret.
func outputs(t *testing.T, name string, output func(string) string) {
	t.Helper()
	for key, want := range map[string]string{
		"project": "redoubt-", "region": "europe-west3", "clusterName": name, "clusterId": "/clusters/" + name, "apiEndpoint": "https://10.", "certificateAuthority": "LS0t",
		"kubernetesVersion": "v1.35.4", "oidcIssuer": "https://container.googleapis.com/v1/projects/", "workloadPool": ".svc.id.goog", "networkId": "/networks/" + name,
		"nodeServiceAccount": ".iam.gserviceaccount.com", "disksKeyId": "/cryptoKeys/" + name + "-disks", "tunnelCommand": "start-iap-tunnel",
		"registryHost": "-docker.pkg.dev/redoubt-", "kubeconfig": "gke-gcloud-auth-plugin",
	} {
		if !strings.Contains(output(key), want) {
			t.Errorf("output %s is %q, want %q in it", key, output(key), want)
		}
	}
	for _, word := range []string{"token:", "password", "client-key", "client-certificate"} {
		if strings.Contains(output("kubeconfig"), word) {
			t.Errorf("the kubeconfig has %s:\n%s", word, fmt.Sprint(output("kubeconfig")))
		}
	}
}
