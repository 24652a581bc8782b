package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const pauseName = "redoubt.local/pause:3.10"

// program builds a small static Linux program, whose output tells versions apart.
func program(t *testing.T, version string, environment ...string) string {
	t.Helper()
	directory := t.TempDir()
	for file, contents := range map[string]string{
		"go.mod":  "module example.com/pause\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() { println(\"" + version + "\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(directory, file), []byte(contents), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(directory, "pause")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, ".")
	build.Dir = directory
	build.Env = append(os.Environ(), append([]string{"CGO_ENABLED=0", "GOOS=linux", "GOWORK=off", "GOFLAGS="}, environment...)...)
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building a program: %v\n%s", err, output)
	}
	return binary
}

func add(t *testing.T, directory, binary string) string {
	t.Helper()
	digest, err := Add(directory, Image{Binary: binary, Name: pauseName, User: DefaultUser})
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// registry serves a directory on loopback and returns the address.
func registry(t *testing.T, directory string) string {
	t.Helper()
	handler, err := NewRegistry(directory, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		handler.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// TestImageIsServedWhole follows an image from its tag to its last byte, checking
// every size and digest on the way, as a client does. Clients that others wrote
// pull in the module test, so that importers of this one need not download them.
func TestImageIsServedWhole(t *testing.T) {
	directory, binary := t.TempDir(), program(t, "one")
	digest := add(t, directory, binary)
	address := registry(t, directory)
	fetch := func(kind, reference string, descriptor *v1.Descriptor) []byte {
		response, body := get(t, address, "GET", "/v2/redoubt.local/pause/"+kind+"/"+reference)
		have, size, err := v1.SHA256(bytes.NewReader(body))
		if err != nil || response.StatusCode != 200 || have.String() != response.Header.Get("Docker-Content-Digest") ||
			descriptor != nil && (size != descriptor.Size || have != descriptor.Digest) {
			t.Fatalf("%s %s: %s, %d bytes, digest %s, %v; want %+v", kind, reference, response.Status, size, have, err, descriptor)
		}
		return body
	}
	byTag := fetch("manifests", "3.10", nil)
	if !bytes.Equal(byTag, fetch("manifests", digest, nil)) {
		t.Error("tag and digest give different manifests")
	}
	manifest, err := v1.ParseManifest(bytes.NewReader(byTag))
	if err != nil || len(manifest.Layers) != 1 {
		t.Fatalf("manifest %s: %v", byTag, err)
	}
	config, err := v1.ParseConfigFile(bytes.NewReader(fetch("blobs", manifest.Config.Digest.String(), &manifest.Config)))
	if err != nil {
		t.Fatal(err)
	}
	architecture, err := staticArchitecture(binary)
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65535:65535" || len(config.Config.Entrypoint) != 1 || config.Config.Entrypoint[0] != "/pause" ||
		config.OS != "linux" || config.Architecture != architecture || config.RootFS.DiffIDs[0] != manifest.Layers[0].Digest {
		t.Errorf("the image's configuration is %+v", config)
	}
	archive := tar.NewReader(bytes.NewReader(fetch("blobs", manifest.Layers[0].Digest.String(), &manifest.Layers[0])))
	header, err := archive.Next()
	if err != nil || header.Name != "pause" || header.Mode != 0o555 || header.Uid != 0 || header.ModTime.Unix() != 0 {
		t.Fatalf("the layer's first entry is %+v, %v", header, err)
	}
	contents, err := io.ReadAll(archive)
	want, readError := os.ReadFile(binary)
	if err != nil || readError != nil || !bytes.Equal(contents, want) {
		t.Errorf("the program in the layer is not the one that was built: %v, %v", err, readError)
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Errorf("a second entry in the layer: %v", err)
	}
	if _, body := get(t, address, "GET", "/v2/redoubt.local/pause/tags/list"); !strings.Contains(string(body), `"tags":["3.10"]`) {
		t.Errorf("tags: %s", body)
	}
}

// TestRange asks for a part, as a client does that resumes.
func TestRange(t *testing.T) {
	directory := t.TempDir()
	digest := add(t, directory, program(t, "one"))
	address := registry(t, directory)
	_, whole := get(t, address, "GET", "/v2/redoubt.local/pause/blobs/"+digest)
	request, err := http.NewRequest("GET", "http://"+address+"/v2/redoubt.local/pause/blobs/"+digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes=10-19")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	part, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[10:20]) {
		t.Errorf("%s, %q, %v; want %q", response.Status, part, err, whole[10:20])
	}
}

// TestRegistryOnlyReads tries every way to change something, and compares the
// directory before and after.
func TestRegistryOnlyReads(t *testing.T) {
	directory := t.TempDir()
	digest := add(t, directory, program(t, "one"))
	before := tree(t, directory)
	address := registry(t, directory)
	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete, http.MethodOptions, "PROPFIND"} {
		for _, path := range []string{"/v2/", "/v2/redoubt.local/pause/manifests/3.10", "/v2/redoubt.local/pause/blobs/uploads/",
			"/v2/redoubt.local/pause/blobs/" + digest, "/v2/x/manifests/y"} {
			request, err := http.NewRequest(method, "http://"+address+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %s, Allow %q, want 405", method, path, response.Status, response.Header.Get("Allow"))
			}
		}
	}
	if after := tree(t, directory); after != before {
		t.Errorf("the directory changed from\n%s\nto\n%s", before, after)
	}
}

// get asks with the path and query as they are, without cleaning them.
func get(t *testing.T, address, method, pathAndQuery string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequest(method, "http://"+address, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, query, _ := strings.Cut(pathAndQuery, "?")
	request.URL.Opaque, request.URL.RawQuery = "//"+address+raw, query
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// TestMirrorRequests makes the requests of containerd 1.6 for a mirror.
func TestMirrorRequests(t *testing.T) {
	directory := t.TempDir()
	digest := add(t, directory, program(t, "one"))
	address := registry(t, directory)
	for _, test := range []struct {
		method, path string
		status       int
		mediaType    string
	}{
		{"GET", "/v2/", 200, "application/json"},
		{"HEAD", "/v2/pause/manifests/3.10?ns=redoubt.local", 200, "application/vnd.oci.image.manifest.v1+json"},
		{"GET", "/v2/pause/manifests/3.10?ns=redoubt.local", 200, "application/vnd.oci.image.manifest.v1+json"},
		{"HEAD", "/v2/pause/manifests/" + digest + "?ns=redoubt.local", 200, "application/vnd.oci.image.manifest.v1+json"},
		{"GET", "/v2/pause/blobs/" + digest + "?ns=redoubt.local", 200, "application/octet-stream"},
		{"GET", "/v2/redoubt.local/pause/manifests/3.10", 200, "application/vnd.oci.image.manifest.v1+json"},
		{"GET", "/v2/pause/manifests/3.11?ns=redoubt.local", 404, "application/json"},
		{"GET", "/v2/pause/manifests/3.10?ns=registry.k8s.io", 404, "application/json"},
		{"GET", "/v2/pause/manifests/3.10", 404, "application/json"},
		{"GET", "/v2/other/manifests/3.10?ns=redoubt.local", 404, "application/json"},
		{"GET", "/v2/pause/blobs/sha256:" + strings.Repeat("0", 64) + "?ns=redoubt.local", 404, "application/json"},
	} {
		response, body := get(t, address, test.method, test.path)
		if response.StatusCode != test.status || response.Header.Get("Content-Type") != test.mediaType {
			t.Errorf("%s %s: %s, %s", test.method, test.path, response.Status, response.Header.Get("Content-Type"))
		}
		if test.status == 200 && strings.Contains(test.path, "manifests") {
			if response.Header.Get("Docker-Content-Digest") != digest || response.ContentLength <= 0 {
				t.Errorf("%s %s: digest %q, length %d", test.method, test.path, response.Header.Get("Docker-Content-Digest"), response.ContentLength)
			}
		}
		if test.status == 404 {
			var answer struct {
				Errors []struct{ Code, Message string }
			}
			if err := json.Unmarshal(body, &answer); err != nil || len(answer.Errors) != 1 || answer.Errors[0].Code == "" {
				t.Errorf("%s %s: the error is not as the distribution specification has it: %s", test.method, test.path, body)
			}
		}
	}
	// A layer's config blob is JSON too, but no manifest.
	manifest, body := get(t, address, "GET", "/v2/pause/manifests/3.10?ns=redoubt.local")
	var document v1.Manifest
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&document); err != nil || manifest.StatusCode != 200 {
		t.Fatal(err)
	}
	response, _ := get(t, address, "GET", "/v2/pause/manifests/"+document.Config.Digest.String()+"?ns=redoubt.local")
	if response.StatusCode != 404 {
		t.Errorf("a configuration was served as a manifest: %s", response.Status)
	}
}

// tree lists names and contents below a directory.
func tree(t *testing.T, directory string) string {
	t.Helper()
	var list strings.Builder
	err := filepath.Walk(directory, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		digest, _, _ := v1.SHA256(bytes.NewReader(data))
		list.WriteString(strings.TrimPrefix(path, directory) + " " + digest.String() + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.String()
}
