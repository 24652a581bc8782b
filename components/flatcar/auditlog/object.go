package auditlog

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Header says what an object holds. It is the comment of the gzip member
// (RFC 1952), so that what the object unpacks to is the log and nothing else.
type Header struct {
	// Node is the control plane's name.
	Node string `json:"node"`
	// Stream is one life of a control plane's disk: the log begins with it, and the
	// sequence. 16 hexadecimal digits, random.
	Stream string `json:"stream"`
	// Sequence numbers the objects of a stream from one, without a hole.
	Sequence uint64 `json:"sequence"`
	// Previous is the SHA-256 of the stream's object before, as it is stored; empty
	// in the first one. Whoever takes one away or puts another in its place breaks
	// this chain.
	Previous string `json:"previous,omitempty"`
	// Time is when the object was made.
	Time time.Time `json:"time"`
	// Inode is the file of the log; Offset is where in it the object's bytes begin,
	// and Bytes how many they are.
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
	Bytes  int64  `json:"bytes"`
	// Missing tells, in words, that from Offset of the file Inode on something is
	// not in the store and will never be. Such an object has no bytes of the log.
	Missing string `json:"missing,omitempty"`
}

// nameTime sorts by time, and has nothing that a URL would escape.
const nameTime = "20060102T150405Z"

// Suffixes of objects: parts of the log, and marks that say what is not there.
const (
	SuffixLog = ".log.gz"
	SuffixGap = ".gap.gz"
)

// Name is the object's key below a prefix: names of a node sort by time, and those
// of one second by their sequence.
func (h Header) Name(prefix string) string {
	suffix := SuffixLog
	if h.Missing != "" {
		suffix = SuffixGap
	}
	return fmt.Sprintf("%s%s/%s-%s-%08d%s", prefix, h.Node, h.Time.UTC().Format(nameTime), h.Stream, h.Sequence, suffix)
}

// encode packs a part of the log. The same part gives the same bytes.
func (h Header) encode(part []byte) ([]byte, error) {
	comment, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	packed := gzip.NewWriter(&out)
	packed.Comment = ascii(comment)
	if _, err := packed.Write(part); err != nil {
		return nil, err
	}
	err = packed.Close()
	return out.Bytes(), err
}

// ascii writes JSON without what a comment of gzip cannot hold: Latin-1 alone.
func ascii(document []byte) string {
	var out strings.Builder
	for _, r := range string(document) {
		if r < 0x80 {
			out.WriteRune(r)
			continue
		}
		out.WriteByte('?') // paths and names of nodes have none
	}
	return out.String()
}

// Decode reads an object: what it says of itself, and its part of the log.
func Decode(object []byte) (Header, []byte, error) {
	var h Header
	packed, err := gzip.NewReader(bytes.NewReader(object))
	if err != nil {
		return h, nil, err
	}
	if err := json.Unmarshal([]byte(packed.Comment), &h); err != nil {
		return h, nil, fmt.Errorf("the header: %w", err)
	}
	part, err := io.ReadAll(packed)
	if err == nil && int64(len(part)) != h.Bytes {
		err = fmt.Errorf("it has %d bytes of the log and says %d", len(part), h.Bytes)
	}
	return h, part, err
}

func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}
