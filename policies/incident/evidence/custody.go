package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Custody is one entry in the record of who had an archive (chain of custody). Each
// has the digest of the one before, so that none is changed or left out in the
// middle; write the last digest where nobody of the cluster can, such as the
// ticket of the incident.
type Custody struct {
	Time time.Time `json:"time"`
	// Who did it, as the cluster or the machine knows him.
	Who string `json:"who"`
	// Action is collected, or handed over.
	Action  string `json:"action"`
	Archive string `json:"archive"`
	SHA256  string `json:"sha256"`
	// To is who has it since.
	To   string `json:"to,omitempty"`
	Note string `json:"note,omitempty"`
	// Before is the digest of the entry before; empty for the first.
	Before string `json:"before"`
}

// RecordOf is the file beside an archive that has its record, an entry a line.
func RecordOf(archive string) string {
	return strings.TrimSuffix(archive, ".tar.gz") + ".custody.jsonl"
}

// Append adds an entry to an archive's record and gives its digest.
func Append(archive string, entry Custody) (string, error) {
	lines, err := record(archive)
	if err != nil {
		return "", err
	}
	if len(lines) > 0 {
		entry.Before = digest(lines[len(lines)-1])
	}
	entry.Archive, entry.Time = filepath.Base(archive), entry.Time.UTC()
	line, err := json.Marshal(entry)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(RecordOf(archive), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = file.Write(append(line, '\n'))
	return digest(line), errors.Join(err, file.Sync(), file.Close())
}

func record(archive string) ([][]byte, error) {
	data, err := os.ReadFile(RecordOf(archive))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Split(bytes.TrimSpace(data), []byte("\n")), nil
}

func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// Verify holds an archive and its record against what they say of themselves, and
// gives the record. The digest of its last entry is the second result.
func Verify(archive string) (entries []Custody, last string, err error) {
	_, sum, err := Read(archive)
	if err != nil {
		return nil, "", err
	}
	lines, err := record(archive)
	if err != nil {
		return nil, "", err
	}
	if len(lines) == 0 {
		return nil, "", fmt.Errorf("%s has no record: nobody knows who had it", archive)
	}
	var faults []error
	for i, line := range lines {
		var entry Custody
		if err := json.Unmarshal(line, &entry); err != nil {
			return nil, "", fmt.Errorf("%s: entry %d is none: %w", RecordOf(archive), i+1, err)
		}
		if entry.Before != last {
			faults = append(faults, fmt.Errorf("entry %d does not follow the one before it: something was changed or left out", i+1))
		}
		if entry.SHA256 != sum {
			faults = append(faults, fmt.Errorf("entry %d is about another archive: its sha256 was %s, and is %s", i+1, entry.SHA256, sum))
		}
		entries, last = append(entries, entry), digest(line)
	}
	return entries, last, errors.Join(faults...)
}
