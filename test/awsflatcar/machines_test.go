package awsflatcar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redoubt-dev/redoubt/test/simcloud"
)

const (
	instances   = "aws:ec2/instance:Instance"
	attachments = "aws:ec2/volumeAttachment:VolumeAttachment"
	volumes     = "aws:ebs/volume:Volume"
	interfaces  = "aws:ec2/networkInterface:NetworkInterface"
	groups      = "aws:autoscaling/group:Group"
	templates   = "aws:ec2/launchTemplate:LaunchTemplate"
	objects     = "aws:s3/bucketObjectv2:BucketObjectv2"
)

// machine is one of the control plane as it stands.
type machine struct{ id, volume, networkInterface, address string }

// controlPlane are the machines by their names.
func controlPlane(t testing.TB, cloud *simcloud.Cloud) map[string]machine {
	t.Helper()
	out := map[string]machine{}
	for _, o := range cloud.Objects(instances) {
		m := machine{id: o.ID, networkInterface: o.State.String("networkInterfaces[0].networkInterfaceId"), address: o.State.String("privateIp")}
		for _, a := range cloud.Objects(attachments) {
			if a.State.String("instanceId") == o.ID {
				m.volume = a.State.String("volumeId")
			}
		}
		out[strings.TrimPrefix(o.State.Texts("tags")["Name"], name+"-")] = m
	}
	return out
}

// A machine of the control plane that is lost comes again with its address and its volume, and no other is touched (M05,
// M12).
func TestOneLostMachineComesAgainAsItself(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
	e.mustUp()
	before := controlPlane(t, e.Cloud)
	if len(before) != 3 {
		t.Fatalf("%d machines: %v", len(before), before)
	}
	lost := before["control-plane-2"]
	for _, o := range e.Cloud.Objects(instances, attachments) {
		if o.ID == lost.id || o.State.String("instanceId") == lost.id {
			if err := e.Cloud.Remove(o); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := e.Refresh(); err != nil {
		t.Fatal(err)
	}
	again := e.mustUp()
	if again.Creates() != 2 || again.Replaces() != 0 || again.Updates() != 0 {
		t.Errorf("not one machine and its volume alone: %v", again.Changes)
	}
	after := controlPlane(t, e.Cloud)
	for name, was := range before {
		is := after[name]
		if is.volume != was.volume || is.networkInterface != was.networkInterface || is.address != was.address {
			t.Errorf("%s was %v and is %v", name, was, is)
		}
		if (is.id == was.id) != (name != "control-plane-2") {
			t.Errorf("%s was %s and is %s", name, was.id, is.id)
		}
	}
}

// Another image replaces the machines of the control plane one after the other, each with its address and its volume, and
// the pools after the last of them: no node is newer than the API servers (M05, M35).
func TestAnUpgradeReplacesOneMachineAtATime(t *testing.T) {
	t.Parallel()
	e := prepare(t, simcloud.Options{})
	e.mustUp()
	before, from := controlPlane(t, e.Cloud), len(e.Cloud.Timeline())
	kept := idsOf(e.Cloud, volumes, interfaces, groups)
	upgraded := e.edited(map[string]any{"imageId": "ami-0123456789abcdef0", "kubernetesVersion": "v1.36.1",
		"kubernetes.source": "s3://redoubt-images-111122223333-eu-central-1/kubernetes-v1.36.1-x86-64.raw"})
	planned, err := upgraded.preview()
	if err != nil {
		t.Fatal(err)
	}
	done := upgraded.mustUp()
	if planned.Replaces() != 6 || done.Replaces() != 6 || done.Creates() != 0 { // three machines, and where their volumes are attached
		t.Errorf("planned %v, did %v", planned.Changes, done.Changes)
	}
	if now := idsOf(e.Cloud, volumes, interfaces, groups); !slices.Equal(now, kept) {
		t.Errorf("what must be kept was not:\n%v\n%v", kept, now)
	}
	after := controlPlane(t, e.Cloud)
	for name, was := range before {
		if is := after[name]; is.id == was.id || is.volume != was.volume || is.address != was.address || is.networkInterface != was.networkInterface {
			t.Errorf("%s was %v and is %v", name, was, is)
		}
	}
	inOrder(t, e.Cloud.Timeline()[from:])
}

// inOrder judges the operations of an upgrade: the i-th machine goes once the one before it has its volume again, and the
// templates of pools change once the last has.
func inOrder(t *testing.T, spans []simcloud.Span) {
	t.Helper()
	at := func(operation simcloud.Operation, kind, suffix string) simcloud.Span {
		for _, span := range spans {
			if span.Operation == operation && span.Type == kind && strings.HasSuffix(span.Name, suffix) {
				return span
			}
		}
		t.Fatalf("no %v of %s %s", operation, kind, suffix)
		return simcloud.Span{}
	}
	for i := 1; i <= 3; i++ {
		own := fmt.Sprintf("control-plane-%d", i)
		detached, gone := at(simcloud.Delete, attachments, own), at(simcloud.Delete, instances, own)
		made, attached := at(simcloud.Create, instances, own), at(simcloud.Create, attachments, own)
		if detached.End.After(gone.Start) || gone.End.After(made.Start) || made.End.After(attached.Start) {
			t.Errorf("%s: volume away %v, machine away %v, machine there %v, volume there %v", own, detached, gone, made, attached)
		}
		if i < 3 {
			if next := at(simcloud.Delete, instances, fmt.Sprintf("control-plane-%d", i+1)); next.Start.Before(attached.End) {
				t.Errorf("%s goes at %v, before the one before it is there at %v", next.Name, next.Start, attached.End)
			}
			continue
		}
		for _, pool := range []string{"general", "isolated"} {
			if changed := at(simcloud.Update, templates, pool); changed.Start.Before(attached.End) {
				t.Errorf("the pool %s changes at %v, before the control plane has at %v", pool, changed.Start, attached.End)
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
		{Operation: simcloud.Create, Type: objects, Name: name + "-control-plane/pki/ca.key", Err: simcloud.Errorf("InternalError", "We encountered an internal error.")},
		{Operation: simcloud.Create, Type: attachments, Name: name + "-control-plane-1", Err: simcloud.Errorf("InternalError", "An internal error has occurred")},
		{Operation: simcloud.Create, Type: instances, Name: name + "-control-plane-2", Err: simcloud.Errorf("InsufficientInstanceCapacity", "We currently do not have sufficient capacity.")},
		{Operation: simcloud.Create, Type: groups, Name: name + "-general", Err: simcloud.Errorf("LimitExceeded", "too many groups")},
	} {
		made := idsOf(e.Cloud)
		e.Cloud.Inject(fault)
		_, err := e.up()
		refused(t, err, fault.Err.Code)
		for _, id := range made {
			if !slices.Contains(idsOf(e.Cloud), id) {
				t.Errorf("%s was made anew", id)
			}
		}
	}
	e.mustUp()
	if n := len(controlPlane(t, e.Cloud)); n != 3 {
		t.Errorf("%d machines", n)
	}
	if again := e.mustUp(); again.Changed() != 0 {
		t.Errorf("a second pass: %v", again.Changes)
	}
}
