package machine

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func complete() Spec {
	return Spec{
		Environment: "local", Name: "worker-1", Isolated: true, NetworkNamespace: "rd-local-worker-1",
		Dir: "/s/machines/worker-1", LogDir: "/s/log/worker-1", CgroupRoot: "/redoubt/local/worker-1",
		Binds: []Bind{{"/bin", "/opt/redoubt/bin", true}}, Users: []User{{"etcd", 61000}},
		Hosts: map[string]string{"control-plane": "10.80.0.10"}, KernelSettings: map[string]string{"kernel.panic": "10", "kernel.keys.root_maxkeys": ">=200"},
		Services: []Service{
			{Name: "one", Command: []string{"/bin/one"}, User: "etcd", Ready: &Probe{HTTPS: "https://127.0.0.1:1/readyz", CAFile: "/ca", CertFile: "/c", KeyFile: "/k", Timeout: Duration(time.Minute)}},
			{Name: "two", Command: []string{"/bin/two", "-x"}, After: []string{"one"}, Environment: []string{"A=b"}, StopSignal: "SIGINT", Grace: Duration(time.Second)},
		},
	}
}

func TestValidate(t *testing.T) {
	if err := complete().Validate(); err != nil {
		t.Fatalf("a complete specification: %v", err)
	}
	for want, change := range map[string]func(*Spec){
		`environment: "Up"`:                           func(s *Spec) { s.Environment = "Up" },
		`name: "a/b"`:                                 func(s *Spec) { s.Name = "a/b" },
		`dir: "relative"`:                             func(s *Spec) { s.Dir = "relative" },
		`logDir: "/a/../b"`:                           func(s *Spec) { s.LogDir = "/a/../b" },
		`networkNamespace: "../x"`:                    func(s *Spec) { s.NetworkNamespace = "../x" },
		`cgroupRoot: "/redoubt"`:                      func(s *Spec) { s.CgroupRoot = "/redoubt" },
		`cgroupRoot: "/a/../.."`:                      func(s *Spec) { s.CgroupRoot = "/a/../.." },
		"binds[0].target: /usr/x is the host's /usr":  func(s *Spec) { s.Binds[0].Target = "/usr/x" },
		"binds[0].target: the root":                   func(s *Spec) { s.Binds[0].Target = "/" },
		`binds[0].source: "x"`:                        func(s *Spec) { s.Binds[0].Source = "x" },
		`users[0].name: "root"`:                       func(s *Spec) { s.Users[0].Name = "root" },
		"users[0].id: 0":                              func(s *Spec) { s.Users[0].ID = 0 },
		"hosts.control-plane":                         func(s *Spec) { s.Hosts["control-plane"] = "nowhere" },
		"kernelSettings.net.ipv4.ip_forward: network": func(s *Spec) { s.KernelSettings["net.ipv4.ip_forward"] = "1" },
		"kernelSettings.../x":                         func(s *Spec) { s.KernelSettings["../x"] = "1" },
		`kernelSettings.kernel.panic: ">=x"`:          func(s *Spec) { s.KernelSettings["kernel.panic"] = ">=x" },
		"ports[0]":                                    func(s *Spec) { s.Ports = []string{"6443"} },
		"services: a machine runs":                    func(s *Spec) { s.Services = nil },
		`services[1].name: "one"`:                     func(s *Spec) { s.Services[1].Name = "one" },
		`services[1].name: "guard" is the name of the machine's own log`: func(s *Spec) { s.Services[1].Name = "guard" },
		"services[0].command":                      func(s *Spec) { s.Services[0].Command = []string{"one"} },
		`services[1].after: "zero"`:                func(s *Spec) { s.Services[1].After = []string{"zero"} },
		"one after two after one":                  func(s *Spec) { s.Services[0].After = []string{"two"} },
		`services[0].user: "stranger"`:             func(s *Spec) { s.Services[0].User = "stranger" },
		`services[1].stopSignal: "SIGKILL"`:        func(s *Spec) { s.Services[1].StopSignal = "SIGKILL" },
		`services[1].environment: "=x"`:            func(s *Spec) { s.Services[1].Environment = []string{"=x"} },
		"services[0].ready: exactly one":           func(s *Spec) { s.Services[0].Ready.TCP = "127.0.0.1:1" },
		"services[0].ready: certFile and keyFile":  func(s *Spec) { s.Services[0].Ready.KeyFile = "" },
		`services[0].ready: "ftp://x" must be a`:   func(s *Spec) { s.Services[0].Ready.HTTPS = "ftp://x" },
		"isolated: a machine that is not isolated": func(s *Spec) { s.Isolated = false },
		"services[0]: user and dropCapabilities":   func(s *Spec) { s.Isolated = false },
	} {
		spec := complete()
		change(&spec)
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
}

func TestValidateTellsEverythingAtOnce(t *testing.T) {
	spec := complete()
	spec.Name, spec.Dir, spec.Services[0].User = "", "", "x"
	err := spec.Validate()
	for _, want := range []string{"name:", "dir:", "services[0].user"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
}

// TestSpecSurvivesItsFile matters because the supervisor's Revision, made from
// the file, is compared with the caller's.
func TestSpecSurvivesItsFile(t *testing.T) {
	data, err := json.Marshal(complete())
	if err != nil {
		t.Fatal(err)
	}
	var back Spec
	if err := decode(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, complete()) || back.Revision() != complete().Revision() || back.shape() != complete().shape() {
		t.Errorf("back from the file: %+v", back)
	}
	if err := decode([]byte(`{"services":[],"readOnlyRoot":true}`), &back); err == nil {
		t.Error("an unknown field was ignored")
	}
}

func TestEveryFieldCountsForTheRevision(t *testing.T) {
	type change struct {
		of    func(*Spec)
		shape bool
	}
	for name, c := range map[string]change{
		"service command": {func(s *Spec) { s.Services[0].Command[0] = "/x" }, false},
		"service hash":    {func(s *Spec) { s.Services[0].Hash = "x" }, false},
		"hosts":           {func(s *Spec) { s.Hosts["x"] = "1.2.3.4" }, false},
		"user":            {func(s *Spec) { s.Users[0].ID = 7 }, false},
		"bind":            {func(s *Spec) { s.Binds[0].ReadOnly = false }, true},
		"name":            {func(s *Spec) { s.Name = "x" }, true},
		"cgroup":          {func(s *Spec) { s.CgroupRoot = "/x/y" }, true},
	} {
		spec := complete()
		c.of(&spec)
		if spec.Revision() == complete().Revision() {
			t.Errorf("%s: the revision does not change", name)
		}
		if (spec.shape() != complete().shape()) != c.shape {
			t.Errorf("%s: the machine restarts: %v", name, !c.shape)
		}
	}
}
