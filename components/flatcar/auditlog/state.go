package auditlog

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
)

// state is what a shipper knows across its own death. It is in one file, which is
// replaced as a whole.
type state struct {
	Stream string `json:"stream"`
	// Sequence and Previous are of the last object that the store has for sure.
	Sequence uint64 `json:"sequence"`
	Previous string `json:"previous"`
	// At is where the next object begins; nil before the first, and where the file
	// in which it would begin is gone.
	At *position `json:"at,omitempty"`
	// Pending is the object that the store may have.
	Pending *pending `json:"pending,omitempty"`
}

// pending is an object that is being stored, and where its successor begins.
type pending struct {
	Header Header    `json:"header"`
	Then   *position `json:"then,omitempty"`
}

// position is a place in a file of the log.
type position struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
	// Head is the SHA-256 of the first HeadBytes bytes: an inode that is free is
	// given to the next file that is made.
	Head      string `json:"head"`
	HeadBytes int64  `json:"headBytes"`
}

// headBytes are enough to hold the first event's own identifier (auditID).
const headBytes = 1024

const stateFile = "state.json"

// load reads what is remembered, or begins a stream. One that cannot be read is put
// aside: a shipper that waited for somebody to mend it would wait for ever, on a
// machine that nobody logs in to.
func load(directory string) (s state, damaged bool, err error) {
	path := filepath.Join(directory, stateFile)
	data, err := os.ReadFile(path)
	if err == nil && json.Unmarshal(data, &s) == nil && s.Stream != "" {
		return s, false, nil
	}
	if err == nil {
		damaged, err = true, os.Rename(path, path+".damaged")
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return s, damaged, err
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	return state{Stream: hex.EncodeToString(random)}, damaged, nil
}

// save replaces the file, so that after a loss of power there is the old one or the
// new one.
func (s state) save(directory string) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(directory, stateFile)
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	folder, err := os.Open(directory)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
