//go:build linux

package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent"
)

// leader gives the number of the member that leads.
func (m *members) leader(t *testing.T) int {
	t.Helper()
	found := -1
	eventually(t, "a leader", func() error {
		for i, node := range m.nodes {
			status, err := m.etcd(t, i).Status(brief(t), client(node))
			if err == nil && status.Leader == status.Header.MemberId {
				found = i
				return nil
			}
		}
		return errors.New("none leads")
	})
	return found
}

// refused wants that the i-th machine is not let go for as long as the test has
// patience, and what it says about that.
func (m *members) refused(t *testing.T, i int, because string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second) // one round takes three for each member that is silent
	defer cancel()
	var log bytes.Buffer
	config := m.config
	config.Node = m.nodes[i%3].Name
	err := m.on(t, m.id(fmt.Sprint(i%3+1)), config, &log).YieldEtcd(ctx)
	assert.Error(t, err, log.String())
	assert.Contains(t, log.String(), because)
}

// TestYield: a machine is let go when the others can do without it, one at a time,
// and never while that would cost etcd its quorum (M12).
func TestYield(t *testing.T) {
	t.Parallel()
	m := newMembers(t, newGCP(t))
	for i := range m.nodes {
		m.start(i, "new")
	}
	eventually(t, "etcd", func() error { _, err := m.etcd(t, 0).Put(brief(t), "/registry/x", "1"); return err })
	on := func(i int) *agent.Agent { return m.agents[m.nodes[i%3].Name] }
	lead := m.leader(t)

	require.NoError(t, on(lead).YieldEtcd(t.Context()))
	assert.NotEqual(t, lead, m.leader(t), "leadership was not handed over")
	require.NoError(t, on(lead).YieldEtcd(t.Context()), "it may ask again")
	m.refused(t, lead+1, "another control plane was let go a moment ago")

	// It stops, and comes back: meanwhile nobody else may.
	gone := m.nodes[lead]
	kill(m.running[gone.Name])
	_, err := m.etcd(t, (lead+1)%3).Delete(brief(t), "redoubt.dev/yielding") // its time is over
	require.NoError(t, err)
	m.refused(t, lead+1, gone.Name+" does not answer")
	m.refused(t, lead+2, "1 of 3 members would go on, and 2 must")
	done := make(chan error, 1)
	go func() { done <- on(lead + 1).YieldEtcd(t.Context()) }()
	select {
	case err := <-done:
		t.Fatalf("let go while %s is away: %v", gone.Name, err)
	case <-time.After(time.Second):
	}
	m.start(lead, "existing")
	select {
	case err := <-done:
		require.NoError(t, err, "the first is back")
	case <-time.After(patience):
		t.Fatal("held up although all members are well")
	}
	behind, err := m.etcd(t, lead).Get(brief(t), "/registry/x", clientv3.WithSerializable()) // its own data
	require.NoError(t, err)
	assert.Equal(t, int64(1), behind.Count)

	// Whoever gives nothing holds nothing up.
	kill(m.running[m.nodes[(lead+1)%3].Name])
	require.NoError(t, on(lead+1).YieldEtcd(t.Context()), "its etcd is dead")
	var log bytes.Buffer
	config := m.config
	config.ControlPlanes, config.Node = m.nodes[:1], m.nodes[0].Name
	require.NoError(t, m.on(t, m.id("1"), config, &log).YieldEtcd(t.Context()))
	assert.Contains(t, log.String(), "one control plane")
	assert.ErrorContains(t, m.on(t, m.id("1"), m.worker("general"), nil).YieldEtcd(t.Context()), "for control planes")
}

// TestYieldOfALearner: a member that has no vote yet goes when it likes.
func TestYieldOfALearner(t *testing.T) {
	t.Parallel()
	m := newMembers(t, newAWS(t))
	all := m.nodes
	m.nodes = all[:1]
	m.start(0, "new")
	m.nodes = all[:2]
	eventually(t, "a learner", func() error { _, err := m.etcd(t, 0).MemberAddAsLearner(brief(t), []string{peer(all[1])}); return err })
	m.start(1, "existing")
	eventually(t, "the learner", func() error {
		status, err := m.etcd(t, 1).Status(brief(t), client(all[1]))
		if err == nil && !status.IsLearner {
			err = fmt.Errorf("it has a vote")
		}
		return err
	})
	require.NoError(t, m.agents[all[1].Name].YieldEtcd(t.Context()))
	require.NoError(t, m.agents[all[0].Name].YieldEtcd(t.Context()), "nobody else has a vote: waiting helps nobody")
}
