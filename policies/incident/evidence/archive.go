package evidence

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// manifest has the digest of every other file of an archive, in the form that
// sha256sum reads.
const manifest = "MANIFEST.sha256"

// most is how much a file of an archive may be, when it is read again.
const most = 256 << 20

// write makes the archive, which is nobody's but its owner's to read, and gives its
// digest. The same files make the same bytes.
func write(path string, files map[string][]byte, at time.Time) (digest string, err error) {
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		fmt.Fprintf(&list, "%s  %s\n", hex.EncodeToString(sum[:]), name)
	}
	files = maps.Clone(files)
	files[manifest] = []byte(list.String())
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if closed := out.Close(); err == nil {
			err = closed
		}
	}()
	hash := sha256.New()
	zipped := gzip.NewWriter(io.MultiWriter(out, hash))
	archive := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: name, Mode: 0o400, Size: int64(len(files[name])), ModTime: at.UTC().Truncate(time.Second), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return "", err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return "", err
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close(), out.Sync()); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Read gives the files of an archive and its digest. The error tells every file
// that is not what the manifest says.
func Read(path string) (files map[string][]byte, digest string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, "", fmt.Errorf("%s is no archive of evidence: %w", path, err)
	}
	files = map[string][]byte{}
	for archive := tar.NewReader(zipped); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s is damaged: %w", path, err)
		}
		content, err := io.ReadAll(io.LimitReader(archive, most))
		if err != nil {
			return nil, "", fmt.Errorf("%s is damaged: %w", path, err)
		}
		files[header.Name] = content
	}
	return files, hex.EncodeToString(sum[:]), check(files)
}

// check holds files against the manifest.
func check(files map[string][]byte) error {
	var faults []error
	listed := map[string]bool{manifest: true}
	for _, line := range strings.Split(strings.TrimSpace(string(files[manifest])), "\n") {
		digest, name, ok := strings.Cut(line, "  ")
		if !ok {
			return errors.New("the archive has no manifest")
		}
		listed[name] = true
		content, there := files[name]
		sum := sha256.Sum256(content)
		switch {
		case !there:
			faults = append(faults, fmt.Errorf("%s is missing", name))
		case hex.EncodeToString(sum[:]) != digest:
			faults = append(faults, fmt.Errorf("%s was changed", name))
		}
	}
	for name := range files {
		if !listed[name] {
			faults = append(faults, fmt.Errorf("%s was added", name))
		}
	}
	return errors.Join(faults...)
}

// Save collects into a new archive in a directory, begins its record, and gives
// its path and digest.
func Save(ctx context.Context, config *rest.Config, directory string, o Options) (path, digest string, about Case, err error) {
	files, about, err := Collect(ctx, config, o)
	if err != nil {
		return "", "", about, err
	}
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return "", "", about, err
	}
	name := strings.ReplaceAll(o.Target.String(), "/", "_") + "-" + o.Now.UTC().Format("20060102T150405Z") + ".tar.gz"
	path = filepath.Join(directory, name)
	if digest, err = write(path, files, o.Now); err != nil {
		return "", "", about, err
	}
	_, err = Append(path, Custody{Time: o.Now, Who: about.By, Action: "collected", SHA256: digest, Note: o.Reason})
	return path, digest, about, err
}
