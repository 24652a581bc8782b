package awsflatcar_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

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
		"account": "111122223333", "clusterName": name, "apiEndpoint": "https://api." + name + ".internal:6443", "kubernetesVersion": "v1.35.4", "vpcId": "vpc-",
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
	refused(t, e.Destroy(), "ebs/volume:Volume aws-flatcar-control-plane-1", "tls:index/privateKey:PrivateKey aws-flatcar-ca-1", "s3/bucketV2:BucketV2 aws-flatcar-store", "unprotected: true")
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
		if !slices.Contains(before, o.Key()) && o.Type != "" {
			left = append(left, o.Type[strings.LastIndex(o.Type, ":")+1:]+" "+o.ID)
		}
	}
	for _, each := range left {
		kind, id, _ := strings.Cut(each, " ")
		if !strings.HasPrefix(kind, "Bucket") && kind != "Key" || strings.HasPrefix(kind, "Bucket") && !strings.Contains(id, "-etcd-") && !strings.Contains(id, "-apilog-") && !strings.Contains(id, "-audit-") {
			t.Errorf("left behind: %s", each)
		}
	}
}

// The authorities are replaced in the three steps of docs/flatcar.md, and by settings alone: the one that signs is
// protected all the time, and the one that is only trusted can be forgotten (M34). What machines make of each step, the
// rehearsal of the environment shows.
func TestAuthoritiesAreReplaced(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
	e.mustUp()
	for i, step := range []struct {
		settings map[string]any
		keys     string
	}{
		{map[string]any{"generation": 1, "trusted": []any{2}}, "ca-1 protected, ca-2"},
		{map[string]any{"generation": 2, "trusted": []any{1}}, "ca-1, ca-2 protected"},
		{map[string]any{"generation": 2}, "ca-2 protected"},
	} {
		e = e.edited(map[string]any{"authorities": step.settings})
		e.mustUp()
		exported, err := e.Export()
		if err != nil {
			t.Fatal(err)
		}
		var deployment apitype.DeploymentV3
		if err := json.Unmarshal(exported, &deployment); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, r := range deployment.Resources {
			_, key, _ := strings.Cut(string(r.URN), "tls:index/privateKey:PrivateKey::"+name+"-")
			if !strings.HasPrefix(key, "ca-") {
				continue
			}
			if r.Protect {
				key += " protected"
			}
			found = append(found, key)
		}
		slices.Sort(found)
		if got := strings.Join(found, ", "); got != step.keys {
			t.Errorf("after step %d there are %s, and not %s", i+1, got, step.keys)
		}
	}
}
