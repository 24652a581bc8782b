package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
	"github.com/redoubt-dev/redoubt/components/internal/filepair"
	"github.com/redoubt-dev/redoubt/hostconfig/nodeconfig"
)

// fetchMargin is how much of a token's life must be left: kubeadm and the kubelet
// need it for minutes, images included.
const fetchMargin = 20 * time.Minute

// FetchJoin writes this worker's join configuration to a file, mode 0600, as soon
// as the store has one that is good. Bad ones are not written.
func (a *Agent) FetchJoin(ctx context.Context, out string) error {
	if a.config.Pool == "" {
		return errors.New("this is a control plane's configuration: a control plane joins by redoubt-node issue join")
	}
	key := nodeconfig.JoinConfigKey(a.config.Pool)
	return a.until(ctx, "fetching the join configuration", func() error {
		data, _, err := a.read(ctx, a.config.Store, key)
		if err != nil {
			return err
		}
		secret, expires, err := parseJoinConfig(a.config, data, a.now(), fetchMargin)
		if err != nil {
			return err
		}
		// Server and authorities are those of the machine's own configuration.
		own, err := renderJoinConfig(a.config, secret, expires)
		if err != nil {
			return err
		}
		if err := writePrivate(out, own); err != nil {
			return err
		}
		a.log.Info("the join configuration is here", "from", key, "file", out)
		return nil
	})
}

// smallObject bounds what is read of an object that is no snapshot.
const smallObject = 1 << 20

// read gives a small object and its tag.
func (a *Agent) read(ctx context.Context, bucket, key string) ([]byte, string, error) {
	body, tag, err := a.cloud.Get(ctx, bucket, key)
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	data, err := readLimited(body, smallObject)
	return data, tag, err
}

// writePrivate replaces a file that root alone may read. Its directory is made if
// it is not there.
func writePrivate(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // names are no secret
		return err
	}
	return filepair.Write(path, data, 0o600)
}

// Initialized tells whether the cluster exists. An error means that it cannot be
// told: nobody may then make a cluster.
func (a *Agent) Initialized(ctx context.Context) (bool, error) {
	if err := a.controlPlane(); err != nil {
		return false, err
	}
	_, _, err := a.read(ctx, a.config.Store, nodeconfig.KeyInitialized)
	switch {
	case err == nil:
		a.log.Info("the store says that the cluster exists", "object", nodeconfig.KeyInitialized)
		return true, nil
	case !errors.Is(err, cloud.ErrNotFound):
		return false, err
	}
	if err := a.answers(ctx, a.config.Endpoint); err != nil {
		a.log.Info("no API server answers behind the endpoint, and the store says nothing of a cluster", "endpoint", a.config.Endpoint, "error", err.Error())
		return false, nil
	}
	a.log.Info("an API server of the cluster answers", "endpoint", a.config.Endpoint)
	return true, nil
}

// MarkInitialized notes in the store that the cluster exists.
func (a *Agent) MarkInitialized(ctx context.Context) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	err := a.cloud.Put(ctx, a.config.Store, nodeconfig.KeyInitialized, emptyBody(), cloud.Absent)
	if errors.Is(err, cloud.ErrChanged) {
		return nil // marked already
	}
	return err
}
