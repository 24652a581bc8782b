package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
)

const (
	// A snapshot is whole pages of the database and the SHA-256 of them, which the
	// server that took it appended.
	pageBytes = 512
	// revisionBump is added to the revisions of a restored etcd, far more than was
	// written since the snapshot: clients that saw later revisions than the
	// snapshot's would otherwise wait for them, or take new ones for old.
	// https://etcd.io/docs/v3.6/op-guide/recovery/
	revisionBump = 1_000_000_000
)

// hashOf gives the hash of a snapshot's database, after checking it.
func hashOf(file string) ([]byte, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < pageBytes+sha256.Size || info.Size()%pageBytes != sha256.Size {
		return nil, fmt.Errorf("the snapshot of %d bytes is not complete: its hash is missing", info.Size())
	}
	hash := sha256.New()
	if _, err := io.CopyN(hash, opened, info.Size()-sha256.Size); err != nil {
		return nil, err
	}
	want, err := io.ReadAll(opened)
	if err != nil {
		return nil, err
	}
	if got := hash.Sum(nil); !bytes.Equal(got, want) {
		return nil, errors.New("the snapshot is damaged: its hash is another")
	}
	return want, nil
}

func verifyHash(file string) error {
	_, err := hashOf(file)
	return err
}

// Restore makes a data directory for this machine's member out of a snapshot: a
// key in the bucket, a file, or the newest when it is empty. The members are all
// control planes, and the token by which members know each other comes from the
// snapshot, so that members which were restored from different ones never form a
// cluster.
func (a *Agent) Restore(ctx context.Context, from, dataDirectory string) error {
	if err := a.controlPlane(); err != nil {
		return err
	}
	if err := emptyDirectory(dataDirectory); err != nil {
		return err
	}
	// Within its destination, which may be a volume of its own: the last step is a
	// rename.
	work, err := os.MkdirTemp(dataDirectory, workPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	file := filepath.Join(work, "snapshot.db")
	if err := a.fetchSnapshot(ctx, from, file); err != nil {
		return err
	}
	status, err := verifySnapshot(file)
	if err != nil {
		return err
	}
	hash, err := hashOf(file)
	if err != nil {
		return err
	}
	own, _ := a.config.Own()
	var members []string
	for _, each := range a.config.ControlPlanes {
		members = append(members, each.Name+"="+peerURL(each))
	}
	made := filepath.Join(work, "data")
	err = snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: file, Name: own.Name, OutputDataDir: made, PeerURLs: []string{peerURL(own)},
		InitialCluster: strings.Join(members, ","), InitialClusterToken: a.config.Cluster + "-" + hex.EncodeToString(hash[:8]),
		RevisionBump: revisionBump, MarkCompacted: true,
	})
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	if err := os.Rename(filepath.Join(made, "member"), filepath.Join(dataDirectory, "member")); err != nil {
		return err
	}
	a.log.Info("restored", "directory", dataDirectory, "revision", status.Revision, "keys", status.TotalKey, "members", members)
	return nil
}

// workPrefix begins the directory in which a member is made.
const workPrefix = ".redoubt-restore-"

// emptyDirectory makes a directory for a member, or takes one in which nothing is
// but what a killed run and a file system leave.
func emptyDirectory(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil { // CIS 1.1.11
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		switch {
		case entry.Name() == "lost+found":
		case strings.HasPrefix(entry.Name(), workPrefix):
			if err := os.RemoveAll(filepath.Join(path, entry.Name())); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is not empty: stop etcd and move its data away first", path)
		}
	}
	return nil
}

// fetchSnapshot brings a snapshot to a file.
func (a *Agent) fetchSnapshot(ctx context.Context, from, file string) error {
	if filepath.IsAbs(from) {
		local, err := os.Open(from)
		if err != nil {
			return err
		}
		defer local.Close()
		return copyPrivate(file, local)
	}
	if a.config.Snapshots == nil {
		return errors.New("snapshots: is not set: write the bucket, or give the absolute path of a file")
	}
	if from == "" {
		newest, err := a.newestSnapshot(ctx)
		if err != nil {
			return err
		}
		from = newest
	}
	body, _, err := a.cloud.Get(ctx, a.config.Snapshots.Bucket, from)
	if err != nil {
		return err
	}
	defer body.Close()
	a.log.Info("restoring: on every control plane the same", "snapshot", from)
	return copyPrivate(file, body)
}
