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
		for at := 1; at <= 12; at++ {
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

// TestStoreAway: while the store is away nothing is lost, and the outage is told once.
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

// TestGap: what was removed before it was stored is told in the journal and in the
// store, wherever it was lost; what is left is stored.
func TestGap(t *testing.T) {
	gap := func(t *testing.T, b *bench, want string) {
		t.Helper()
		log, err := Verify(b.objects)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the store does not say %q: %v", want, err)
		}
		if !strings.Contains(b.said.String(), "level=ERROR") || !strings.Contains(b.said.String(), "is lost") {
			t.Errorf("the journal: %q", b.said.String())
		}
		if tail := []byte("the end\n"); !bytes.HasSuffix(log, tail) {
			t.Error("what came after the gap is not there")
		}
		marks := 0
		for name := range b.objects {
			if strings.HasSuffix(name, SuffixGap) {
				marks++
			}
		}
		if marks != 1 {
			t.Errorf("%d marks", marks)
		}
	}
	t.Run("while it was down", func(t *testing.T) {
		b := newBench(t)
		b.write(10)
		b.pass(b.shipper())
		for range 3 {
			b.rotate()
			b.write(10)
		}
		b.removeOldest(2)
		b.line("the end\n")
		b.pass(b.shipper())
		gap(t, b, "is gone")
	})
	t.Run("another file has the inode", func(t *testing.T) {
		b := newBench(t)
		b.write(10)
		b.pass(b.shipper())
		if err := os.WriteFile(b.logs.Filename, []byte(strings.Repeat("another log\n", 1000)+"the end\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.pass(b.shipper())
		gap(t, b, "is gone or begins anew")
	})
	t.Run("while it was being stored", func(t *testing.T) {
		b := newBench(t)
		b.write(10)
		b.before = func(int) error { return errKilled }
		if err := b.shipper().Pass(t.Context(), true); err == nil {
			t.Fatal("not killed")
		}
		b.before = nil
		b.rotate()
		b.line("the end\n")
		b.removeOldest(1)
		b.pass(b.shipper())
		gap(t, b, "being stored")
	})
	t.Run("files after the one that is held", func(t *testing.T) {
		b := newBench(t)
		s := b.shipper()
		b.write(10)
		b.pass(s)
		b.before = func(int) error { return errors.New("away") }
		for range 4 {
			b.rotate()
			b.write(10)
		}
		_ = s.Pass(t.Context(), true)
		b.removeOldest(3)
		b.line("the end\n")
		b.before = nil
		b.pass(s)
		gap(t, b, "files that followed it")
	})
	for name, other := range map[string]string{"somebody truncates it": "the end\n", "somebody writes over it": strings.Repeat("other\n", 1000) + "the end\n"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			s := b.shipper()
			b.write(10)
			b.pass(s)
			if err := os.WriteFile(b.logs.Filename, []byte(other), 0o600); err != nil {
				t.Fatal(err)
			}
			b.pass(s)
			gap(t, b, "somebody changed the log")
		})
	}
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

// TestState: what is damaged is refused; nothing begins anew in silence.
func TestState(t *testing.T) {
	directory := t.TempDir()
	for _, text := range []string{"", "{", "{}", "null"} {
		if err := os.WriteFile(filepath.Join(directory, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{State: directory}); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestVerify: whatever somebody does to what is stored, an auditor sees.
func TestVerify(t *testing.T) {
	b := newBench(t)
	s := b.shipper()
	for range 4 {
		b.write(3)
		b.pass(s)
	}
	b.whole()
	var names []string
	for name := range b.objects {
		names = append(names, name)
	}
	for attack, change := range map[string]func(map[string][]byte, string){
		"one is taken away": func(o map[string][]byte, name string) { delete(o, name) },
		"one is another": func(o map[string][]byte, name string) {
			h, part, _ := Decode(o[name])
			o[name], _ = h.encode(bytes.ToUpper(part))
		},
		"one has another name": func(o map[string][]byte, name string) {
			o[strings.Replace(name, "-1/", "-2/", 1)] = o[name]
			delete(o, name)
		},
		"one is cut":      func(o map[string][]byte, name string) { o[name] = o[name][:len(o[name])-4] },
		"one is nonsense": func(o map[string][]byte, name string) { o[name] = []byte("nonsense") },
		"one says less": func(o map[string][]byte, name string) {
			h, part, _ := Decode(o[name])
			o[name], _ = h.encode(part[1:])
		},
	} {
		for _, name := range names {
			last := true
			for _, other := range names {
				last = last && other <= name
			}
			if last && (attack == "one is taken away" || attack == "one is another") {
				continue // nothing refers to it yet
			}
			changed := map[string][]byte{}
			for each, object := range b.objects {
				changed[each] = object
			}
			change(changed, name)
			if _, err := Verify(changed); err == nil {
				t.Errorf("%s: %s: nobody sees it", attack, name)
			}
		}
	}
}
