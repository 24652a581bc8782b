package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

const (
	// yieldKey is held, in etcd itself and outside of what the API server has there,
	// by the machine that was last let go: two that are told to stop at the same
	// moment would both find the other one healthy.
	yieldKey = "redoubt.dev/yielding"
	// yieldLease is for how long. It bridges the time from the answer to the death
	// of the machine's etcd, twice over; from then on the others' health says it.
	yieldLease = 2 * nodeconfig.ContainersStop
	// statusTimeout bounds a question to one member.
	statusTimeout = 3 * time.Second
)

// YieldEtcd waits until etcd can do without this machine: until the other voting
// members alone are a majority, all of that majority answer, and have applied
// everything that was committed when it asked. Then it hands over leadership, if
// this member has it. A control plane does so before it stops, so that machines
// which are replaced or restarted one after the other never take the cluster's
// quorum with them, however soon the next one is told to stop.
//
// It gives up with the context; the machine is then stopped all the same by
// whoever told it to. There is nothing to wait for when the cluster has no other
// voting member, and when this machine's own etcd does not run or has no vote.
func (a *Agent) YieldEtcd(ctx context.Context) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	own, _ := a.config.Own()
	if len(a.config.ControlPlanes) == 1 {
		a.log.Info("the cluster has one control plane: nobody else can keep etcd going")
		return nil
	}
	return a.until(ctx, "waiting until etcd can do without this machine", func() error { return a.yield(ctx, own) })
}

// members is what the members of etcd say, by their ids.
type members struct {
	own    *etcdserverpb.Member
	voters []*etcdserverpb.Member
	status map[uint64]*clientv3.StatusResponse // of those that answer
}

func (a *Agent) yield(ctx context.Context, own nodeconfig.ControlPlane) error {
	ctx, cancel := context.WithTimeout(ctx, etcdTimeout)
	defer cancel()
	if dead(ctx, own) {
		a.log.Info("this machine's etcd does not run: it gives nothing that could be lost")
		return nil
	}
	client, err := a.etcdClient(etcdURL(own))
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := briefly(ctx, func(ctx context.Context) (*clientv3.StatusResponse, error) {
		return client.Status(ctx, etcdURL(own))
	})
	if err != nil { // it may only be slow
		return fmt.Errorf("this machine's etcd: %w", err)
	}
	if status.IsLearner { // which could not even be asked for the members
		a.log.Info("this machine has no vote in etcd", "node", own.Name)
		return nil
	}
	m, err := a.ask(ctx, client, own)
	if err != nil {
		return err
	}
	if m.own == nil {
		a.log.Info("this machine is no member of etcd", "node", own.Name)
		return nil
	}
	if len(m.voters) == 1 {
		a.log.Info("no other member of etcd has a vote yet: nobody else can keep it going")
		return nil
	}
	committed := status.RaftAppliedIndex
	for _, each := range m.status {
		committed = max(committed, each.RaftAppliedIndex)
	}
	// Asked once more, so that no member seems behind because it was asked first.
	if m, err = a.ask(ctx, client, own); err != nil {
		return err
	}
	heir, err := m.spare(committed)
	if err != nil {
		return err
	}
	if err := a.hold(ctx, client, own.Name); err != nil {
		return err
	}
	if status.Leader == status.Header.MemberId {
		// Best effort: the others choose one themselves, a second later.
		if _, err := client.MoveLeader(ctx, heir); err != nil {
			a.log.Warn("leadership was not handed over", "to", fmt.Sprintf("%x", heir), "error", err.Error())
		}
	}
	a.log.Info("etcd can do without this machine", "node", own.Name, "members", len(m.voters))
	return nil
}

// dead tells that nobody listens where this machine's etcd would. One that listens
// and is slow still counts for the others.
func dead(ctx context.Context, own nodeconfig.ControlPlane) bool {
	dialer := net.Dialer{Timeout: statusTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(etcdURL(own), "https://"))
	if err == nil {
		_ = conn.Close() // nothing was sent
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

func briefly[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	return ask(ctx)
}

// ask gives the members as a majority has them, and the state of each voter.
func (a *Agent) ask(ctx context.Context, client *clientv3.Client, own nodeconfig.ControlPlane) (members, error) {
	m := members{status: map[uint64]*clientv3.StatusResponse{}}
	list, err := client.MemberList(ctx) // linearizable: without a majority there is no answer
	if err != nil {
		return m, fmt.Errorf("listing the members: %w", err)
	}
	for _, each := range list.Members {
		if each.Name == own.Name {
			m.own = each
		}
		if each.IsLearner {
			continue
		}
		m.voters = append(m.voters, each)
		if each.Name == own.Name || len(each.ClientURLs) == 0 {
			continue // one that never started has no address
		}
		status, err := briefly(ctx, func(ctx context.Context) (*clientv3.StatusResponse, error) {
			return client.Status(ctx, each.ClientURLs[0])
		})
		if err == nil && len(status.Errors) == 0 {
			m.status[each.ID] = status
		}
	}
	return m, nil
}

// spare tells whether the members other than this machine's are a majority that is
// healthy and has applied what was committed, and which of them is to lead if this
// one does.
func (m members) spare(committed uint64) (heir uint64, err error) {
	var good int
	var waiting []error
	for _, each := range m.voters {
		if m.own != nil && each.ID == m.own.ID {
			continue
		}
		name := each.Name
		if name == "" {
			name = fmt.Sprintf("%x", each.ID)
		}
		switch status := m.status[each.ID]; {
		case status == nil:
			waiting = append(waiting, fmt.Errorf("%s does not answer", name))
		case status.Leader == 0:
			waiting = append(waiting, fmt.Errorf("%s knows no leader", name))
		case status.RaftAppliedIndex < committed:
			waiting = append(waiting, fmt.Errorf("%s is behind: it has %d of %d entries", name, status.RaftAppliedIndex, committed))
		default:
			good++
			if heir == 0 || status.RaftAppliedIndex > m.status[heir].RaftAppliedIndex {
				heir = each.ID
			}
		}
	}
	if quorum := len(m.voters)/2 + 1; good < quorum {
		return 0, fmt.Errorf("without this machine %d of %d members would go on, and %d must: %w", good, len(m.voters), quorum, errors.Join(waiting...))
	}
	return heir, nil
}

// hold takes the key that one machine at a time has.
func (a *Agent) hold(ctx context.Context, client *clientv3.Client, node string) error {
	lease, err := client.Grant(ctx, int64(yieldLease.Seconds()))
	if err != nil {
		return fmt.Errorf("asking to be let go: %w", err)
	}
	answer, err := client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(yieldKey), "=", 0)).
		Then(clientv3.OpPut(yieldKey, node, clientv3.WithLease(lease.ID))).
		Else(clientv3.OpGet(yieldKey)).Commit()
	if err != nil {
		return fmt.Errorf("asking to be let go: %w", err)
	}
	if answer.Succeeded {
		return nil
	}
	_, _ = client.Revoke(ctx, lease.ID) // it ends by itself, too
	kvs := answer.Responses[0].GetResponseRange().Kvs
	if len(kvs) == 1 && string(kvs[0].Value) == node {
		return nil // let go before, and asked again
	}
	return errors.New("another control plane was let go a moment ago")
}
