package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	clientsnapshot "go.etcd.io/etcd/client/v3/snapshot"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"

	"github.com/redoubt-dev/redoubt/components/flatcar/agent/cloud"
)

// snapshotTime is the form of times in names of snapshots: names sort by time, and
// have nothing that a URL would escape.
const snapshotTime = "20060102T150405Z"

// Snapshot takes a snapshot of this machine's etcd, verifies it as restoring
// would, and puts it into the bucket under a name that nothing has yet. It gives
// the key.
func (a *Agent) Snapshot(ctx context.Context, out string) (string, error) {
	if err := a.controlPlane(); err != nil {
		return "", err
	}
	if a.config.Snapshots == nil {
		return "", errors.New("snapshots: is not set: write the bucket")
	}
	directory, err := os.MkdirTemp("", "redoubt-snapshot-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(directory)
	file := filepath.Join(directory, "snapshot.db")
	own, _ := a.config.Own()
	config, err := a.etcdConfig(etcdURL(own))
	if err != nil {
		return "", err
	}
	version, err := clientsnapshot.SaveWithVersion(ctx, zap.NewNop(), config, file)
	if err != nil {
		return "", fmt.Errorf("taking a snapshot: %w", err)
	}
	status, err := verifySnapshot(file)
	if err != nil {
		return "", err
	}
	key := a.config.Snapshots.Prefix + a.now().UTC().Format(snapshotTime) + "-" + a.config.Node + ".db"
	opened, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer opened.Close()
	if err := a.cloud.Put(ctx, a.config.Snapshots.Bucket, key, opened, cloud.Absent); err != nil {
		return "", err
	}
	a.log.Info("snapshot stored", "bucket", a.config.Snapshots.Bucket, "object", key, "etcd", version,
		"revision", status.Revision, "keys", status.TotalKey, "bytes", status.TotalSize)
	if out == "" {
		return key, nil
	}
	if _, err := opened.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	return key, copyPrivate(out, opened)
}

// verifySnapshot checks the hash at a snapshot's end and that its database can be
// read.
func verifySnapshot(file string) (status snapshot.Status, err error) {
	if err := verifyHash(file); err != nil {
		return status, err
	}
	defer func() { // a database that is damaged lets the reader panic
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the snapshot's database cannot be read: %v", fault)
		}
	}()
	status, err = snapshot.NewV3(zap.NewNop()).Status(file)
	if err != nil {
		err = fmt.Errorf("the snapshot's database cannot be read: %w", err)
	}
	return status, err
}

// copyPrivate writes a new file that root alone may read.
func copyPrivate(path string, from io.Reader) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
	}()
	if _, err := io.Copy(file, from); err != nil {
		return err
	}
	return file.Sync()
}

// newestSnapshot finds the last one of any control plane.
func (a *Agent) newestSnapshot(ctx context.Context) (string, error) {
	keys, err := a.cloud.List(ctx, a.config.Snapshots.Bucket, a.config.Snapshots.Prefix)
	if err != nil {
		return "", err
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasSuffix(key, ".db") })
	if len(keys) == 0 {
		return "", fmt.Errorf("there is no snapshot below %s/%s", a.config.Snapshots.Bucket, a.config.Snapshots.Prefix)
	}
	return slices.Max(keys), nil
}
