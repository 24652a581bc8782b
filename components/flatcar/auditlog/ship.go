package auditlog

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"
)

// How the log is cut.
const (
	// Every is how long something new waits at most, while the store answers: what a
	// control plane loses with its disk. More often would be more objects that nobody
	// can delete for a year, and each is paid for by itself.
	Every = time.Minute
	// Most is how many bytes of the log one object has at most. The program holds
	// them in memory, packed and unpacked, beside an API server; the smallest file
	// that the API server may be told to rotate (100 MB, CIS 1.2.19) is a dozen.
	Most = 8 << 20
	// poll is the pause between two looks at the log.
	poll = 5 * time.Second
)

// Options say what is shipped where. All but those with a default are required.
type Options struct {
	// Node is the control plane's name, and Prefix the folder of all nodes in the
	// bucket, with a slash at its end.
	Node, Prefix string
	// Log is the file that the API server writes to, and State a directory for the
	// shipper alone, on the same disk: what is lost with the one is lost with the other.
	Log, State string
	// Last is for how long a shipper goes on that was told to stop.
	Last time.Duration
	// Put stores an object under a key that nothing has. It succeeds only when the
	// store said that it has it, now or before.
	Put    func(ctx context.Context, key string, object []byte) error
	Logger *slog.Logger
	// Now is time.Now by default; Every, Most and Poll are those of this package.
	Now         func() time.Time
	Every, Poll time.Duration
	Most        int64
}

// Shipper brings one log into the store. It is not for two goroutines at once, and
// its state directory not for two processes.
type Shipper struct {
	Options
	state state
	// file is the open file of state.At, or nil: what is open can be read to its end,
	// even when the API server removes it meanwhile.
	file *os.File
	// next is the inode of the file after it, as far as it was seen.
	next uint64
	// shipped is when something was stored last.
	shipped time.Time
	said    string
}

// New reads what an earlier shipper left in the state directory.
func New(o Options) (*Shipper, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every == 0 {
		o.Every = Every
	}
	if o.Poll == 0 {
		o.Poll = poll
	}
	if o.Most == 0 {
		o.Most = Most
	}
	s := &Shipper{Options: o}
	state, damaged, err := load(o.State)
	if err != nil {
		return nil, err
	}
	if damaged {
		const begins = "nobody knows any more what an earlier stream of this machine has: all of its files that are left are stored once more"
		s.Logger.Error("the audit log is stored again: " + begins)
		state.Pending = &pending{Header: Header{Node: o.Node, Stream: state.Stream, Sequence: 1, Time: o.Now().UTC(), Missing: begins}}
	}
	s.state = state
	return s, state.save(o.State)
}

// Run ships until the context ends, and then what is left, for [Options.Last]
// at most. Nothing but that ends it: what fails is tried again.
func (s *Shipper) Run(ctx context.Context) error {
	wait := s.Poll
	for ctx.Err() == nil {
		switch err := s.Pass(ctx, false); {
		case err == nil:
			if s.said != "" {
				s.Logger.Info("the audit log is stored again")
			}
			wait, s.said = s.Poll, ""
		case ctx.Err() == nil:
			if text := err.Error(); text != s.said { // an outage of hours is one line
				s.Logger.Error("the audit log is not stored; it stays on this machine and will be tried again", "error", text)
				s.said = text
			}
			wait = min(2*wait, s.Every)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	final, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Last)
	defer cancel()
	err := s.Pass(final, true)
	if s.file != nil {
		_ = s.file.Close() // nothing was written to it
		s.file = nil
	}
	if err != nil {
		return fmt.Errorf("the end of the audit log is not stored: %w", err)
	}
	return nil
}

// Pass stores what is due: all of the files to which nobody writes any more, and of
// the other one whatever is older than [Options.Every], or all with flush.
func (s *Shipper) Pass(ctx context.Context, flush bool) error {
	if s.state.Pending != nil {
		if err := s.again(ctx); err != nil {
			return err
		}
	}
	for {
		more, err := s.step(ctx, flush)
		if err != nil || !more {
			return err
		}
	}
}

// step stores one object, or goes to the next file, or finds nothing to do.
func (s *Shipper) step(ctx context.Context, flush bool) (more bool, err error) {
	files, err := list(s.Log)
	if err != nil {
		return false, err
	}
	if s.file == nil {
		return s.begin(ctx, files)
	}
	place := slices.IndexFunc(files, func(f logFile) bool { return f.inode == s.state.At.Inode })
	if place >= 0 && place+1 < len(files) {
		s.next = files[place+1].inode
	}
	complete := place >= 0 && !files[place].active || place < 0 && len(files) > 0
	info, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	same, err := s.state.At.is(s.file)
	if err != nil {
		return false, err
	}
	there := info.Size() - s.state.At.Offset
	if there < 0 || !same {
		return true, s.rewritten(ctx, info.Size())
	}
	full := there >= s.Most
	if !complete && !full && (there == 0 || !flush && s.Now().Sub(s.shipped) < s.Every) {
		return false, nil
	}
	part, err := read(s.file, s.state.At.Offset, min(there, s.Most))
	if err != nil {
		return false, err
	}
	if end := bytes.LastIndexByte(part, '\n') + 1; full && end > 0 || !full && !complete {
		part = part[:end] // whole lines, but for one that is longer than an object
	}
	switch {
	case len(part) > 0:
		return true, s.ship(ctx, part)
	case complete:
		return s.advance(ctx, files, place)
	}
	return false, nil
}

// begin opens the file in which the next object begins.
func (s *Shipper) begin(ctx context.Context, files []logFile) (bool, error) {
	if s.state.At == nil {
		if len(files) == 0 {
			return false, nil
		}
		return s.enter(files[0])
	}
	switch found, err := s.reopen(files); {
	case found || err != nil:
		return found, err
	}
	p := s.state.At
	return true, s.mark(ctx, s.state.Sequence+1, s.state.Previous, *p, nil,
		fmt.Sprintf("the file in which %d bytes had been stored is gone or begins anew: what followed them, and files after it, may be missing", p.Offset))
}

// reopen opens the file of the position, if it is still there.
func (s *Shipper) reopen(files []logFile) (bool, error) {
	place := slices.IndexFunc(files, func(f logFile) bool { return f.inode == s.state.At.Inode })
	if place < 0 {
		return false, nil
	}
	file, found, err := files[place].open()
	if err != nil || !found {
		return false, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() >= s.state.At.Offset {
		var same bool
		if same, err = s.state.At.is(file); same {
			s.file = file
			return true, err
		}
	}
	_ = file.Close() // it is another file
	return false, err
}

// enter goes to the beginning of a file.
func (s *Shipper) enter(f logFile) (bool, error) {
	file, found, err := f.open()
	if err != nil || !found {
		return true, err // renamed or removed in this moment: look again
	}
	p, err := at(file, f.inode, 0)
	if err != nil {
		_ = file.Close()
		return false, err
	}
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.next, s.state.At = file, 0, p
	return true, s.state.save(s.State)
}

// advance leaves a file that is stored to its end.
func (s *Shipper) advance(ctx context.Context, files []logFile, place int) (bool, error) {
	if place < 0 { // the API server removed it; the one after it is known, if it was ever seen
		place = slices.IndexFunc(files, func(f logFile) bool { return f.inode == s.next }) - 1
		if place < -1 {
			end := *s.state.At
			return true, s.mark(ctx, s.state.Sequence+1, s.state.Previous, end, nil,
				"this file was stored to its end; files that followed it were removed before they were, and how many is not known")
		}
	}
	if place+1 >= len(files) {
		return false, nil // the API server is about to make it
	}
	return s.enter(files[place+1])
}

func (s *Shipper) forget() {
	if s.file != nil {
		_ = s.file.Close()
	}
	s.file, s.next = nil, 0
}
