package auditlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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

// TestState: what cannot be read any more is put aside, and the log begins again in
// a stream of its own, not in silence.
func TestState(t *testing.T) {
	for _, text := range []string{"", "{", "{}", "null"} {
		b := newBench(t)
		b.write(10)
		b.pass(b.shipper())
		first := b.written.String()
		if err := os.WriteFile(filepath.Join(b.state, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b.write(10)
		b.pass(b.shipper())
		b.write(10)
		b.pass(b.shipper())
		log, err := Verify(b.objects)
		if err == nil || !strings.Contains(err.Error(), "nobody knows any more") || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(b.said.String(), "level=ERROR") {
			t.Errorf("%q: %v: %s", text, err, b.said.String())
		}
		if want := first + b.written.String(); string(log) != want {
			t.Errorf("%q: the store has %d bytes, want %d", text, len(log), len(want))
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
