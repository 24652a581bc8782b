package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// largestManifest is what the distribution specification asks registries to accept.
const largestManifest = 4 << 20

// Registry is an HTTP handler that serves an image directory, read-only.
//
// A client that uses it as a mirror names the registry it stands in for in the
// query (containerd: ?ns=redoubt.local); any other client writes it as the first
// part of the repository, 127.0.0.1:5000/redoubt.local/pause.
type Registry struct {
	root *os.Root
	log  *slog.Logger
}

// NewRegistry serves an image directory. Close releases it.
func NewRegistry(directory string, log *slog.Logger) (*Registry, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("image directory: %w", err)
	}
	return &Registry{root: root, log: log}, nil
}

// Close releases the directory.
func (r *Registry) Close() error { return r.root.Close() }

// ServeHTTP answers GET and HEAD for the base, manifests, blobs and the tag list.
func (r *Registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Docker-Distribution-API-Version", "registry/2.0")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	err := r.serve(w, request)
	if err == nil {
		r.log.Debug("served", "method", request.Method, "url", request.URL.String())
		return
	}
	var refusal *refusal
	if !errors.As(err, &refusal) {
		refusal = refuse(http.StatusInternalServerError, "UNKNOWN", "the registry could not read its directory")
	}
	r.log.Warn("refused", "method", request.Method, "url", request.URL.String(), "status", refusal.status, "error", err.Error())
	if refusal.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, HEAD")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(refusal.status)
	// A client that went away is all that can go wrong here.
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": refusal.code, "message": refusal.message}}})
}

func (r *Registry) serve(w http.ResponseWriter, request *http.Request) error {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		return refuse(http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry is read-only")
	}
	rest, found := strings.CutPrefix(request.URL.Path, "/v2/")
	if !found {
		return refuse(http.StatusNotFound, "UNSUPPORTED", "only /v2/ is served")
	}
	if rest == "" {
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, "{}")
		return err
	}
	// The last two parts say what is asked for, everything before is the repository.
	parts := strings.Split(rest, "/")
	if len(parts) < 3 {
		return refuse(http.StatusNotFound, "NAME_INVALID", "expected <repository>/manifests/<reference>, <repository>/blobs/<digest> or <repository>/tags/list")
	}
	kind, reference := parts[len(parts)-2], parts[len(parts)-1]
	layout := strings.Join(parts[:len(parts)-2], "/")
	if !repositoryPattern.MatchString(layout) {
		return refuse(http.StatusBadRequest, "NAME_INVALID", "not a repository name")
	}
	if query := request.URL.Query(); query.Has("ns") {
		if !registryPattern.MatchString(query.Get("ns")) {
			return refuse(http.StatusBadRequest, "NAME_INVALID", "ns is not the name of a registry")
		}
		layout = path.Join(query.Get("ns"), layout)
	}
	switch {
	case kind == "manifests":
		return r.manifest(w, request, layout, reference)
	case kind == "blobs":
		return r.blob(w, request, layout, reference, "application/octet-stream")
	case kind == "tags" && reference == "list":
		return r.tags(w, layout)
	}
	return refuse(http.StatusNotFound, "UNSUPPORTED", "only manifests, blobs and tags/list are served")
}

// manifest serves a manifest by tag or digest, with its own media type.
func (r *Registry) manifest(w http.ResponseWriter, request *http.Request, layout, reference string) error {
	unknown := refuse(http.StatusNotFound, "MANIFEST_UNKNOWN", "no such manifest")
	digest := reference
	if !digestPattern.MatchString(reference) {
		if !tagPattern.MatchString(reference) {
			return refuse(http.StatusBadRequest, "MANIFEST_INVALID", "neither a tag nor a sha256 digest")
		}
		index, err := r.index(layout)
		if err != nil {
			return err
		}
		digest = ""
		for _, descriptor := range index.Manifests {
			if descriptor.Annotations[refName] == reference {
				digest = descriptor.Digest.String()
			}
		}
		if !digestPattern.MatchString(digest) {
			return unknown
		}
	}
	data, err := r.read(blobFile(layout, digest), unknown)
	if err != nil {
		return err
	}
	var manifest struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     types.MediaType `json:"mediaType"`
	}
	if json.Unmarshal(data, &manifest) != nil || manifest.SchemaVersion != 2 {
		return unknown // some other blob
	}
	if manifest.MediaType == "" { // optional in the image specification
		manifest.MediaType = types.OCIManifestSchema1
	}
	return r.blob(w, request, layout, digest, string(manifest.MediaType))
}

// blob serves the content with a digest, or a range of it.
func (r *Registry) blob(w http.ResponseWriter, request *http.Request, layout, digest, mediaType string) error {
	if !digestPattern.MatchString(digest) {
		return refuse(http.StatusBadRequest, "DIGEST_INVALID", "not a sha256 digest")
	}
	file, err := r.open(blobFile(layout, digest), refuse(http.StatusNotFound, "BLOB_UNKNOWN", "no such blob"))
	if err != nil {
		return err
	}
	defer file.Close()
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Docker-Content-Digest", digest)
	w.Header().Set("ETag", `"`+digest+`"`)
	http.ServeContent(w, request, "", time.Time{}, file)
	return nil
}

func (r *Registry) tags(w http.ResponseWriter, layout string) error {
	index, err := r.index(layout)
	if err != nil {
		return err
	}
	tags := []string{}
	for _, descriptor := range index.Manifests {
		if tag := descriptor.Annotations[refName]; tag != "" {
			tags = append(tags, tag)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(map[string]any{"name": layout, "tags": tags})
}

// index reads a layout's index afresh, so that an image that was added counts at once.
func (r *Registry) index(layout string) (*v1.IndexManifest, error) {
	data, err := r.read(path.Join(layout, "index.json"), refuse(http.StatusNotFound, "NAME_UNKNOWN", "no such repository"))
	if err != nil {
		return nil, err
	}
	index := &v1.IndexManifest{}
	if err := json.Unmarshal(data, index); err != nil {
		return nil, fmt.Errorf("%s/index.json: %w", layout, err)
	}
	return index, nil
}

func (r *Registry) read(name string, missing *refusal) ([]byte, error) {
	file, err := r.open(name, missing)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, largestManifest))
}

// open opens a regular file inside the directory; os.Root refuses what leads out of
// it, symbolic links included.
func (r *Registry) open(name string, missing *refusal) (*os.File, error) {
	file, err := r.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, missing
	}
	return file, nil
}

// refusal is an answer that the client is told in full.
type refusal struct {
	status        int
	code, message string // code as in the distribution specification
}

func refuse(status int, code, message string) *refusal { return &refusal{status, code, message} }

func (r *refusal) Error() string { return r.message }
