package bottlerocket

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

const (
	// MaximumUserData is EC2's limit in bytes, before base64:
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html
	MaximumUserData = 16384
	// ManagedGroupReserve is kept free for what EKS merges into a managed group's
	// document, besides the group's labels and taints, which are counted as they
	// are: the certificate, about 1100 bytes of PEM in base64, so 1500; endpoint,
	// name and DNS address, 350; EKS's labels of the group, its image and its launch
	// template, 600. The rest is for the form, which the merge does not keep. A
	// Bottlerocket document is not wrapped in MIME, and the limit counts it before
	// base64.
	// https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html#launch-template-user-data
	ManagedGroupReserve = 4096
)

// UserData is what an instance gets.
type UserData struct {
	// TOML is the readable document.
	TOML []byte
	// Bytes are what the instance gets: TOML, or its gzip form.
	Bytes []byte
	// Compressed tells which.
	Compressed bool
}

// Base64 gives the form that a launch template wants.
func (u UserData) Base64() string { return base64.StdEncoding.EncodeToString(u.Bytes) }

// Render gives the user data. It fails where a setting is refused and where the
// document is too large, and then names the largest parts.
//
// A document above the limit is compressed, for self-managed nodes only: EKS
// reads a managed group's document to merge its own settings, so it stays plain.
func (s Spec) Render() (UserData, error) {
	settings, err := s.Effective()
	if err != nil {
		return UserData{}, err
	}
	document, err := Encode(settings)
	if err != nil {
		return UserData{}, err
	}
	data := UserData{TOML: document, Bytes: document}
	limit, err := s.limit()
	if err != nil {
		return UserData{}, err
	}
	if len(document) <= limit {
		return data, nil
	}
	if s.Group != ManagedGroup {
		if data.Bytes, err = compress(document); err != nil {
			return UserData{}, err
		}
		if data.Compressed = true; len(data.Bytes) <= limit {
			return data, nil
		}
	}
	return UserData{}, &hostconfig.FieldError{
		Field:   "userData",
		Problem: fmt.Sprintf("is %d bytes, and %d are allowed; the largest parts are %s", len(data.Bytes), limit, strings.Join(largest(settings), ", ")),
		Remedy:  "shorten these, or bring them in another way than user data",
	}
}

// limit gives the room for the document: what EKS adds to it counts as well.
func (s Spec) limit() (int, error) {
	if s.Group != ManagedGroup {
		return MaximumUserData, nil
	}
	labels, taints := s.labels()
	injected, err := Encode(Settings{Kubernetes: &Kubernetes{NodeLabels: labels, NodeTaints: taints}})
	return MaximumUserData - ManagedGroupReserve - len(injected), err
}

// compress is deterministic: the header carries no time and no name.
func compress(document []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(document)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

// largest names the three largest values.
func largest(settings Settings) []string {
	all := leaves(settings)
	slices.SortStableFunc(all, func(a, b leaf) int { return cmp.Compare(len(b.text()), len(a.text())) })
	var names []string
	for _, l := range all[:min(3, len(all))] {
		names = append(names, fmt.Sprintf("%s (%d bytes)", l.name(), len(l.text())))
	}
	return names
}
