package aws_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	clusterToken = "aws:eks/cluster:Cluster"
	addonToken   = "aws:eks/addon:Addon"
)

// nextMinor is an upgrade as a person writes it.
var nextMinor = edit{"kubernetesVersion": "v1.36.4", "addonVersions.kube-proxy": "v1.36.0-eksbuild.1", "addonVersions.vpc-cni": "v1.22.0-eksbuild.1",
	"nodePools[0].releaseVersion": "1.67.0-0123abcd", "nodePools[1].releaseVersion": "1.67.0-0123abcd"}

// M05, M35: a minor at a time, never down, the control plane first and its nodes after it; a pool may stay behind.
func TestKubernetesIsUpgraded(t *testing.T) {
	t.Parallel()
	e := prepare(t, "aws-prod")
	e.mustUp()
	for version, words := range map[string]string{"v1.37.1": "skips a minor between v1.35.4 and v1.37.1", "v1.34.9": "not for v1.34"} {
		_, err := e.edited(t, edit{"kubernetesVersion": version}).preview()
		refused(t, err, "redoubt:kubernetesVersion: ", words)
	}
	_, err := e.edited(t, edit{"addonVersions.kube-proxy": "v1.36.0-eksbuild.1"}).preview()
	refused(t, err, "redoubt:addonVersions[kube-proxy]: ", "v1.36.0-eksbuild.1", "v1.35.4")

	from := len(e.Cloud.Timeline())
	held := edit{"nodePools[1].kubernetesVersion": "v1.35.4", "nodePools[1].releaseVersion": "1.66.0-9ca2b8e4"}
	made, err := e.edited(t, nextMinor, held).up()
	if err != nil {
		t.Fatal(err)
	}
	if made.Creates()+made.Deletes()+made.Replaces() > 0 {
		t.Errorf("not in place: %v", made.Changes)
	}
	control := spanOf(t, e.Cloud, from, clusterToken, "aws-prod")
	pool := spanOf(t, e.Cloud, from, groupToken, "aws-prod-general")
	if pool.Start.Before(control.End) {
		t.Errorf("nodes roll at %s, before the control plane is upgraded at %s", pool.Start, control.End)
	}
	for _, addon := range []string{"aws-prod-kube-proxy", "aws-prod-vpc-cni"} {
		if at := spanOf(t, e.Cloud, from, addonToken, addon); at.Start.Before(control.End) {
			t.Errorf("%s is upgraded at %s, before the control plane at %s", addon, at.Start, control.End)
		} else if pool.Start.Before(at.End) {
			t.Errorf("nodes roll at %s, before %s is upgraded at %s", pool.Start, addon, at.End)
		}
	}
	versions(t, e.Cloud, map[string]string{"general": "1.36", "restricted": "1.35"})
	for _, step := range made.Steps {
		if strings.HasSuffix(step.URN, "aws-prod-restricted") && step.Op == apitype.OpUpdate {
			t.Errorf("%s is changed", step.URN)
		}
	}

	_, err = e.preview() // as it was
	refused(t, err, "goes down from v1.36.4 to v1.35.4")
	if _, err := e.edited(t, nextMinor).up(); err != nil {
		t.Fatal(err)
	}
	versions(t, e.Cloud, map[string]string{"general": "1.36", "restricted": "1.36"})
	_, err = e.edited(t, nextMinor, held).preview() // nodes go no more down than the control plane
	refused(t, err, "redoubt:nodePools[1].kubernetesVersion: goes down from v1.36.4 to v1.35.4")
	_, err = e.edited(t, nextMinor, edit{"nodePools[0].kubernetesVersion": "v1.37.1"}).preview()
	refused(t, err, "redoubt:nodePools[0].kubernetesVersion: ", "newer")
}

// versions judges the minors of the pools.
func versions(t *testing.T, cloud *simcloud.Cloud, want map[string]string) {
	t.Helper()
	for _, o := range cloud.Objects(groupToken) {
		pool := strings.TrimSuffix(o.State.String("nodeGroupNamePrefix"), "-")
		if o.State.String("version") != want[pool] {
			t.Errorf("pool %s has %s, want %s", pool, o.State.String("version"), want[pool])
		}
	}
}

// spanOf is the one operation on a resource since a place in the timeline.
func spanOf(t *testing.T, cloud *simcloud.Cloud, from int, token, name string) simcloud.Span {
	t.Helper()
	spans := slices.DeleteFunc(cloud.Timeline()[from:], func(s simcloud.Span) bool { return s.Type != token || s.Name != name })
	if len(spans) != 1 {
		t.Fatalf("%d operations on %s %s", len(spans), token, name)
	}
	return spans[0]
}
