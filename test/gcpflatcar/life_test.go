package gcpflatcar_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// outlives is what a destroy leaves: what is locked, with the keys without which nobody reads it.
var outlives = []string{
	"Bucket gcp-flatcar-apilog-redoubt-self-4713-europe-west3", "Bucket gcp-flatcar-audit-redoubt-self-4713-europe-west3", "Bucket gcp-flatcar-etcd-redoubt-self-4713-europe-west3",
	"CryptoKey gcp-flatcar-audit-log-g1", "CryptoKey gcp-flatcar-logs-g1", "CryptoKey gcp-flatcar-snapshots-g1",
	"CryptoKeyIAMMember gcp-flatcar-audit-log-g1", "CryptoKeyIAMMember gcp-flatcar-logs-g1", "CryptoKeyIAMMember gcp-flatcar-snapshots-g1",
}

// The environment is planned as it is made, made again without a change, found as it was made, and removed only on
// purpose, with nothing left but what must outlive it (M12, M43).
func TestLife(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
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
	for key, want := range map[string]string{
		"project": "redoubt-self-4713", "clusterName": name, "apiEndpoint": "https://10.66.64.2:6443", "kubernetesVersion": "v1.35.4", "networkId": "/networks/" + name,
		"storeName": name + "-store-", "certificateAuthority": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
	} {
		if !strings.Contains(made.Output(key), want) {
			t.Errorf("output %s is %q, want %q in it", key, made.Output(key), want)
		}
	}
	if again := e.mustUp(); again.Changed() != 0 || again.Same() != made.Creates() {
		t.Errorf("a second pass: %v", again.Changes)
	}
	if drift, err := e.Refresh(); err != nil || drift.Changed() != 0 {
		t.Errorf("drift where there is none: %v %v", drift.Changes, err)
	}
	all := keysOf(e.Cloud)
	refused(t, e.Destroy(), "compute/disk:Disk gcp-flatcar-control-plane-1", "compute/address:Address gcp-flatcar-api", "tls:index/privateKey:PrivateKey gcp-flatcar-ca-1",
		"storage/bucket:Bucket gcp-flatcar-store", "unprotected: true")
	if left := keysOf(e.Cloud); !slices.Equal(left, all) {
		t.Fatalf("refused, but gone: %d of %d are left", len(left), len(all))
	}
	free := e.edited(map[string]any{"unprotected": true})
	if freed := free.mustUp(); freed.Replaces() != 0 || freed.Creates() != 0 {
		t.Errorf("without protection: %v", freed.Changes)
	}
	if err := free.Destroy(); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, o := range e.Cloud.Objects() {
		if !slices.Contains(before, o.Key()) {
			id, _, _ := strings.Cut(o.ID, "/roles/")
			left = append(left, o.Type[strings.LastIndex(o.Type, ":")+1:]+" "+id[strings.LastIndex(id, "/")+1:])
		}
	}
	slices.Sort(left)
	if !slices.Equal(left, outlives) {
		t.Errorf("left behind:\n%s\nmust outlive it:\n%s", strings.Join(left, "\n"), strings.Join(outlives, "\n"))
	}
}
