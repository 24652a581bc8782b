package aws_test

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
	for _, name := range []string{"aws-dev", "aws-prod"} {
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
			if name == "aws-prod" {
				all := keysOf(e.Cloud)
				refused(t, e.Destroy(), "eks/cluster:Cluster aws-prod", "kms/key:Key aws-prod-secrets", "unprotected: true", "nothing of it was removed")
				if left := keysOf(e.Cloud); !slices.Equal(left, all) {
					t.Fatalf("refused, but gone: %d of %d are left", len(left), len(all))
				}
				if freed := e.set(map[string]string{"unprotected": "true"}).mustUp(); freed.Updates() != 0 || freed.Replaces() != 0 {
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

// outlives is what a destroy leaves: a locked archive, as it was guarded, and the key without which nobody reads it.
var outlives = map[string][]string{
	"aws-prod": {
		"aws:kms/key:Key logs of the cluster aws-prod",
		"aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
		"aws:s3/bucketOwnershipControls:BucketOwnershipControls",
		"aws:s3/bucketPolicy:BucketPolicy",
		"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
		"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
		"aws:s3/bucketV2:BucketV2",
		"aws:s3/bucketVersioningV2:BucketVersioningV2",
	},
}

// beyond is what exists and did not before.
func beyond(cloud *simcloud.Cloud, before []string) []string {
	var out []string
	for _, o := range cloud.Objects() {
		if !slices.Contains(before, o.Key()) {
			out = append(out, strings.TrimSpace(o.Type+" "+o.State.String("description")))
		}
	}
	slices.Sort(out)
	return out
}

// outputs judges what a stack gives out: enough to get in with credentials of one's own, and no secret.
func outputs(t *testing.T, name string, output func(string) string) {
	t.Helper()
	for key, want := range map[string]string{
		"account": "111122223333", "region": region, "clusterName": name, "clusterArn": ":cluster/" + name, "apiEndpoint": "https://",
		"kubernetesVersion": "v1.35.4", "oidcProviderArn": ":oidc-provider/", "vpcId": "vpc-", "nodeRoleArn": name + "-" + region + "-nodes",
		"volumesKeyArn": ":key/", "kubeconfig": "get-token",
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
