package node

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
	"github.com/redoubt-dev/redoubt/test/fakecloud"
)

// both runs a test on each cloud, with a control plane and a worker of each pool.
func both(t *testing.T, test func(*testing.T, *site)) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T) *site{"aws": newAWS, "gcp": newGCP} {
		t.Run(name, func(t *testing.T) {
			s := make(t)
			s.instance(t, fakecloud.Instance{ID: s.id("1"), Name: "prod-control-plane-1", Role: roleControlPlane, Addresses: []string{"127.77.0.1"}})
			s.instance(t, fakecloud.Instance{ID: s.id("2"), Name: "prod-general-x1", Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.5"}})
			s.instance(t, fakecloud.Instance{ID: s.id("3"), Name: "prod-isolated-x1", Role: roleIsolated, Group: "prod-isolated", Addresses: []string{"10.0.2.6"}})
			test(t, s)
		})
	}
}

func put(t *testing.T, c cloud.Cloud, bucket, key, text, tag string) error {
	t.Helper()
	return c.Put(t.Context(), bucket, key, strings.NewReader(text), tag)
}

func get(t *testing.T, c cloud.Cloud, bucket, key string) (text, tag string, err error) {
	t.Helper()
	body, tag, err := c.Get(t.Context(), bucket, key)
	if err != nil {
		return "", "", err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	return string(data), tag, nil
}

// TestObjects writes on conditions, lists over several pages and meets the limits
// of each role.
func TestObjects(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		controlPlane, general := s.open(t, s.id("1")), s.open(t, s.id("2"))
		key, other := nodeconfig.JoinConfigKey("general"), nodeconfig.JoinConfigKey("isolated")
		_, _, err := get(t, controlPlane, store, key)
		assert.ErrorIs(t, err, cloud.ErrNotFound)
		require.NoError(t, put(t, controlPlane, store, key, "one", cloud.Absent))
		assert.ErrorIs(t, put(t, controlPlane, store, key, "two", cloud.Absent), cloud.ErrChanged, "it exists already")
		text, tag, err := get(t, controlPlane, store, key)
		require.NoError(t, err)
		assert.Equal(t, "one", text)
		require.NoError(t, put(t, controlPlane, store, key, "two", tag))
		assert.ErrorIs(t, put(t, controlPlane, store, key, "three", tag), cloud.ErrChanged, "the tag is an old one")

		text, _, err = get(t, general, store, key)
		require.NoError(t, err)
		assert.Equal(t, "two", text)
		require.NoError(t, put(t, controlPlane, store, other, "secret", cloud.Any))
		s.Put(store, "control-plane/pki/ca.key", []byte("the authority's key"))
		for _, forbidden := range []string{other, "control-plane/pki/ca.key"} {
			_, _, err = get(t, general, store, forbidden)
			assert.ErrorIs(t, err, cloud.ErrDenied, forbidden)
		}
		assert.ErrorIs(t, put(t, general, store, key, "mine", cloud.Any), cloud.ErrDenied)
		assert.ErrorIs(t, put(t, controlPlane, store, "control-plane/control-plane-1.ign", "mine", cloud.Any), cloud.ErrDenied)

		var want []string
		for _, number := range strings.Fields("01 02 03 04 05 06 07 08") {
			require.NoError(t, put(t, controlPlane, snapshots, "etcd/"+number+".db", number, cloud.Absent))
			want = append(want, "etcd/"+number+".db")
		}
		have, err := controlPlane.List(t.Context(), snapshots, "etcd/")
		require.NoError(t, err)
		assert.Equal(t, want, have, "all pages")
		_, err = general.List(t.Context(), snapshots, "etcd/")
		assert.ErrorIs(t, err, cloud.ErrDenied)
	})
}

// TestInstances finds machines by address and by name, and none of another cluster.
func TestInstances(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		foreign := map[string]string{nodeconfig.TagCluster: "test", nodeconfig.LabelCluster: "test"}
		s.instance(t, fakecloud.Instance{ID: s.id("4"), Name: "test-general-x1", Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.7"}, Tags: foreign})
		s.instance(t, fakecloud.Instance{ID: s.id("5"), Name: "prod-general-x2", Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.8"}, Leaving: true})
		s.instance(t, fakecloud.Instance{ID: s.id("6"), Name: "prod-general-x3", Role: roleGeneral, Group: "prod-general", Addresses: []string{"10.0.1.9"}, State: "terminated"})
		c := s.open(t, s.id("1"))
		all, err := c.Running(t.Context(), "")
		require.NoError(t, err)
		var ids, leaving []string
		for _, each := range all {
			ids = append(ids, each.ID)
			if each.Leaving {
				leaving = append(leaving, each.ID)
			}
			assert.WithinDuration(t, time.Now(), each.Launched, time.Minute)
		}
		assert.Equal(t, []string{s.id("1"), s.id("2"), s.id("3"), s.id("5")}, ids)
		assert.Equal(t, []string{s.id("5")}, leaving)
		one, err := c.Running(t.Context(), "10.0.1.5")
		require.NoError(t, err)
		require.Len(t, one, 1)
		assert.Equal(t, s.config.Pools[0].Role, one[0].Role)
		assert.Equal(t, s.config.Pools[0].Group, one[0].Group)
		name := map[fakecloud.Provider]string{fakecloud.AWS: "ip-10-0-1-5", fakecloud.GCP: "prod-general-x1"}[s.provider]
		assert.Equal(t, name, one[0].Node)
		named, err := c.Named(t.Context(), name)
		require.NoError(t, err)
		assert.Len(t, named, 1)
		for _, nobody := range []string{"", "ip-10-0-1-7", "test-general-x1", "ip-10-0-1-*", `x" OR name = "prod-general-x1`, "ip-10-0-1-9", "prod-general-x3"} {
			named, err := c.Named(t.Context(), nobody)
			assert.NoError(t, err, nobody)
			assert.Empty(t, named, nobody)
		}
		_, err = s.open(t, s.id("2")).Running(t.Context(), "")
		assert.ErrorIs(t, err, cloud.ErrDenied, "a worker may not list instances")
	})
}

// TestReplacement: a control plane has machines of pools replaced, each once, and
// nobody else's; workers have none replaced (M05, M20).
func TestReplacement(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		long := time.Now().Add(-time.Hour)
		named := func(id, name, role, group, address string, edit func(*fakecloud.Instance)) {
			i := fakecloud.Instance{ID: s.id(id), Name: name, Role: role, Group: group, Addresses: []string{address}, Launched: long}
			if edit != nil {
				edit(&i)
			}
			s.instance(t, i)
		}
		named("4", "prod-general-x4", roleGeneral, "prod-general", "10.0.1.4", nil)
		named("5", "prod-general-x5", roleGeneral, "prod-general", "10.0.1.9", func(i *fakecloud.Instance) { i.Held = true })
		named("6", "prod-general-x6", roleGeneral, "prod-general", "10.0.1.6", func(i *fakecloud.Instance) { i.State = "shutting-down" })
		named("7", "other-general-x1", roleGeneral, "other-general", "10.0.1.7", nil)
		c, ctx := s.open(t, s.id("1")), t.Context()
		find := func(id string) cloud.Instance {
			all, err := c.Running(ctx, "")
			require.NoError(t, err)
			for _, each := range all {
				if each.ID == s.id(id) {
					return each
				}
			}
			t.Fatalf("%s is not in the list", s.id(id))
			return cloud.Instance{}
		}
		assert.True(t, find("5").Spared, "an operator holds it")
		assert.False(t, find("4").Spared || find("4").Leaving || find("4").Ending)
		assert.True(t, find("6").Leaving)
		assert.Equal(t, s.provider == fakecloud.AWS, find("6").Ending)
		one, err := c.Running(ctx, "10.0.1.6")
		require.NoError(t, err)
		assert.Equal(t, s.provider == fakecloud.AWS, len(one) == 0, "who is being terminated gets no certificate on AWS")

		four := find("4")
		assert.ErrorIs(t, s.open(t, s.id("2")).Replace(ctx, four), cloud.ErrDenied, "a worker")
		assert.False(t, s.Condemned(four.ID))
		require.NoError(t, c.Replace(ctx, four))
		assert.True(t, s.Condemned(four.ID))
		assert.True(t, find("4").Leaving)
		require.NoError(t, c.Replace(ctx, four), "again")
		for _, id := range []string{"7", "1"} {
			i := find(id)
			if s.provider == fakecloud.GCP {
				i.Node = map[string]string{"7": "other-general-x1", "1": "prod-control-plane-1"}[id]
			}
			assert.Error(t, c.Replace(ctx, i), id)
			assert.False(t, s.Condemned(i.ID), id)
		}
		if s.provider == fakecloud.AWS {
			young := find("2") // launched a moment ago: the group's grace period holds
			require.NoError(t, c.Replace(ctx, young))
			assert.False(t, s.Condemned(young.ID))
			return
		}
		assert.Error(t, c.Replace(ctx, find("5")), "protected from deletion")
		// The group has made the machine anew, under its name: the one before is meant.
		s.ChangeInstance(four.ID, func(i *fakecloud.Instance) { i.State = "terminated" })
		require.NoError(t, c.Replace(ctx, four), "it has gone")
		named("8", "prod-general-x4", roleGeneral, "prod-general", "10.0.1.4", nil)
		require.NoError(t, c.Replace(ctx, four))
		assert.False(t, s.Condemned(s.id("8")), "the next machine of the name was deleted")
	})
}

// TestKeys encrypts under a context, and opens nothing under another one, another
// role or another key.
func TestKeys(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		c, ctx, key := s.open(t, s.id("1")), t.Context(), s.config.KMS.Keys[0]
		bound := nodeconfig.EncryptionContext(cluster)
		cipher, version, err := c.Encrypt(ctx, key, []byte("seed"), bound)
		require.NoError(t, err)
		assert.NotContains(t, string(cipher), "seed")
		plain, err := c.Decrypt(ctx, key, cipher, bound)
		require.NoError(t, err)
		assert.Equal(t, "seed", string(plain))
		_, err = c.Decrypt(ctx, key, cipher, nodeconfig.EncryptionContext("test"))
		assert.Error(t, err, "another cluster's context")
		_, err = s.open(t, s.id("2")).Decrypt(ctx, key, cipher, bound)
		assert.ErrorIs(t, err, cloud.ErrDenied, "a worker")
		other := map[fakecloud.Provider]string{fakecloud.AWS: otherKey, fakecloud.GCP: "prod/other"}[s.provider]
		_, _, err = c.Encrypt(ctx, s.KeyName(other), []byte("seed"), bound)
		assert.ErrorIs(t, err, cloud.ErrDenied, "a key that is not the role's")
		id := map[fakecloud.Provider]string{fakecloud.AWS: secretsKey, fakecloud.GCP: "prod/secrets"}[s.provider]
		s.RotateKey(id)
		_, next, err := c.Encrypt(ctx, key, []byte("seed"), bound)
		require.NoError(t, err)
		assert.Equal(t, s.provider == fakecloud.GCP, next != version, "Cloud KMS tells of its rotation")
		plain, err = c.Decrypt(ctx, key, cipher, bound)
		require.NoError(t, err)
		assert.Equal(t, "seed", string(plain))
		s.DisableKey(id, true)
		_, err = c.Decrypt(ctx, key, cipher, bound)
		assert.Error(t, err)
	})
}

// TestPassingFailures: what fails once or twice succeeds; what stays so is told.
func TestPassingFailures(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		c, service := s.open(t, s.id("1")), map[fakecloud.Provider]string{fakecloud.AWS: "s3", fakecloud.GCP: "storage"}[s.provider]
		for name, status := range map[string]int{"cut": 0, "slow down": 503, "too many": 429} {
			s.Fail(service, fakecloud.Fault{Status: status, Times: 2})
			assert.NoError(t, put(t, c, store, nodeconfig.JoinConfigKey("general"), name, cloud.Any), name)
		}
		s.Fail(service, fakecloud.Fault{Status: 503})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := c.Put(ctx, store, nodeconfig.JoinConfigKey("general"), strings.NewReader("x"), cloud.Any)
		assert.ErrorContains(t, err, "503")
	})
}
