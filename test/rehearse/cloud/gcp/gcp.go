// Package gcp says how environments of Google Cloud are rehearsed: which program, which simulated account, and what
// only Google Cloud has.
package gcp

import (
	"os"

	components "github.com/redoubt-dev/redoubt/components/gcp"
	"github.com/redoubt-dev/redoubt/policies/controls"
	program "github.com/redoubt-dev/redoubt/stacks/gcp"
	checks "github.com/redoubt-dev/redoubt/test/gcp/controls"
	"github.com/redoubt-dev/redoubt/test/rehearse/cloud"
	"github.com/redoubt-dev/redoubt/test/simcloud"
	simgcp "github.com/redoubt-dev/redoubt/test/simcloud/gcp"
)

// Rehearsal is that of an environment of the repository at root.
func Rehearsal(root, environment string) (cloud.Rehearsal, error) {
	r := cloud.Rehearsal{
		Environment: environment, Baseline: environment + cloud.BaselineSuffix, Repository: root, BinDirectory: os.Getenv("REDOUBT_BIN_DIR"),
		Platform: program.Platform, Cloud: "Google Cloud", Program: program.Program, Open: simgcp.Open, Endpoint: "apiEndpoint",
		Lift:  map[string]string{"redoubt:unprotected": "true"},
		Given: simgcp.Existing, Machines: Machines, Costs: estimate, Keeps: Keeps,
		Demands: &cloud.Demands{Benchmark: "CIS-GKE-", Catalogue: controls.CISGKE(), Checks: checks.Checks(), Limits: limits()},
	}
	if cloud.PlatformOf(root, environment) == program.FlatcarPlatform {
		return flatcarRehearsal(r)
	}
	var err error
	r.Cluster, err = r.ThisMachine("")
	return r, err
}

// limits are what pulumi-gcp cannot say, as the evidence shows them.
func limits() []controls.Limit {
	var out []controls.Limit
	for _, l := range components.Limits() {
		out = append(out, controls.Limit(l))
	}
	return out
}

const (
	ringToken   = "gcp:kms/keyRing:KeyRing"
	keyToken    = "gcp:kms/cryptoKey:CryptoKey"
	memberToken = "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember"
	bucketToken = "gcp:storage/bucket:Bucket"
)

// Keeps tells what outlives an environment: an archive whose retention is locked, with the key that its logs need.
func Keeps(in *simcloud.Cloud, o simcloud.Object) string {
	const reason = "Google deletes no locked bucket: the archive and what encrypts it stay until its time is over"
	for _, bucket := range in.Objects(bucketToken) {
		if !bucket.State.Bool("retentionPolicy.isLocked") {
			continue
		}
		key := bucket.State.String("encryption.defaultKmsKeyName")
		switch {
		case o.ID == bucket.ID || o.State.String("bucket") == bucket.ID, o.Type == keyToken && o.ID == key,
			o.Type == memberToken && o.State.String("cryptoKeyId") == key, o.Type == ringToken && len(key) > len(o.ID) && key[:len(o.ID)] == o.ID:
			return reason
		}
	}
	return ""
}
