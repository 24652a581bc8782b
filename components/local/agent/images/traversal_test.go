package images

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTraversalIsRefused puts a file outside the directory and tries to read it.
func TestTraversalIsRefused(t *testing.T) {
	parent := t.TempDir()
	directory := filepath.Join(parent, "images")
	digest := add(t, directory, program(t, "one"))
	const secret = "top secret"
	outside := filepath.Join(parent, "outside")
	for _, path := range []string{filepath.Join(outside, "index.json"), filepath.Join(outside, "blobs", "sha256", strings.Repeat("a", 64))} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(secret), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A link to the outside, as somebody who may write the directory could place it.
	if err := os.Symlink(outside, filepath.Join(directory, "redoubt.local", "linked")); err != nil {
		t.Fatal(err)
	}
	address := registry(t, directory)
	blob := "/blobs/sha256:" + strings.Repeat("a", 64)
	for _, path := range []string{
		"/v2/../outside" + blob,
		"/v2/redoubt.local/../../outside" + blob,
		"/v2/redoubt.local/%2e%2e/%2e%2e/outside" + blob,
		"/v2/redoubt.local%2f..%2f..%2foutside" + blob,
		"/v2/outside" + blob + "?ns=..",
		"/v2/outside" + blob + "?ns=../",
		"/v2/outside" + blob + "?ns=redoubt.local/../..",
		"/v2/outside" + blob + "?ns=" + strings.ReplaceAll(parent, "/", "%2f"),
		"/v2/" + parent + "/outside" + blob,
		"/v2//" + blob,
		"/v2/redoubt.local/linked" + blob,
		"/v2/linked" + blob + "?ns=redoubt.local",
		"/v2/redoubt.local/pause/blobs/sha256:..%2f..%2f..%2f..%2f..%2foutside%2findex.json",
		"/v2/redoubt.local/pause/manifests/..%2findex.json",
		"/v2/redoubt.local/pause/manifests/%2e%2e",
		"/v2/redoubt.local/pause/blobs/md5:abc",
		"/v2/redoubt.local/pause/blobs/..:index.json", // <layout>/blobs/../index.json
		"/index.json",
		"/",
	} {
		response, body := get(t, address, "GET", path)
		if response.StatusCode < 400 || bytes.Contains(body, []byte(secret)) {
			t.Errorf("%s: %s %s", path, response.Status, body)
		}
		if bytes.Contains(body, []byte(parent)) {
			t.Errorf("%s: the answer tells where the directory is: %s", path, body)
		}
	}
	if response, _ := get(t, address, "GET", "/v2/redoubt.local/pause/blobs/"+digest); response.StatusCode != 200 {
		t.Errorf("what may be read is refused: %s", response.Status)
	}
}

func TestServeRefusesToLeaveLoopback(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":5000", "10.80.0.11:5000", "localhost", "[::]:0"} {
		if err := Serve(t.Context(), t.TempDir(), listen, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%s: %v", listen, err)
		}
	}
}
