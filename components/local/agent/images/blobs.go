package images

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// writeBlob stores content under its digest and returns its descriptor.
func writeBlob(layout string, content []byte, mediaType types.MediaType) (v1.Descriptor, error) {
	digest, size, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return v1.Descriptor{}, err
	}
	descriptor := v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest}
	return descriptor, replaceFile(filepath.Join(layout, blobFile("", digest.String())), content)
}

// writeJSON stores a document and returns its descriptor.
func writeJSON(layout string, mediaType types.MediaType, document any) (v1.Descriptor, error) {
	content, err := json.Marshal(document)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return writeBlob(layout, content, mediaType)
}

// replaceFile writes a file in one step, so that a registry that serves the
// directory at the same time never sees half of it. It leaves a file alone that has
// the contents already.
func replaceFile(path string, contents []byte) error {
	if present, err := os.ReadFile(path); err == nil && bytes.Equal(present, contents) {
		return nil
	}
	directory := filepath.Dir(path)
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(directory, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // no effect once it is renamed
	_, err = file.Write(contents)
	if err := errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// removeUnreferenced removes the blobs that no manifest in the index leads to,
// and what a killed attempt left.
func removeUnreferenced(layout string, index *v1.IndexManifest) error {
	keep := map[string]bool{}
	for _, descriptor := range index.Manifests {
		keep[descriptor.Digest.Hex] = true
		data, err := os.ReadFile(filepath.Join(layout, blobFile("", descriptor.Digest.String())))
		if err != nil {
			return err
		}
		manifest, err := v1.ParseManifest(bytes.NewReader(data))
		if err != nil {
			return err
		}
		keep[manifest.Config.Digest.Hex] = true
		for _, layer := range manifest.Layers {
			keep[layer.Digest.Hex] = true
		}
	}
	blobs := filepath.Join(layout, "blobs", "sha256")
	entries, err := os.ReadDir(blobs)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if keep[entry.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(blobs, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
