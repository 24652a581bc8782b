package gcpflatcar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	instances = "gcp:compute/instance:Instance"
	endpoints = "gcp:compute/networkEndpoint:NetworkEndpoint"
	disks     = "gcp:compute/disk:Disk"
	addresses = "gcp:compute/address:Address"
	groups    = "gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager"
	templates = "gcp:compute/instanceTemplate:InstanceTemplate"
	objects   = "gcp:storage/bucketObject:BucketObject"
)

// machine is one of the control plane as it stands.
type machine struct{ number, disk, address string }

// controlPlane are the machines by their names, those of them that the load balancer has.
func controlPlane(cloud *simcloud.Cloud) map[string]machine {
	out := map[string]machine{}
	for _, o := range cloud.Objects(instances) {
		own := o.State.String("name")
		if slices.ContainsFunc(cloud.Objects(endpoints), func(e simcloud.Object) bool { return e.State.String("instance") == own }) {
			out[own] = machine{o.State.String("instanceId"), o.State.String("attachedDisks[0].source"), o.State.String("networkInterfaces[0].networkIp")}
		}
	}
	return out
}

// A machine of the control plane that is lost comes again with its address and its disk, and no other is touched (M05,
// M12).
func TestOneLostMachineComesAgainAsItself(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
	e.mustUp()
	before := controlPlane(e.Cloud)
	if len(before) != 3 {
		t.Fatalf("%d machines: %v", len(before), before)
	}
	const lost = name + "-control-plane-2"
	for _, o := range e.Cloud.Objects(instances, endpoints) {
		if o.State.String("name") == lost || o.State.String("instance") == lost {
			if err := e.Cloud.Remove(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := e.Refresh(); err != nil {
		t.Fatal(err)
	}
	if again := e.mustUp(); again.Creates() != 2 || again.Replaces() != 0 || again.Updates() != 0 {
		t.Errorf("not one machine and its place behind the load balancer alone: %v", again.Changes)
	}
	after := controlPlane(e.Cloud)
	for own, was := range before {
		is := after[own]
		if is.disk != was.disk || is.address != was.address || (is.number == was.number) != (own != lost) {
			t.Errorf("%s was %v and is %v", own, was, is)
		}
	}
}

// Another version replaces the machines of the control plane one after the other, each with its address and its disk, and
// the pools after the last of them: no node is newer than the API servers (M05, M35).
func TestAnUpgradeReplacesOneMachineAtATime(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
	e.mustUp()
	before, from := controlPlane(e.Cloud), len(e.Cloud.Timeline())
	kept := idsOf(e.Cloud, disks, addresses, groups)
	upgraded := e.edited(map[string]any{"image": "projects/kinvolk-public/global/images/flatcar-stable-4459-2-2", "kubernetesVersion": "v1.36.4",
		"kubernetes.source": "gs://redoubt-images-4710/kubernetes-v1.36.4-x86-64.raw"})
	planned, err := upgraded.preview()
	if err != nil {
		t.Fatal(err)
	}
	done := upgraded.mustUp()
	// Three machines and their places behind the load balancer, two templates, and what five kinds of machines fetch.
	if planned.Replaces() != 13 || done.Replaces() != 13 || done.Creates() != 0 || done.Updates() != 2 {
		t.Errorf("planned %v, did %v", planned.Changes, done.Changes)
	}
	if now := idsOf(e.Cloud, disks, addresses, groups); !slices.Equal(now, kept) {
		t.Errorf("what must be kept was not:\n%v\n%v", kept, now)
	}
	after := controlPlane(e.Cloud)
	for own, was := range before {
		if is := after[own]; is.number == was.number || is.disk != was.disk || is.address != was.address {
			t.Errorf("%s was %v and is %v", own, was, is)
		}
	}
	inOrder(t, e.Cloud.Timeline()[from:])
}

// inOrder judges the operations of an upgrade: the load balancer is told before a machine goes, the next goes once it has
// the one before it again, and pools change once it has the last.
func inOrder(t *testing.T, spans []simcloud.Span) {
	t.Helper()
	at := func(operation simcloud.Operation, kind, suffix string) int {
		i := slices.IndexFunc(spans, func(s simcloud.Span) bool {
			return s.Operation == operation && s.Type == kind && strings.HasSuffix(s.Name, suffix)
		})
		if i < 0 {
			t.Fatalf("no %v of %s %s", operation, kind, suffix)
		}
		return i
	}
	for i := 1; i <= 3; i++ {
		own := fmt.Sprintf("control-plane-%d", i)
		told, gone, there, back := at(simcloud.Delete, endpoints, own), at(simcloud.Delete, instances, own), at(simcloud.Create, instances, own), at(simcloud.Create, endpoints, own)
		if told >= gone || gone >= there || there >= back {
			t.Errorf("%s: told %d, gone %d, there %d, back %d", own, told, gone, there, back)
		}
		if i < 3 {
			if next := at(simcloud.Delete, instances, fmt.Sprintf("control-plane-%d", i+1)); next < back {
				t.Errorf("the machine after %s goes before it is back", own)
			}
			continue
		}
		for _, pool := range []string{"general", "isolated"} {
			if changed := at(simcloud.Update, groups, pool); changed < back {
				t.Errorf("the pool %s changes before the control plane has", pool)
			}
		}
	}
}

func idsOf(cloud *simcloud.Cloud, types ...string) []string {
	var out []string
	for _, o := range cloud.Objects(types...) {
		out = append(out, o.ID)
	}
	slices.Sort(out)
	return out
}

// An up that is cut off goes on where it ended: nothing is made twice, and a second pass changes nothing (M43).
func TestAnUpThatFailedGoesOn(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
	// Each run gets one step further.
	for _, fault := range []simcloud.Fault{
		{Operation: simcloud.Create, Type: objects, Name: name + "-control-plane/pki/ca.key", Err: simcloud.Errorf("backendError", "We encountered an internal error.")},
		{Operation: simcloud.Create, Type: instances, Name: name + "-control-plane-2", Err: simcloud.Errorf("ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources.")},
		{Operation: simcloud.Create, Type: groups, Name: name + "-general", Err: simcloud.Errorf("quotaExceeded", "too many groups")},
	} {
		made := idsOf(e.Cloud)
		e.Cloud.Inject(fault)
		_, err := e.up()
		refused(t, err, fault.Err.Code)
		now := idsOf(e.Cloud)
		for _, id := range made {
			if !slices.Contains(now, id) {
				t.Errorf("%s was made anew", id)
			}
		}
	}
	e.mustUp()
	if n := len(controlPlane(e.Cloud)); n != 3 {
		t.Errorf("%d machines", n)
	}
	if again := e.mustUp(); again.Changed() != 0 {
		t.Errorf("a second pass: %v", again.Changes)
	}
}
