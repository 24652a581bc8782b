package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/components/flatcar/auditlog"
)

// TestAuditLog: a copy of the bucket is unpacked and judged; what is not whole is an
// error, and what is left of it is there (M17, M38).
func TestAuditLog(t *testing.T) {
	from, out := t.TempDir(), t.TempDir()
	for _, node := range []string{"control-plane-1", "control-plane-2"} {
		h := auditlog.Header{Node: node, Stream: "0011223344556677", Sequence: 1, Time: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
		part := fmt.Appendf(nil, "an event of %s\n", node)
		h.Bytes = int64(len(part))
		comment, _ := json.Marshal(h)
		var object bytes.Buffer
		packed := gzip.NewWriter(&object)
		packed.Comment = string(comment)
		_, _ = packed.Write(part)
		_ = packed.Close()
		file := filepath.Join(from, h.Name("audit/"))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, object.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	if err := run(t.Context(), []string{"audit-log", "--from", from, "--out", out}, &said); err != nil || strings.Count(said.String(), "1 objects") != 2 {
		t.Errorf("%q: %v", said.String(), err)
	}
	if log, err := os.ReadFile(filepath.Join(out, "control-plane-2.log")); string(log) != "an event of control-plane-2\n" {
		t.Errorf("%q: %v", log, err)
	}
	if err := run(t.Context(), []string{"audit-log", "--from", from, "--out", out}, &said); err == nil {
		t.Error("a log was written over")
	}
	names, _ := filepath.Glob(filepath.Join(from, "audit", "control-plane-1", "*"))
	if err := os.Rename(names[0], strings.Replace(names[0], "-00000001", "-00000002", 1)); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"audit-log", "--from", from}, &said); err == nil || !strings.Contains(err.Error(), "says that it is control-plane-1/") {
		t.Errorf("another name: %v", err)
	}
	for _, arguments := range [][]string{{"audit-log"}, {"audit-log", "--from", out}, {"audit-log", "--from", "/nowhere"}} {
		if err := run(t.Context(), arguments, &said); err == nil {
			t.Errorf("%q", arguments)
		}
	}
}
