package auditlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
)

// namePattern is a name of [Header.Name], without its folders.
var namePattern = regexp.MustCompile(`^([0-9]{8}T[0-9]{6}Z)-([0-9a-f]+)-([0-9]{8,})\.(log|gap)\.gz$`)

// named is what an object's name says.
type named struct {
	name, time, stream string
	sequence           uint64
}

// Unpack reads the objects of a node, from a folder by its name wherever that is by
// now, and writes the log
// that they hold: stream after stream, as their first objects were made. The error
// names everything that is missing, altered or out of place; what is written is then
// what is left. What was missing when the objects were made is an error, too: its
// mark tells what. One object at a time is in memory.
func Unpack(names []string, read func(name string) ([]byte, error), log io.Writer) error {
	var wrong []error
	began := map[string]string{} // streams
	var all []named
	for _, name := range names {
		parts := namePattern.FindStringSubmatch(path.Base(name))
		if parts == nil {
			wrong = append(wrong, fmt.Errorf("%s: is no name of an object of the audit log", name))
			continue
		}
		sequence, err := strconv.ParseUint(parts[3], 10, 64)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			continue
		}
		if first := began[parts[2]]; first == "" || parts[1] < first {
			began[parts[2]] = parts[1]
		}
		all = append(all, named{name, parts[1], parts[2], sequence})
	}
	// By their numbers and not by their times: clocks are set back.
	slices.SortFunc(all, func(a, b named) int {
		return cmp.Or(cmp.Compare(began[a.stream], began[b.stream]), cmp.Compare(a.stream, b.stream), cmp.Compare(a.sequence, b.sequence), cmp.Compare(a.name, b.name))
	})
	var stream, previous string
	var want uint64
	for _, each := range all {
		if each.stream != stream {
			stream, previous, want = each.stream, "", 1
		}
		object, err := read(each.name)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", each.name, err))
			continue
		}
		header, part, err := Decode(object)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", each.name, err))
			continue
		}
		switch {
		case header.Name("") != path.Join(path.Base(path.Dir(each.name)), path.Base(each.name)):
			wrong = append(wrong, fmt.Errorf("%s: says that it is %s", each.name, header.Name("")))
		case each.sequence != want:
			wrong = append(wrong, fmt.Errorf("%s: is number %d of stream %s, and %d is not there", each.name, each.sequence, stream, want))
		case header.Previous != previous:
			wrong = append(wrong, fmt.Errorf("%s: follows an object with the hash %q, and the one before has %q", each.name, header.Previous, previous))
		}
		if header.Missing != "" {
			wrong = append(wrong, fmt.Errorf("%s: from byte %d of the file with the inode %d on: %s", each.name, header.Offset, header.Inode, header.Missing))
		}
		if _, err := log.Write(part); err != nil {
			return errors.Join(append(wrong, err)...)
		}
		want, previous = each.sequence+1, sum(object)
	}
	return errors.Join(wrong...)
}

// Verify is [Unpack] for objects in memory, by their names.
func Verify(objects map[string][]byte) (log []byte, err error) {
	names := make([]string, 0, len(objects))
	for name := range objects {
		names = append(names, name)
	}
	var out bytes.Buffer
	err = Unpack(names, func(name string) ([]byte, error) { return objects[name], nil }, &out)
	return out.Bytes(), err
}
