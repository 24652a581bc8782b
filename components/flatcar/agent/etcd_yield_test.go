package agent

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestSpare: which states of the other members let a machine go. Real members catch
// up in moments, so that one that is behind is made here.
func TestSpare(t *testing.T) {
	const committed = 1000
	well := &clientv3.StatusResponse{Leader: 1, RaftAppliedIndex: committed}
	ahead := &clientv3.StatusResponse{Leader: 1, RaftAppliedIndex: committed + 5}
	behind := &clientv3.StatusResponse{Leader: 1, RaftAppliedIndex: committed - 1}
	lost := &clientv3.StatusResponse{RaftAppliedIndex: committed}
	for name, each := range map[string]struct {
		others []*clientv3.StatusResponse // nil: no answer
		heir   uint64
		err    string
	}{
		"both are well":                {[]*clientv3.StatusResponse{well, ahead}, 12, ""},
		"one does not answer":          {[]*clientv3.StatusResponse{well, nil}, 0, "1 of 3 members would go on, and 2 must: m12 does not answer"},
		"one is behind":                {[]*clientv3.StatusResponse{behind, well}, 0, "m11 is behind: it has 999 of 1000 entries"},
		"one knows no leader":          {[]*clientv3.StatusResponse{well, lost}, 0, "m12 knows no leader"},
		"two members, the other well":  {[]*clientv3.StatusResponse{well}, 0, "1 of 2 members would go on, and 2 must"},
		"five members, one behind":     {[]*clientv3.StatusResponse{well, behind, well, well}, 11, ""},
		"five members, two are behind": {[]*clientv3.StatusResponse{well, behind, behind, well}, 0, "2 of 5 members would go on, and 3 must"},
	} {
		m := members{own: &etcdserverpb.Member{ID: 1, Name: "own"}, status: map[uint64]*clientv3.StatusResponse{}}
		m.voters = append(m.voters, m.own)
		for i, status := range each.others {
			id := uint64(11 + i)
			m.voters = append(m.voters, &etcdserverpb.Member{ID: id, Name: "m1" + string(rune('1'+i))})
			if status != nil {
				m.status[id] = status
			}
		}
		heir, err := m.spare(committed)
		if each.err == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, each.err, name)
		}
		assert.Equal(t, each.heir, heir, name)
	}
}
