package local

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// auditEvent is one line of the audit log.
type auditEvent = auditv1.Event

// auditDelay is how long an event may take to reach the log.
const auditDelay = 30 * time.Second

// auditDir holds the audit log and its rotated parts.
func (c *Cluster) auditDir() string {
	if !c.Isolated { // a plain machine has no /var/log of its own
		return c.Path(c.ControlPlane.Name, "/var/log/kubernetes")
	}
	return filepath.Join(c.LogDir(c.ControlPlane.Name), "kubernetes")
}

func (c *Cluster) auditLog() string { return filepath.Join(c.auditDir(), "audit.log") }

// auditPosition is the present end of the audit log.
func (c *Cluster) auditPosition(t testing.TB) int64 {
	t.Helper()
	info, err := os.Stat(c.auditLog())
	require.NoError(t, err, "there is no audit log")
	return info.Size()
}

// readAudit reads the complete lines after a position. When the log was rotated
// meanwhile it reads the new one from its beginning.
func readAudit(path string, from int64) ([]auditEvent, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() < from {
		from = 0
	}
	if _, err := file.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	var events []auditEvent
	reader := bufio.NewReaderSize(file, 1<<20)
	for {
		line, err := reader.ReadBytes('\n')
		if err == io.EOF {
			return events, nil // a line without an end is still being written
		}
		if err != nil {
			return nil, err
		}
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("%s: a line is no audit event: %w: %.120s", path, err, line)
		}
		events = append(events, event)
	}
}

// awaitAudit waits until an event after the position matches, and gives it.
func (c *Cluster) awaitAudit(t testing.TB, from int64, what string, match func(auditEvent) bool) auditEvent {
	t.Helper()
	deadline := time.Now().Add(auditDelay)
	for {
		events, err := readAudit(c.auditLog(), from)
		require.NoError(t, err)
		for _, event := range events {
			if match(event) {
				return event
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("not in the audit log within %s: %s (%d events since)", auditDelay, what, len(events))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// filesContaining are the files below a directory that contain one of the texts.
func filesContaining(root string, texts ...[]byte) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil // rotated or renewed meanwhile
			}
			return err
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, text := range texts {
			if bytes.Contains(data, text) {
				found = append(found, path)
				return nil
			}
		}
		return nil
	})
	return found, err
}
