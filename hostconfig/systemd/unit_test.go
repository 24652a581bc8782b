package systemd

import (
	"crypto/sha256"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func timer() Timer {
	return Timer{Name: "test.timer", Description: "A test of 100%", AfterBoot: time.Minute, Every: time.Hour, Spread: time.Minute}
}

func TestTimerRenders(t *testing.T) {
	text, err := timer().Render()
	want := "[Unit]\nDescription=A test of 100%%\n\n[Timer]\nOnBootSec=60s\nOnUnitInactiveSec=3600s\nRandomizedDelaySec=60s\n\n[Install]\nWantedBy=timers.target\n"
	if err != nil || text != want {
		t.Errorf("%v: %s", err, text)
	}
}

func TestTimerRefusals(t *testing.T) {
	for name, change := range map[string]func(*Timer){
		"name":        func(t *Timer) { t.Name = "x.service" },
		"description": func(t *Timer) { t.Description = "a\n[Timer]" },
		"every":       func(t *Timer) { t.Every = 0 },
		"spread":      func(t *Timer) { t.Spread = t.Every },
		"negative":    func(t *Timer) { t.AfterBoot = -time.Second },
		"wanted":      func(t *Timer) { t.WantedBy = []string{"a b.target"} },
	} {
		each := timer()
		change(&each)
		if text, err := each.Render(); err == nil || text != "" {
			t.Errorf("%s is rendered:\n%s", name, text)
		}
	}
}

// words reads a command as systemd.service(5) says: quotes hold a word together,
// a backslash inside them takes the next sign as it is, "%%" and "$$" are one.
func words(line string) []string {
	var all []string
	var word strings.Builder
	inWord, quoted := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			quoted, inWord = !quoted, true
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == ' ' && !quoted:
			if inWord {
				all = append(all, word.String())
			}
			word.Reset()
			inWord = false
		case (c == '%' || c == '$') && i+1 < len(line) && line[i+1] == c:
			i++
			word.WriteByte(c)
			inWord = true
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		all = append(all, word.String())
	}
	return all
}

// FuzzUnit: what is rendered says, read again, what was meant, and has no line
// that nobody meant. One unit in many goes to systemd itself, which is slow.
func FuzzUnit(f *testing.F) {
	f.Add("A test", "a b", "--x=%n $HOME", `back\slash "quoted"`, "VALUE", "/etc/x", "unit.service")
	f.Add("100%", ";", "", "'", "a'b\\", "!|/x", "a@b.target")
	f.Fuzz(func(t *testing.T, description, one, two, three, value, condition, after string) {
		s := service()
		s.Description, s.Start = description, []Command{{"/usr/bin/env", one, two, three}}
		s.Environment, s.Conditions, s.After = map[string]string{"A": value}, []Condition{{"PathExists", condition}}, []string{after}
		text, err := s.Render()
		if err != nil {
			if text != "" {
				t.Fatal("what is refused is rendered")
			}
			return
		}
		found := map[string][]string{}
		for _, line := range strings.Split(text, "\n") {
			if key, value, is := strings.Cut(line, "="); is {
				found[key] = append(found[key], value)
			} else if line != "" && !slices.Contains([]string{"[Unit]", "[Service]", "[Install]"}, line) {
				t.Fatalf("a line of its own: %q", line)
			}
		}
		if strings.Contains(one+two+three, variableMark) {
			return // a variable reads back as another form
		}
		if got := words(found["ExecStart"][0]); len(found["ExecStart"]) != 1 || !slices.Equal(got, s.Start[0]) {
			t.Fatalf("%q is read as %q", s.Start[0], got)
		}
		if got := words(found["Environment"][0]); len(got) != 1 || got[0] != strings.ReplaceAll("A="+value, "$$", "$") {
			t.Fatalf("%q is read as %q", "A="+value, got)
		}
		sum := sha256.Sum256([]byte(text))
		if sum[0] != 0 || sum[1] > 15 {
			return
		}
		if output, err := analyze(t, text, "verify", "--man=no"); err != nil || output != "" {
			t.Fatalf("systemd: %v: %s\n%s", err, output, text)
		}
	})
}

// TestTimerVerifies: systemd prints what it does not know and exits with 0.
func TestTimerVerifies(t *testing.T) {
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: install systemd")
	}
	directory := t.TempDir()
	text, err := timer().Render()
	if err != nil {
		t.Fatal(err)
	}
	s := service()
	unit, err := s.Render()
	if err != nil {
		t.Fatal(err)
	}
	save(t, directory+"/test.timer", text)
	save(t, directory+"/test.service", unit)
	if output, err := exec.Command(program, "verify", "--man=no", directory+"/test.timer").CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("%v: %s", err, output)
	}
}

func ExampleTimer_Render() {
	text, err := Timer{Name: "hello.timer", Description: "Say hello every hour", AfterBoot: time.Minute, Every: time.Hour}.Render()
	fmt.Print(text, err)
	// Output:
	// [Unit]
	// Description=Say hello every hour
	//
	// [Timer]
	// OnBootSec=60s
	// OnUnitInactiveSec=3600s
	//
	// [Install]
	// WantedBy=timers.target
	// <nil>
}
