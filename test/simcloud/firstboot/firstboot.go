// Package firstboot does what Ignition does with a machine's user data before the machine is one: it reads the
// configuration with Ignition's own parser, follows the pointer to the object that replaces it, and compares the hash of
// everything that is fetched. What the machine may fetch its caller says, who knows the cloud. Nothing is written.
package firstboot

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/coreos/ignition/v2/config"
	"github.com/coreos/ignition/v2/config/v3_7_experimental/types"
)

// ErrElsewhere is what a Fetch says of a source that nobody here can read, such as a file of somebody's website: it is
// taken for what its hash says.
var ErrElsewhere = errors.New("it is elsewhere")

// Fetch gives what is at a URL, as the machine may read it: s3://bucket/key, gs://bucket/key or https.
type Fetch func(source string) ([]byte, error)

// Machine is what a machine would be after its first boot.
type Machine struct {
	// Config is the whole configuration, at Ignition's own newest version.
	Config types.Config
	// Document is the configuration as it was read: the object where user data only names one.
	Document []byte
	// Sources is everything that is fetched, the object first.
	Sources []string
}

// longestChain is how many configurations may each name the next.
const longestChain = 3

// Boot reads user data. The error says why the machine would not boot.
func Boot(userData []byte, fetch Fetch) (Machine, error) {
	m := Machine{Document: userData}
	for range longestChain {
		read, found, err := config.Parse(m.Document)
		if err != nil {
			return m, fmt.Errorf("Ignition does not read it: %w (%s)", err, entries(found.String()))
		}
		m.Config = read
		next := read.Ignition.Config.Replace
		if text(next.Source) == "" {
			return m, m.files(fetch)
		}
		// Ignition itself takes an object without a hash; whoever can write it could then have any machine.
		if text(next.Verification.Hash) == "" {
			return m, fmt.Errorf("the object %s has no hash", text(next.Source))
		}
		if m.Document, err = m.get(next, fetch); err != nil {
			return m, err
		}
	}
	return m, fmt.Errorf("more than %d configurations name each other", longestChain)
}

// files fetches what files of the configuration are made of.
func (m *Machine) files(fetch Fetch) error {
	var problems []error
	for _, file := range m.Config.Storage.Files {
		if _, err := m.get(file.Contents, fetch); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", file.Path, err))
		}
	}
	return errors.Join(problems...)
}

// File gives the contents of a file that the configuration itself holds.
func (m Machine) File(path string) ([]byte, error) {
	for _, file := range m.Config.Storage.Files {
		source := text(file.Contents.Source)
		if file.Path != path || !strings.HasPrefix(source, "data:") {
			continue
		}
		contents, err := decode(source)
		if err != nil || text(file.Contents.Compression) != "gzip" {
			return contents, err
		}
		reader, err := gzip.NewReader(bytes.NewReader(contents))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(reader)
	}
	return nil, fmt.Errorf("the configuration has no %s", path)
}

// get fetches one resource and compares its hash.
func (m *Machine) get(from types.Resource, fetch Fetch) ([]byte, error) {
	source := text(from.Source)
	if source == "" {
		return nil, nil
	}
	var contents []byte
	at, err := url.Parse(source)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL: %w", source, err)
	case at.Scheme == "data":
		if contents, err = decode(source); err != nil {
			return nil, err
		}
	default:
		m.Sources = append(m.Sources, source)
		contents, err = fetch(source)
		if errors.Is(err, ErrElsewhere) && text(from.Verification.Hash) != "" {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
	}
	if want := text(from.Verification.Hash); want != "" && want != hash(want, contents) {
		return nil, fmt.Errorf("%s has not the hash that is expected of it: %s, and not %s", source, short(hash(want, contents)), short(want))
	}
	return contents, nil
}

// decode reads a data URL (RFC 2397).
func decode(source string) ([]byte, error) {
	kind, data, ok := strings.Cut(strings.TrimPrefix(source, "data:"), ",")
	if !ok {
		return nil, fmt.Errorf("%s is no data URL", short(source))
	}
	if strings.HasSuffix(kind, ";base64") {
		return base64.StdEncoding.DecodeString(data)
	}
	plain, err := url.PathUnescape(data)
	return []byte(plain), err
}

// hash is that of some bytes, by the function of another one.
func hash(like string, contents []byte) string {
	if strings.HasPrefix(like, "sha256-") {
		sum := sha256.Sum256(contents)
		return "sha256-" + hex.EncodeToString(sum[:])
	}
	sum := sha512.Sum512(contents)
	return "sha512-" + hex.EncodeToString(sum[:])
}

func short(text string) string { return text[:min(len(text), 24)] }

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

func entries(found string) string {
	return strings.TrimSpace(strings.ReplaceAll(found, "\n", "; "))
}
