package systemd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func service() Service {
	return Service{
		Name: "test.service", Description: "A test of 100%", Documentation: []string{"https://example.org/"},
		Start:       []Command{{"/usr/bin/env", "a b", "$HOME", "%n", `quote"`, "--x=" + Variable("ADDRESS"), ";"}},
		Environment: map[string]string{"ADDRESS": "10.0.0.1"}, Restart: "on-failure", RestartDelay: time.Second,
		WantedBy: []string{"multi-user.target"},
	}
}

func TestRender(t *testing.T) {
	text, err := service().Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Description=A test of 100%%", `ExecStart=/usr/bin/env "a b" $$HOME %%n "quote\"" --x=${ADDRESS} ";"`,
		"CapabilityBoundingSet=", "PrivateNetwork=yes", "ProtectSystem=strict", "PrivateUsers=yes",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in:\n%s", line, text)
		}
	}
}

// analyze runs systemd-analyze over one unit file.
func analyze(t testing.TB, text string, arguments ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: install systemd")
	}
	file := filepath.Join(t.TempDir(), "test.service")
	save(t, file, text)
	output, err := exec.Command(program, append(arguments, file)...).CombinedOutput()
	return string(output), err
}

func save(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sandboxes are the ways to open one, each with its highest exposure of 100.
var sandboxes = map[string]struct {
	sandbox Sandbox
	bound   int
}{
	"closed":  {Sandbox{}, 7},
	"open":    {Sandbox{Open: true}, 93},
	"network": {Sandbox{Network: []string{"AF_INET", "AF_UNIX"}}, 20},
	"everything": {Sandbox{Capabilities: []string{"CAP_SYS_TIME", "CAP_NET_ADMIN"}, Network: []string{"AF_NETLINK"}, Writable: []string{"-/srv"},
		Devices: []string{"/dev/tpmrm0 rw"}, KernelTunables: true, KernelModules: true, Processes: true,
		SystemCalls: []string{"@mount", "@resources", "@privileged"}, HostUser: true}, 60},
}

func TestConsumer(t *testing.T) {
	for name, each := range sandboxes {
		s := service()
		s.Sandbox = each.sandbox
		text, err := s.Render()
		if err != nil {
			t.Fatal(err)
		}
		if output, err := analyze(t, text, "verify", "--man=no"); err != nil || output != "" {
			t.Errorf("%s: %v: %s", name, err, output)
		}
		if output, err := analyze(t, text, "security", "--no-pager", "--offline=yes", fmt.Sprintf("--threshold=%d", each.bound)); err != nil {
			t.Errorf("%s: over %d: %s", name, each.bound, output[max(0, len(output)-120):])
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, change := range map[string]func(*Service){
		"name":         func(s *Service) { s.Name = "../x.service" },
		"target":       func(s *Service) { s.Name = "x.target" },
		"description":  func(s *Service) { s.Description = "a\n[Service]" },
		"continued":    func(s *Service) { s.Description = `a\` },
		"program":      func(s *Service) { s.Start = []Command{{"true"}} },
		"prefix":       func(s *Service) { s.Start = []Command{{"+/usr/bin/true"}} },
		"nothing":      func(s *Service) { s.Start = nil },
		"two":          func(s *Service) { s.Start = append(s.Start, s.Start...) },
		"line break":   func(s *Service) { s.Start[0][1] = "a\nUser=root" },
		"half a mark":  func(s *Service) { s.Start[0][1] = variableMark + "A" },
		"unit":         func(s *Service) { s.After = []string{"a b.service"} },
		"condition":    func(s *Service) { s.Conditions = []Condition{{"PathExists", "/a\nUser=x"}} },
		"environment":  func(s *Service) { s.Environment = map[string]string{"A=B": "x"} },
		"no delay":     func(s *Service) { s.RestartDelay = 0 },
		"capability":   func(s *Service) { s.Sandbox.Capabilities = []string{"ALL"} },
		"writable":     func(s *Service) { s.Sandbox.Writable = []string{"/a /b"} },
		"device":       func(s *Service) { s.Sandbox.Devices = []string{"/dev/sda"} },
		"system calls": func(s *Service) { s.Sandbox.SystemCalls = []string{"~@mount"} },
		"family":       func(s *Service) { s.Sandbox.Network = []string{"~AF_INET"} },
	} {
		s := service()
		change(&s)
		if text, err := s.Render(); err == nil || text != "" {
			t.Errorf("%s is rendered:\n%s", name, text)
		}
	}
}

// FuzzRender: what is rendered has one line for each directive, whatever the text.
func FuzzRender(f *testing.F) {
	f.Add("text", "a b", "/etc/file")
	f.Add("%", "\\\n$(x)", "!/x")
	f.Fuzz(func(t *testing.T, description, argument, condition string) {
		plain, s := service(), service()
		plain.Conditions = []Condition{{"PathExists", "/x"}}
		want, err := plain.Render()
		if err != nil {
			t.Fatal(err)
		}
		s.Description, s.Start[0][1] = description, argument
		s.Conditions = []Condition{{"PathExists", condition}}
		text, err := s.Render()
		if err == nil && strings.Count(text, "\n") != strings.Count(want, "\n") {
			t.Fatalf("a line too many:\n%s", text)
		}
	})
}

func ExampleService_Render() {
	text, err := Service{
		Name: "hello.service", Description: "Say hello", Type: TypeOneshot,
		Start: []Command{{"/usr/bin/echo", "hello"}}, Sandbox: Sandbox{Open: true},
	}.Render()
	fmt.Print(text, err)
	// Output:
	// [Unit]
	// Description=Say hello
	//
	// [Service]
	// Type=oneshot
	// ExecStart=/usr/bin/echo hello
	// LockPersonality=yes
	// RestrictRealtime=yes
	// SystemCallArchitectures=native
	// <nil>
}

// TestDocumentationStaysOnItsLine: systemd ends a line at a carriage return and at
// a NUL too, and joins the next one to a backslash.
func TestDocumentationStaysOnItsLine(t *testing.T) {
	for _, value := range []string{"https://x\r[Service]\rExecStartPre=+/bin/sh", "https://x\x00[Service]", "https://x\v", `https://x\`, "https://x/%n"} {
		s := service()
		s.Documentation = []string{value}
		if _, err := s.Render(); err == nil || !strings.Contains(err.Error(), "documentation[0]") {
			t.Errorf("%q is rendered: %v", value, err)
		}
	}
}
