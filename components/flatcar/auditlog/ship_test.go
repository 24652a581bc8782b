package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"
)

// bench is a log that is written as an API server does it, and a store that takes
// each name once.
type bench struct {
	t       *testing.T
	logs    *lumberjack.Logger
	written bytes.Buffer
	state   string
	objects map[string][]byte
	said    bytes.Buffer
	now     time.Time
	// before and after are asked around each write of the store, with its number.
	before, after func(int) error
	puts          int
	numbers       int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, state: t.TempDir(), objects: map[string][]byte{}, now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}
	b.logs = &lumberjack.Logger{Filename: filepath.Join(t.TempDir(), "kubernetes", "audit.log"), MaxSize: 1, MaxBackups: 100}
	t.Cleanup(func() { _ = b.logs.Close() })
	return b
}

var errKilled = errors.New("killed")

func (b *bench) put(_ context.Context, key string, object []byte) error {
	b.puts++
	if b.before != nil {
		if err := b.before(b.puts); err != nil {
			return err
		}
	}
	if have, found := b.objects[key]; found && !bytes.Equal(have, object) {
		b.t.Errorf("%s is made a second time, of other bytes", key)
	}
	if _, found := b.objects[key]; !found {
		b.objects[key] = bytes.Clone(object)
	}
	if b.after != nil {
		return b.after(b.puts)
	}
	return nil
}

// shipper is one that was just started.
func (b *bench) shipper() *Shipper {
	b.t.Helper()
	s, err := New(Options{Node: "control-plane-1", Prefix: "audit/", Log: b.logs.Filename, State: b.state, Put: b.put, Most: 64 << 10, Last: time.Minute,
		Logger: slog.New(slog.NewTextHandler(&b.said, nil)), Now: func() time.Time { b.now = b.now.Add(time.Second); return b.now }})
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// write writes events of about 200 bytes.
func (b *bench) write(events int) {
	b.t.Helper()
	for range events {
		b.numbers++
		b.line(fmt.Sprintf(`{"kind":"Event","auditID":"%08d","verb":"get","user":{"username":"%s"}}`+"\n", b.numbers, strings.Repeat("u", 100+b.numbers%50)))
	}
}

func (b *bench) line(text string) {
	b.t.Helper()
	b.written.WriteString(text)
	if _, err := io.WriteString(b.logs, text); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) rotate() {
	b.t.Helper()
	time.Sleep(2 * time.Millisecond) // names have milliseconds
	if err := b.logs.Rotate(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) pass(s *Shipper) {
	b.t.Helper()
	if err := s.Pass(b.t.Context(), true); err != nil {
		b.t.Fatal(err)
	}
}

// whole wants the store to hold the log, byte for byte, and an unbroken chain.
func (b *bench) whole() {
	b.t.Helper()
	log, err := Verify(b.objects)
	if err != nil {
		b.t.Errorf("the chain: %v", err)
	}
	if !bytes.Equal(log, b.written.Bytes()) {
		b.t.Errorf("the store has %d bytes of the log, and %d were written", len(log), b.written.Len())
	}
}

// removeOldest removes the oldest files that were rotated, as the API server does.
func (b *bench) removeOldest(count int) {
	b.t.Helper()
	files, err := list(b.logs.Filename)
	if err != nil || len(files) < count {
		b.t.Fatal(files, err)
	}
	for _, each := range files[:count] {
		if err := os.Remove(each.path); err != nil {
			b.t.Fatal(err)
		}
	}
}

// TestRotation follows a log through many rotations, in the middle of files, with
// several between two looks, and cuts it at lines (M17).
func TestRotation(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	b.pass(s) // there is no log yet
	for round := range 30 {
		b.write(17 * round)
		if round%3 == 0 {
			b.rotate()
		}
		if round%4 == 0 {
			b.rotate()
		}
		if round%2 == 0 {
			b.pass(s)
		}
	}
	b.write(20000) // which rotates by itself
	b.pass(s)
	b.whole()
	for name, object := range b.objects {
		if _, part, err := Decode(object); err != nil || len(part) > 64<<10 || part[len(part)-1] != '\n' {
			t.Errorf("%s: %d bytes: %v", name, len(part), err)
		}
	}
	if len(b.objects) < 20 {
		t.Errorf("%d objects", len(b.objects))
	}
}

// TestLines: half a line waits, one that is longer than an object does not, and what
// nobody will complete is stored as it is.
func TestLines(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	b.line("one\ntw")
	b.pass(s)
	if log, _ := Verify(b.objects); string(log) != "one\n" {
		t.Errorf("%q", log)
	}
	b.line("o\n" + strings.Repeat("x", 200<<10) + "\nhalf")
	b.pass(s)
	b.rotate()
	b.pass(s)
	b.whole()
}

// TestDue: what is new waits a minute at most, and is not stored event by event.
func TestDue(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	for range 200 { // seconds: the bench's clock goes on with every look
		b.write(1)
		if err := s.Pass(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.objects); n < 3 || n > 15 {
		t.Errorf("%d objects in some minutes", n)
	}
	b.pass(s)
	b.whole()
}

// TestKilledAnywhere: a shipper that dies before or after any write of the store,
// and is started anew over a log that has grown and rotated meanwhile, stores every
// byte once (M38).
func TestKilledAnywhere(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		for _, at := range []int{1, 2, 3, 5, 8, 12} {
			b := newBench(t)
			kill := func(n int) error {
				if n == at || n == at+1 || n == at+4 { // again while it makes up for it
					return errKilled
				}
				return nil
			}
			if when == "before" {
				b.before = kill
			} else {
				b.after = kill
			}
			s, killed := b.shipper(), 0
			for round := range 16 {
				b.write(300)
				for s.Pass(t.Context(), true) != nil {
					killed++
					s = b.shipper() // all that it has is on the disk
					b.write(100)
					if round%2 == 0 {
						b.rotate()
					}
				}
			}
			b.whole()
			if killed < 2 {
				t.Errorf("%s %d: it was killed %d times", when, at, killed)
			}
			if t.Failed() {
				t.Fatalf("%s write %d", when, at)
			}
		}
	}
}

// TestStoreAway: while the store is away nothing is lost.
func TestStoreAway(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	b.before = func(int) error { return errors.New("no route to host") }
	for range 5 {
		b.write(500)
		b.rotate()
		if err := s.Pass(t.Context(), true); err == nil {
			t.Fatal("the store was away")
		}
	}
	if len(b.objects) > 0 {
		t.Errorf("%d objects", len(b.objects))
	}
	b.before = nil
	b.pass(s)
	b.whole()
}

// TestHeldFile: the file that is being stored can be read to its end even when the
// API server removes it.
func TestHeldFile(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	b.write(10)
	b.pass(s)
	b.write(10)
	b.rotate()
	b.write(10)
	if err := s.Pass(t.Context(), false); err != nil { // stores the first, and sees the second
		t.Fatal(err)
	}
	b.before = func(int) error { return errors.New("away") }
	b.rotate()
	b.write(10)
	_ = s.Pass(t.Context(), true)
	b.removeOldest(2)
	b.before = nil
	b.pass(s)
	b.whole()
}

// TestRun ships in time, and what is left when it is told to stop.
func TestRun(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	s.Now, s.Poll, s.Every = time.Now, 5*time.Millisecond, time.Hour
	s.shipped = time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	b.write(5)
	time.Sleep(50 * time.Millisecond)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.whole()
}
