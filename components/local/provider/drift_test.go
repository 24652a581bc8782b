package provider

import (
	"strings"
	"testing"

	p "github.com/pulumi/pulumi-go-provider"
)

func TestDiffNamesWhatChanged(t *testing.T) {
	base := NetworkInputs{Environment: "a", NodeCIDR: "10.80.0.0/24", Members: []NetworkMember{{Machine: "control-plane"}}}
	changed := base
	changed.NodeCIDR = "10.90.0.0/24"
	other := base
	other.Environment = "b"
	for _, c := range []struct {
		name     string
		now      NetworkInputs
		drift    []string
		property string
		kind     p.DiffKind
	}{
		{"nothing", base, nil, "", ""},
		{"an input", changed, nil, "nodeCIDR", p.Update},
		{"an identity", other, nil, "environment", p.UpdateReplace},
		{"the host", base, []string{"a namespace is gone"}, driftProperty, p.Update},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := diff(base, c.now, c.drift, "environment")
			if got.HasChanges != (c.property != "") {
				t.Fatalf("HasChanges = %v", got.HasChanges)
			}
			if c.property == "" {
				return
			}
			if len(got.DetailedDiff) != 1 || got.DetailedDiff[c.property].Kind != c.kind {
				t.Errorf("diff = %v, want %s of %s", got.DetailedDiff, c.kind, c.property)
			}
		})
	}
}

// An absent list and an empty one are the same declaration: a difference
// between them would make every second `up` an update.
func TestDiffTreatsEmptyAsAbsent(t *testing.T) {
	a := Machine{Name: "m"}
	b := Machine{Name: "m", Binds: []Bind{}, Users: map[string]int{}}
	if got := diff(a, b, nil); got.HasChanges {
		t.Errorf("diff = %v", got.DetailedDiff)
	}
}

func TestHostPathFollowsBinds(t *testing.T) {
	m := Machine{
		Isolated: true, Directory: "/s/machines/m", LogDirectory: "/s/log/m",
		Binds: []Bind{{Source: "/s/admin", Target: "/etc/kubernetes/admin"}},
	}
	for path, want := range map[string]string{
		"/etc/kubernetes/pki/ca.crt":       "/s/machines/m/etc/kubernetes/pki/ca.crt",
		"/etc/kubernetes/admin":            "/s/admin",
		"/etc/kubernetes/admin/client.crt": "/s/admin/client.crt",
		"/etc/kubernetes/administrator":    "/s/machines/m/etc/kubernetes/administrator",
		"/var/log/kubernetes/audit.log":    "/s/log/m/kubernetes/audit.log",
	} {
		if got := m.hostPath(path); got != want {
			t.Errorf("%s lies at %s, want %s", path, got, want)
		}
	}
	if got := (Machine{Directory: "/s"}).hostPath("/s/etc/x"); got != "/s/etc/x" {
		t.Errorf("a plain machine's path became %s", got)
	}
}

// Drift is shown to people: it may name a file and never quote it.
func TestFileDriftKeepsSecrets(t *testing.T) {
	dir := t.TempDir()
	m := Machine{Name: "m", Directory: dir, LogDirectory: t.TempDir()}
	f := File{Path: dir + "/key", Mode: 0o600, Contents: "the-secret"}
	m.Files = []File{f}
	if drift := m.fileDrift(m.Files); len(drift) != 1 || !strings.Contains(drift[0], "missing") {
		t.Fatalf("drift of a missing file = %q", drift)
	}
	if err := m.writeFiles(nil); err != nil {
		t.Fatal(err)
	}
	if drift := m.fileDrift(m.Files); drift != nil {
		t.Fatalf("drift right after writing = %q", drift)
	}
	if err := writeFile(f.Path, "the-other-secret", 0o640, 0); err != nil {
		t.Fatal(err)
	}
	drift := strings.Join(m.fileDrift(m.Files), "\n")
	if !strings.Contains(drift, "mode 0640") || !strings.Contains(drift, "other contents") {
		t.Errorf("drift = %q", drift)
	}
	if strings.Contains(drift, "secret") {
		t.Errorf("drift quotes the file: %q", drift)
	}
	if err := (Machine{Name: "m", Directory: dir, LogDirectory: m.LogDirectory}).writeFiles(m.Files); err != nil {
		t.Fatal(err)
	}
	if drift := m.fileDrift(m.Files); len(drift) != 1 || !strings.Contains(drift[0], "missing") {
		t.Errorf("a file that the settings dropped is still there: %q", drift)
	}
}

// Deleting a plain machine must never reach for the host's own /etc.
func TestOutsideNeverNamesTheHostsOwnFiles(t *testing.T) {
	in := ControlPlaneInputs{Kubeconfig: HostFile{Path: "/s/kubeconfig"}, Machine: Machine{Directory: "/s/machines/m"}}
	if got := in.outside(); len(got) != 1 || got[0] != "/s/kubeconfig" {
		t.Errorf("a plain machine would delete %q", got)
	}
	in.Machine.Isolated = true
	in.Machine.Binds = []Bind{{Source: "/s/admin", Target: "/etc/kubernetes/admin"}}
	if got := in.outside(); len(got) != 2 || got[1] != "/s/admin" {
		t.Errorf("an isolated machine would delete %q", got)
	}
}
