package auditlog

import (
	"context"
	"fmt"
)

// rewritten marks a file that is not any more what was stored of it, and stores it
// again from its beginning.
func (s *Shipper) rewritten(ctx context.Context, size int64) error {
	then, err := at(s.file, s.state.At.Inode, 0)
	if err != nil {
		return err
	}
	return s.mark(ctx, s.state.Sequence+1, s.state.Previous, *s.state.At, then,
		fmt.Sprintf("somebody changed the log: %d bytes of this file had been stored, and it has other ones now, or fewer: %d", s.state.At.Offset, size))
}

// mark stores an object that says what is missing, loudly.
func (s *Shipper) mark(ctx context.Context, sequence uint64, previous string, from position, then *position, missing string) error {
	s.Logger.Error("a part of the audit log is lost: "+missing, "inode", from.Inode, "offset", from.Offset)
	return s.store(ctx, Header{Sequence: sequence, Previous: previous, Inode: from.Inode, Offset: from.Offset, Missing: missing}, then, nil)
}

// ship stores the next part.
func (s *Shipper) ship(ctx context.Context, part []byte) error {
	p := s.state.At
	then, err := at(s.file, p.Inode, p.Offset+int64(len(part)))
	if err != nil {
		return err
	}
	return s.store(ctx, Header{Sequence: s.state.Sequence + 1, Previous: s.state.Previous, Inode: p.Inode, Offset: p.Offset, Bytes: int64(len(part))}, then, part)
}

// store notes what it is about to do, and does it.
func (s *Shipper) store(ctx context.Context, h Header, then *position, part []byte) error {
	h.Node, h.Stream, h.Time = s.Node, s.state.Stream, s.Now().UTC()
	intended := s.state
	intended.Pending = &pending{Header: h, Then: then}
	if err := intended.save(s.State); err != nil {
		return err
	}
	s.state = intended
	return s.finish(ctx, part)
}

// finish stores the object that was noted, and notes that the store has it: in this
// order, so that whatever happens in between, the same object is made again.
func (s *Shipper) finish(ctx context.Context, part []byte) error {
	p := s.state.Pending
	object, err := p.Header.encode(part)
	if err != nil {
		return err
	}
	if err := s.Put(ctx, p.Header.Name(s.Prefix), object); err != nil {
		return err
	}
	done := state{Stream: s.state.Stream, Sequence: p.Header.Sequence, Previous: sum(object), At: p.Then}
	if err := done.save(s.State); err != nil {
		return err
	}
	s.state, s.shipped = done, s.Now()
	if p.Then == nil {
		s.forget()
	}
	return nil
}

// again makes the object that was noted, from the same bytes.
func (s *Shipper) again(ctx context.Context) error {
	h := s.state.Pending.Header
	if h.Missing != "" {
		return s.finish(ctx, nil)
	}
	if s.file == nil {
		files, err := list(s.Log)
		if err != nil {
			return err
		}
		if _, err := s.reopen(files); err != nil {
			return err
		}
	}
	if s.file != nil {
		part, err := read(s.file, h.Offset, h.Bytes)
		if err != nil {
			return err
		}
		if int64(len(part)) == h.Bytes {
			return s.finish(ctx, part)
		}
	}
	s.forget()
	// Its number is taken: the store may have it.
	return s.mark(ctx, h.Sequence+1, "", position{Inode: h.Inode, Offset: h.Offset}, nil,
		fmt.Sprintf("the file was removed while %d bytes of it were being stored: %s has them, or they are missing, too", h.Bytes, h.Name(s.Prefix)))
}
