package auditlog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// logFile is one of the files of a log.
type logFile struct {
	path  string
	inode uint64
	// active: the API server writes to it. All others are complete.
	active bool
}

// list gives the files of a log, oldest first. The API server renames the active
// one to NAME-<UTC time>.EXT and makes a new one; it never writes to one that it
// renamed. (https://pkg.go.dev/gopkg.in/natefinch/lumberjack.v2)
//
// The active one is looked at first: one that is renamed meanwhile is then among
// the others, too, and is one of them.
func list(active string) ([]logFile, error) {
	now, err := stat(active)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Dir(active)) // sorted, and so by time
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the API server never ran
	}
	if err != nil {
		return nil, err
	}
	extension := filepath.Ext(active)
	before := strings.TrimSuffix(filepath.Base(active), extension) + "-"
	var files []logFile
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, before) || !strings.HasSuffix(name, extension) || !entry.Type().IsRegular() {
			continue
		}
		path := filepath.Join(filepath.Dir(active), name)
		inode, err := stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed in this moment, as the oldest ones are
		}
		if err != nil {
			return nil, err
		}
		files = append(files, logFile{path: path, inode: inode})
	}
	if now != 0 && !slices.ContainsFunc(files, func(f logFile) bool { return f.inode == now }) {
		files = append(files, logFile{path: active, inode: now, active: true})
	}
	return files, nil
}

// stat gives the inode of a file; 0 with an error.
func stat(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return inodeOf(info), nil
}

func inodeOf(info fs.FileInfo) uint64 {
	if system, ok := info.Sys().(*syscall.Stat_t); ok {
		return system.Ino
	}
	return 0
}

// open opens a file if it still is the one that was listed.
func (f logFile) open() (*os.File, bool, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	info, err := file.Stat()
	if err != nil || inodeOf(info) != f.inode {
		return nil, false, errors.Join(err, file.Close())
	}
	return file, true, nil
}

// read reads at most limit bytes from an offset on; fewer at the file's end.
func read(file *os.File, offset, limit int64) ([]byte, error) {
	data := make([]byte, limit)
	n, err := file.ReadAt(data, offset)
	if err == io.EOF {
		err = nil
	}
	return data[:n], err
}

// is tells whether a file begins as it did when the position was noted.
func (p position) is(file *os.File) (bool, error) {
	head, err := read(file, 0, p.HeadBytes)
	return err == nil && int64(len(head)) == p.HeadBytes && (p.HeadBytes == 0 || sum(head) == p.Head), err
}

// at notes a place in an open file.
func at(file *os.File, inode uint64, offset int64) (*position, error) {
	head, err := read(file, 0, headBytes)
	if err != nil {
		return nil, err
	}
	return &position{Inode: inode, Offset: offset, Head: sum(head), HeadBytes: int64(len(head))}, nil
}
