package images

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// The patterns are those of the OCI distribution specification. None of them
// matches a path that is absolute, climbs with ".." or names a hidden file.
var (
	registryPattern   = regexp.MustCompile(`^[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[0-9]{1,5})?$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern        = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	digestPattern     = regexp.MustCompile(`^sha256:[a-f0-9]{64}$`)
)

// reference is a full image name: redoubt.local/pause:3.10.
type reference struct {
	registry, repository, tag string
}

func parseReference(name string) (reference, error) {
	wrong := func(what string) (reference, error) {
		return reference{}, fmt.Errorf("image name %q: %s: write it in full, for example redoubt.local/pause:3.10", name, what)
	}
	registry, rest, found := strings.Cut(name, "/")
	if !found || !registryPattern.MatchString(registry) || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		return wrong("it does not begin with the name of a registry")
	}
	repository, tag, found := strings.Cut(rest, ":")
	if !found || !tagPattern.MatchString(tag) {
		return wrong("it does not end with a tag")
	}
	if !repositoryPattern.MatchString(repository) {
		return wrong("the repository is not lower-case words joined by . _ - or /")
	}
	return reference{registry: registry, repository: repository, tag: tag}, nil
}

// layout is the directory of the reference's OCI layout inside an image directory.
func (r reference) layout() string { return path.Join(r.registry, r.repository) }

// blobFile is where a layout keeps the content with a digest of the form sha256:hex.
func blobFile(layout, digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return path.Join(layout, "blobs", algorithm, hex)
}
