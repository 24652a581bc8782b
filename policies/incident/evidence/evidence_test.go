package evidence

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/policies/incident"
)

// What looks like a credential goes, what does not stays: a log without its words is no evidence.
func TestRedact(t *testing.T) {
	for _, secret := range []string{
		"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMHcCAQEE without an end",
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0abc.c2lnbmF0dXJl", "abcdef.0123456789abcdef", "AKIAIOSFODNN7EXAMPLE", "ya29.a0AfH6SMBx-0123456789_abc",
	} {
		got, count := redact([]byte("before " + secret + " after"))
		if count != 1 || bytes.Contains(got, []byte(secret)) || !bytes.HasPrefix(got, []byte("before [removed: ")) {
			t.Errorf("%q: %d, %s", secret, count, got)
		}
	}
	for text, secret := range map[string]string{
		`Authorization: Bearer abc123def456`: "abc123def456", `"authorization":"Basic dXNlcjpwYXNz"`: "dXNlcjpwYXNz", `postgres://app:hunter2@db/x`: "hunter2",
		`password=hunter2&x=1`: "hunter2", `"password": "hunter2"`: "hunter2", `  DB_PASSWORD: hunter2`: "hunter2", `aws_secret_access_key = wJalrXUtnFEMI`: "wJalrXUtnFEMI",
	} {
		if got, count := redact([]byte(text)); count == 0 || strings.Contains(string(got), secret) {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, plain := range []string{
		"GET /healthz 200", "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", "secretName: db", "redoubt.dev/quarantine-reason: a token was seen", "10.80.0.11:6443",
		"system:serviceaccount:team-a:robot",
	} {
		if got, count := redact([]byte(plain)); count != 0 || string(got) != plain {
			t.Errorf("%q became %q", plain, got)
		}
	}
}

func TestRedactObject(t *testing.T) {
	object := map[string]any{
		"metadata": map[string]any{"name": "web", "managedFields": []any{}, "annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "x", "a": "b"}},
		"data":     map[string]any{"DB_PASSWORD": "one", "mode": "fast"},
		"spec":     map[string]any{"containers": []any{map[string]any{"env": []any{map[string]any{"name": "API_TOKEN", "value": "two"}, map[string]any{"name": "LEVEL", "value": "debug"}}}}},
	}
	if count := redactObject(object); count != 2 {
		t.Errorf("%d", count)
	}
	metadata := object["metadata"].(map[string]any)
	if metadata["managedFields"] != nil || len(metadata["annotations"].(map[string]any)) != 1 {
		t.Errorf("%v", metadata)
	}
	env := object["spec"].(map[string]any)["containers"].([]any)[0].(map[string]any)["env"].([]any)
	if env[0].(map[string]any)["value"] != removed || env[1].(map[string]any)["value"] != "debug" || object["data"].(map[string]any)["mode"] != "fast" {
		t.Errorf("%v", object)
	}
	// The object of a request in the audit log.
	line, count, err := redactLine([]byte(`{"verb":"create","requestObject":{"spec":{"env":[{"name":"DB_PASSWORD","value":"three"}]}}}` + "\n"))
	if err != nil || count != 1 || strings.Contains(string(line), "three") || !strings.HasSuffix(string(line), "\n") {
		t.Errorf("%s %d %v", line, count, err)
	}
}

// archived is an archive with a record of two entries.
func archived(t *testing.T) string {
	t.Helper()
	path, now := filepath.Join(t.TempDir(), "pod.tar.gz"), time.Unix(1_800_000_000, 0)
	sum, err := write(path, map[string][]byte{"case.json": []byte("{}"), "logs/a.log": []byte("a\n")}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range []Custody{{Who: "alice", Action: "collected"}, {Who: "alice", Action: "handed over", To: "bob"}} {
		entry.Time, entry.SHA256 = now, sum
		if _, err := Append(path, entry); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// Whatever is changed afterwards shows.
func TestTampering(t *testing.T) {
	path := archived(t)
	if entries, last, err := Verify(path); err != nil || len(entries) != 2 || last == "" || entries[1].To != "bob" {
		t.Fatalf("%v %s %v", entries, last, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	change := func(name, want string, do func(t *testing.T, path string)) {
		t.Run(name, func(t *testing.T) {
			path := archived(t)
			do(t, path)
			if _, _, err := Verify(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	}
	edit := func(old, new string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(RecordOf(path))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(RecordOf(path), []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	change("the first entry changed", "does not follow", edit("alice", "carol"))
	change("the record taken away", "has no record", func(t *testing.T, path string) { _ = os.Remove(RecordOf(path)) })
	change("another archive", "another archive", func(t *testing.T, path string) {
		_ = os.Remove(path)
		if _, err := write(path, map[string][]byte{"case.json": []byte("other")}, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	})
	change("a byte of the archive", "", func(t *testing.T, path string) {
		data, _ := os.ReadFile(path)
		data[len(data)/2] ^= 1
		_ = os.WriteFile(path, data, 0o600)
	})
	// Whoever makes the archive anew has to make its manifest anew: files that were changed, added or taken away show.
	files := map[string][]byte{manifest: []byte(strings.Repeat("0", 64) + "  a\n" + strings.Repeat("0", 64) + "  gone\n"), "a": []byte("x"), "b": []byte("y")}
	for _, want := range []string{"a was changed", "gone is missing", "b was added"} {
		if err := check(files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	// The same files are the same bytes, and an archive is never written over.
	again := filepath.Join(t.TempDir(), "pod.tar.gz")
	if sum, err := write(again, map[string][]byte{"case.json": []byte("{}"), "logs/a.log": []byte("a\n")}, time.Unix(1_800_000_000, 0)); err != nil {
		t.Error(err)
	} else if _, other, _ := Read(path); sum != other {
		t.Errorf("%s, %s", sum, other)
	}
	if _, err := write(again, map[string][]byte{}, time.Unix(0, 0)); err == nil {
		t.Error("written over")
	}
}

// TestAuditLinesOfATarget: what it did counts, and what was done to it.
func TestAuditLinesOfATarget(t *testing.T) {
	c := &collector{Options: Options{Target: incident.Target{Kind: incident.Pod, Namespace: "a", Name: "p"}},
		pods: map[string]*corev1.Pod{"a/p": {Status: corev1.PodStatus{PodIP: "10.1.1.1"}}}}
	event := func(change func(*auditEvent)) auditEvent { e := auditEvent{}; change(&e); return e }
	for name, each := range map[string]struct {
		event auditEvent
		want  bool
	}{
		"of the pod":       {event(func(e *auditEvent) { e.Object.Resource, e.Object.Namespace, e.Object.Name = "pods", "a", "p" }), true},
		"of another":       {event(func(e *auditEvent) { e.Object.Resource, e.Object.Namespace, e.Object.Name = "pods", "b", "p" }), false},
		"from its address": {event(func(e *auditEvent) { e.SourceIPs = []string{"10.1.1.1"} }), true},
		"from elsewhere":   {event(func(e *auditEvent) { e.SourceIPs = []string{"10.1.1.2"} }), false},
		"with its token": {event(func(e *auditEvent) {
			e.User = auditUser{"system:serviceaccount:a:r", map[string][]string{"authentication.kubernetes.io/pod-name": {"p"}}}
		}), true},
		"with another token": {event(func(e *auditEvent) {
			e.User = auditUser{"system:serviceaccount:b:r", map[string][]string{"authentication.kubernetes.io/pod-name": {"p"}}}
		}), false},
	} {
		if got := c.concerns(each.event); got != each.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
