package agent

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
)

// note is the Lease as several control planes see it; before is called between one's
// reading and its writing.
type note struct {
	coordinationclient.LeaseInterface
	lease  *coordinationv1.Lease
	before func()
}

var leaseKind = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

func (n *note) Get(context.Context, string, metav1.GetOptions) (*coordinationv1.Lease, error) {
	if n.lease == nil {
		return nil, apierrors.NewNotFound(leaseKind, turnName)
	}
	return n.lease.DeepCopy(), nil
}

func (n *note) Create(_ context.Context, lease *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	return lease, n.write(lease, "")
}

func (n *note) Update(_ context.Context, lease *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	return lease, n.write(lease, lease.ResourceVersion)
}

func (n *note) write(lease *coordinationv1.Lease, read string) error {
	if n.before != nil {
		before := n.before
		n.before = nil
		before()
	}
	switch {
	case n.lease != nil && read == "":
		return apierrors.NewAlreadyExists(leaseKind, turnName)
	case n.lease != nil && n.lease.ResourceVersion != read:
		return apierrors.NewConflict(leaseKind, turnName, errors.New("it was changed"))
	}
	n.lease = lease.DeepCopy()
	n.lease.ResourceVersion = read + "1"
	return nil
}

// group takes down whom it is told to replace.
type group struct {
	cloud.Instances
	told []string
	err  error
}

func (g *group) Replace(_ context.Context, i cloud.Instance) error {
	g.told = append(g.told, i.ID)
	return g.err
}

// TestRepairByOne: of control planes that decide at the same time one tells the cloud,
// and what one that dies has not told, another tells a minute later (M05).
func TestRepairByOne(t *testing.T) {
	s := usual()
	s.drop("1") // it never joined
	leases, machines := &note{}, &group{}
	pass := func(at time.Time) error {
		a := &Agent{config: repairConfig(), log: slog.New(slog.DiscardHandler), cloud: cloud.Cloud{Instances: machines}, now: func() time.Time { return at }}
		seen := &vigil{silent: map[string]time.Time{"1": ago(time.Hour)}}
		return a.repair(context.Background(), nil, leases, seen, a.round(s.instances, s.nodes))
	}
	want := func(what string, told int) {
		t.Helper()
		if len(machines.told) != told {
			t.Errorf("%s: told of %q", what, machines.told)
		}
	}
	other := func() {
		if err := pass(noon); err != nil {
			t.Error(err)
		}
	}
	leases.before = other
	other()
	want("both make the Lease", 1)
	// It has had its time; both change the Lease.
	at := noon.Add(11 * time.Minute)
	leases.before = func() {
		if err := pass(at); err != nil {
			t.Error(err)
		}
	}
	if err := pass(at); err != nil {
		t.Error(err)
	}
	want("both change the Lease", 2)

	machines.err = errors.New("it does not answer")
	at = at.Add(11 * time.Minute)
	if err := pass(at); !errors.Is(err, machines.err) {
		t.Error(err)
	}
	want("a cloud that does not answer", 3)
	machines.err = nil
	if err := pass(at.Add(59 * time.Second)); err != nil {
		t.Error(err)
	}
	want("too early", 3)
	if err := pass(at.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	want("once more", 4)
	s.silent("2", time.Hour)
	s.silent("3", time.Hour)
	if err := pass(at.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	want("no worker works", 4)
}
