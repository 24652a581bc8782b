package simcloud

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Object is one thing that exists in a cloud.
type Object struct {
	// Scope is the region; empty for what exists once for the whole account.
	Scope string `json:"scope"`
	// Type is the token of its resource type.
	Type string `json:"type"`
	ID   string `json:"id"`
	// Inputs are the properties as they were last applied, State is everything a reader is told, inputs included.
	Inputs Values `json:"inputs"`
	State  Values `json:"state"`
	// Owner is the key of the object that brought this one about and takes it along when it goes.
	Owner string `json:"owner,omitempty"`
	// Usable is when other services see the object.
	Usable time.Time `json:"usable"`
	// Ready tells whether the operation that makes it has ended.
	Ready bool `json:"ready"`

	order int
}

// Key identifies an object in its cloud.
func (o *Object) Key() string { return o.Scope + " " + o.Type + " " + o.ID }

// store is what exists, kept in a journal: a line a change, so that a killed run loses nothing it has answered for.
type store struct {
	objects map[string]*Object
	counter map[string]int
	journal *os.File
	made    int
}

// record is one line of the journal.
type record struct {
	Put     *Object        `json:"put,omitempty"`
	Delete  string         `json:"delete,omitempty"`
	Counter map[string]int `json:"counter,omitempty"`
}

// openStore reads the journal at path and writes it anew without what is past. Without a path nothing is kept.
func openStore(path string) (*store, error) {
	s := &store{objects: map[string]*Object{}, counter: map[string]int{}}
	if path == "" {
		return s, nil
	}
	if err := s.read(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	fresh, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s.journal = fresh
	err = s.write(record{Counter: s.counter})
	for _, o := range s.sorted() {
		err = errors.Join(err, s.write(record{Put: o}))
	}
	if err = errors.Join(err, os.Rename(path+".new", path)); err != nil {
		_ = fresh.Close()
		return nil, err
	}
	return s, nil
}

func (s *store) read(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewReader(file)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a last line without its end was never answered for
		} else if err != nil {
			return err
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("%s:%d: %w: the file is damaged; remove it to begin with an empty cloud", path, n, err)
		}
		for name, value := range r.Counter {
			s.counter[name] = value
		}
		if r.Put != nil {
			s.take(r.Put)
		}
		if r.Delete != "" {
			delete(s.objects, r.Delete)
		}
	}
}

func (s *store) write(r record) error {
	if s.journal == nil {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = s.journal.Write(append(line, '\n'))
	return err
}

func (s *store) take(o *Object) {
	if old, ok := s.objects[o.Key()]; ok {
		o.order = old.order
	} else {
		s.made++
		o.order = s.made
	}
	s.objects[o.Key()] = o
}

func (s *store) put(o *Object) error {
	o.Inputs, o.State = o.Inputs.Copy(), o.State.Copy()
	s.take(o)
	return s.write(record{Put: o})
}

func (s *store) remove(key string) error {
	delete(s.objects, key)
	return s.write(record{Delete: key})
}

// count gives the next number of a sequence; it never repeats, also after the things it numbered are gone.
func (s *store) count(sequence string) (int, error) {
	s.counter[sequence]++
	return s.counter[sequence], s.write(record{Counter: map[string]int{sequence: s.counter[sequence]}})
}

// sorted are all objects in the order in which they were made.
func (s *store) sorted() []*Object {
	out := make([]*Object, 0, len(s.objects))
	for _, o := range s.objects {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b *Object) int {
		if a.order != b.order {
			return a.order - b.order
		}
		return strings.Compare(a.Key(), b.Key())
	})
	return out
}

func (s *store) close() error {
	if s.journal == nil {
		return nil
	}
	return s.journal.Close()
}
