package images

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// DefaultUser is the user and group of an image's process: not root, and no user
// that a machine would have.
const DefaultUser = 65535

// refName is the annotation that holds a manifest's tag in index.json.
const refName = "org.opencontainers.image.ref.name"

// Image describes an image of one static binary.
type Image struct {
	// Binary is the path of a statically linked Linux program, which becomes
	// /<base name>, mode 0555, owned by root.
	Binary string
	// Name is the full name with registry and tag.
	Name string
	// Entrypoint is the command; the binary itself when it is empty.
	Entrypoint []string
	// User is the numeric user and group. Kubernetes can verify runAsNonRoot by a
	// number only, and 0 is refused.
	User int
}

// Add makes the image and puts it into an image directory, under its tag, in place
// of the one that had the tag. The same binary gives the same image, byte for byte:
// nothing in it depends on when, where and by whom it was made. It returns the
// manifest's digest.
func Add(directory string, image Image) (digest string, err error) {
	ref, err := parseReference(image.Name)
	if err != nil {
		return "", err
	}
	if image.User <= 0 {
		return "", fmt.Errorf("image %s: user %d: name a user other than root, such as %d", image.Name, image.User, DefaultUser)
	}
	architecture, err := staticArchitecture(image.Binary)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", image.Name, err)
	}
	layer, err := layerOf(image.Binary)
	if err != nil {
		return "", fmt.Errorf("image %s: %w", image.Name, err)
	}
	layout := filepath.Join(directory, ref.layout())
	layerDescriptor, err := writeBlob(layout, layer, types.OCIUncompressedLayer)
	if err != nil {
		return "", err
	}
	entrypoint := image.Entrypoint
	if len(entrypoint) == 0 {
		entrypoint = []string{"/" + filepath.Base(image.Binary)}
	}
	user := strconv.Itoa(image.User)
	platform := &v1.Platform{OS: "linux", Architecture: architecture}
	config, err := writeJSON(layout, types.OCIConfigJSON, v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Created:      v1.Time{Time: time.Unix(0, 0).UTC()},
		Config:       v1.Config{Entrypoint: entrypoint, User: user + ":" + user, WorkingDir: "/"},
		// The layer is not compressed, so that its digest does not depend on a
		// compressor's version: its two digests are one.
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{layerDescriptor.Digest}},
	})
	if err != nil {
		return "", err
	}
	manifest, err := writeJSON(layout, types.OCIManifestSchema1, v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        config,
		Layers:        []v1.Descriptor{layerDescriptor},
	})
	if err != nil {
		return "", err
	}
	manifest.Platform = platform
	manifest.Annotations = map[string]string{refName: ref.tag}
	if err := tagManifest(layout, manifest); err != nil {
		return "", err
	}
	return manifest.Digest.String(), nil
}

// tagManifest enters a manifest in the layout's index, replacing the one that has
// its tag, and removes the blobs that nothing refers to any more.
func tagManifest(layout string, manifest v1.Descriptor) error {
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	data, err := os.ReadFile(filepath.Join(layout, "index.json"))
	switch {
	case err == nil:
		if index, err = v1.ParseIndexManifest(bytes.NewReader(data)); err != nil {
			return fmt.Errorf("%s/index.json: %w", layout, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	index.Manifests = slices.DeleteFunc(index.Manifests, func(other v1.Descriptor) bool {
		return other.Annotations[refName] == manifest.Annotations[refName]
	})
	index.Manifests = append(index.Manifests, manifest)
	contents, err := json.Marshal(index)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(layout, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`)); err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(layout, "index.json"), contents); err != nil {
		return err
	}
	return removeUnreferenced(layout, index)
}

// staticArchitecture reads a program's header: it returns its architecture as OCI
// calls it, and refuses what could not run in an image that holds nothing else.
func staticArchitecture(binary string) (string, error) {
	program, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("%s is not a Linux program: %w", binary, err)
	}
	defer program.Close()
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s is dynamically linked, and the image holds no libraries: build it with CGO_ENABLED=0", binary)
		}
	}
	switch program.Machine {
	case elf.EM_X86_64:
		return "amd64", nil
	case elf.EM_AARCH64:
		return "arm64", nil
	default:
		return "", fmt.Errorf("%s is for %v: only amd64 and arm64 are supported", binary, program.Machine)
	}
}

// layerOf returns a tar archive with the binary alone and no trace of its origin.
func layerOf(binary string) ([]byte, error) {
	contents, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	writer := tar.NewWriter(&archive)
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     filepath.Base(binary),
		Size:     int64(len(contents)),
		Mode:     0o555,
		ModTime:  time.Unix(0, 0),
		Format:   tar.FormatUSTAR,
	}
	if err := writer.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := writer.Write(contents); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil { // writes the end of the archive
		return nil, err
	}
	return archive.Bytes(), nil
}
