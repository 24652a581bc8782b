package gcp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

// M05, M35: a minor at a time, never down, in place; nodes follow when Google upgrades them, and are never left so far
// behind that they could not.
func TestKubernetesIsUpgraded(t *testing.T) {
	t.Parallel()
	e := prepare(t, "gcp-prod")
	e.mustUp()
	for version, words := range map[string]string{"v1.37.1": "skips a minor between v1.35.4 and v1.37.1", "v1.34.9": "not for v1.34"} {
		_, err := e.edited(t, edit{"kubernetesVersion": version}).preview()
		refused(t, err, "redoubt:kubernetesVersion: ", words)
	}
	// A pool that Google could not upgrade for long.
	behind := e.Cloud.Objects(poolToken)[0]
	old := behind
	old.State = behind.State.With("version", "1.33.12-gke.1060000")
	put(t, e.Cloud, old)
	next := e.edited(t, edit{"kubernetesVersion": "v1.36.4"})
	_, err := next.up()
	refused(t, err, "must be within two minor versions", "upgrade the nodes first")
	put(t, e.Cloud, behind)

	from := len(e.Cloud.Timeline())
	made, err := next.up()
	if err != nil {
		t.Fatal(err)
	}
	if made.Creates()+made.Deletes()+made.Replaces() > 0 || made.Updates() != 1 {
		t.Errorf("more than the control plane: %v", made.Changes)
	}
	if changed := operations(e.Cloud, from); !slices.Equal(changed, []string{"update " + clusterToken + " gcp-prod"}) {
		t.Errorf("changed: %q", changed)
	}
	if cluster := only(t, e.Cloud, clusterToken); !strings.HasPrefix(cluster.State.String("masterVersion"), "1.36.") {
		t.Errorf("the control plane has %s", cluster.State.String("masterVersion"))
	}
	for _, pool := range e.Cloud.Objects(poolToken) {
		if !strings.HasPrefix(pool.State.String("version"), "1.35.") || !pool.State.Bool("management.autoUpgrade") {
			t.Errorf("%s has %s, and follows: %v", pool.ID, pool.State.String("version"), pool.State.Bool("management.autoUpgrade"))
		}
		// Then the channel upgrades the nodes, past the stack.
		pool.State = pool.State.With("version", only(t, e.Cloud, clusterToken).State.String("masterVersion"))
		put(t, e.Cloud, pool)
	}
	if again, err := next.up(); err != nil || again.Changed() != 0 {
		t.Errorf("nodes that were upgraded are a change: %v %v", again.Changes, err)
	}
	if drift, err := e.Refresh(); err != nil {
		t.Error(err)
	} else if again, err := next.up(); err != nil || again.Changed() != 0 {
		t.Errorf("after a refresh, which saw %v: %v %v", drift.Changes, again.Changes, err)
	}
	_, err = e.preview() // as it was
	refused(t, err, "redoubt:kubernetesVersion: goes down from v1.36.4 to v1.35.4")
	_, err = e.edited(t, edit{"kubernetesVersion": "v1.37.1"}).up() // the channel is not there yet
	refused(t, err, `Master version "1.37" is unsupported`)
}

func put(t *testing.T, cloud *simcloud.Cloud, o simcloud.Object) {
	t.Helper()
	if err := cloud.Put(o); err != nil {
		t.Fatal(err)
	}
}

// operations are what was done since a place in the timeline.
func operations(cloud *simcloud.Cloud, from int) []string {
	var out []string
	for _, s := range cloud.Timeline()[from:] {
		out = append(out, string(s.Operation)+" "+s.Type+" "+s.Name)
	}
	return out
}
