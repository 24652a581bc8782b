package hostconfig

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

// registryWorker names everything that registries can say.
func registryWorker(t testing.TB) Worker {
	w := worker(t)
	authority := w.CACertificate
	w.Registries = Registries{
		TrustedCertificates: authority + authority,
		Allowed: []Registry{
			{Name: "docker.io", Mirrors: []Mirror{{URL: "https://mirror.example.org/docker/v2", OverridePath: true}, {URL: "http://127.0.0.1:5000"}}},
			{Name: "registry.example.org:5000", RegistryTrust: RegistryTrust{CertificateAuthority: authority,
				ClientCertificate: "/etc/registry/client.crt", ClientKey: "/etc/registry/client.key"}},
			{Name: "10.80.0.5", MirrorsOnly: true, Mirrors: []Mirror{{URL: "https://10.80.0.6:5000"}}},
		},
		CredentialProviders: []CredentialProvider{ECRCredentialProvider(), GCRCredentialProvider()},
	}
	return w
}

func TestRegistriesGolden(t *testing.T) {
	w := registryWorker(t)
	accepted(t, w.Validate(now))
	files, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	var hosts []string
	for _, file := range files {
		if path.Base(file.Path) == "hosts.toml" {
			hosts = append(hosts, "# "+file.Path+"\n"+file.Contents)
			parseTOML(t, file.Contents)
		}
		if file.Path == w.Paths.CredentialProviders() {
			golden.Compare(t, "registries/credential-providers.yaml", file.Contents)
		}
	}
	golden.Compare(t, "registries/hosts.txt", strings.Join(hosts, "\n"))
}

// TestRegistriesHold: in whatever way registries are described, no file lets
// containerd ask somebody who is not listed, and none skips verification.
func TestRegistriesHold(t *testing.T) {
	listed := registryWorker(t)
	bare := listed
	bare.Registries = Registries{}
	unexcused := bare
	unexcused.Registries.AllowUnlisted = true
	served := listed
	served.Registries.Endpoint = "https://mirror.example.org"
	for name, w := range map[string]Worker{"listed": listed, "bare": bare, "without its exception": unexcused, "served": served} {
		hosts := 0
		for _, file := range w.registryFiles() {
			if path.Base(file.Path) != "hosts.toml" {
				continue
			}
			hosts++
			parsed := parseTOML(t, file.Contents)
			if parsed["server"] != nowhere || len(parsed["capabilities"].([]any)) != 1 || parsed["capabilities"].([]any)[0] != "push" {
				t.Errorf("%s: %s falls back to %v with %v", name, file.Path, parsed["server"], parsed["capabilities"])
			}
			entries, _ := parsed["host"].(map[string]any)
			if len(entries) == 0 {
				t.Errorf("%s: containerd 1.6 cannot read %s without a host", name, file.Path)
			}
			if strings.Contains(file.Contents, "skip_verify") || file.Mode != 0o600 {
				t.Errorf("%s: %s: %s", name, file.Path, file.Contents)
			}
			for url, entry := range entries {
				if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://127.") {
					t.Errorf("%s: plaintext to %s", name, url)
				}
				if url != nowhere && slices.Contains(entry.(map[string]any)["capabilities"].([]any), "push") {
					t.Errorf("%s: pushes to %s", name, url)
				}
			}
		}
		if !slices.ContainsFunc(w.registryFiles(), func(f File) bool { return path.Base(path.Dir(f.Path)) == "_default" }) || hosts == 0 {
			t.Errorf("%s: nothing refuses what is not listed", name)
		}
	}
	bare.SandboxImage = "pause.example.org/pause:1"
	if !slices.ContainsFunc(bare.registries(), func(r Registry) bool { return r.Name == "pause.example.org" }) {
		t.Error("the sandbox image cannot be pulled")
	}
	unexcused.Exceptions = []Exception{accept(controlRegistries)}
	accepted(t, unexcused.Validate(now))
	for _, file := range unexcused.registryFiles() {
		if path.Base(path.Dir(file.Path)) == "_default" {
			t.Errorf("the exception changes nothing: %s", file.Contents)
		}
	}
}

func TestRegistriesRefusals(t *testing.T) {
	leaf := "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	const at = "registries.allowed[0]"
	name := func(text string) func(*Worker) {
		return func(w *Worker) { w.Registries.Allowed[0].Name = text }
	}
	mirror := func(url string) func(*Worker) {
		return func(w *Worker) { w.Registries.Allowed[0].Mirrors[0] = Mirror{URL: url} }
	}
	for title, each := range map[string]struct {
		change      func(*Worker)
		field, text string
	}{
		"wildcard":         {name("_default"), at + ".name", "endpoint"},
		"star":             {name("*"), at + ".name", "not a registry"},
		"no name":          {name(""), at + ".name", "not a registry"},
		"path of an image": {name("library"), at + ".name", "not a registry"},
		"climbing":         {name("../../etc"), at + ".name", "not a registry"},
		"dots":             {name(".."), at + ".name", "not a registry"},
		"scheme":           {name("https://docker.io"), at + ".name", "port"},
		"upper case":       {name("Docker.io"), at + ".name", "not a registry"},
		"IPv6":             {name("[::1]:5000"), at + ".name", "port"},
		"half an address":  {name("10.80.0"), at + ".name", "IPv4"},
		"port zero":        {name("a.example:0"), at + ".name", "port"},
		"port with zero":   {name("a.example:0500"), at + ".name", "port"},
		"alias":            {name("index.docker.io"), at + ".name", "docker.io"},
		"twice":            {func(w *Worker) { w.Registries.Allowed[1].Name = "docker.io" }, "registries.allowed[1].name", "twice"},
		"plaintext":        {mirror("http://10.80.0.9"), at + ".mirrors[0].url", "plaintext"},
		"plaintext name":   {mirror("http://localhost:5000"), at + ".mirrors[0].url", "plaintext"},
		"password":         {mirror("https://u:p@a.example"), at + ".mirrors[0].url", "URL"},
		"query":            {mirror("https://a.example?x=y"), at + ".mirrors[0].url", "URL"},
		"no scheme":        {mirror("a.example"), at + ".mirrors[0].url", "URL"},
		"new table":        {mirror("https://a.example\"]\n[host.\"http://x"), at + ".mirrors[0].url", "URL"},
		"parent":           {mirror("https://a.example/x/../y"), at + ".mirrors[0].url", "URL"},
		"own directory":    {mirror("https://a.example/x/."), at + ".mirrors[0].url", "URL"},
		"escape":           {mirror("https://a.example/%2e%2e"), at + ".mirrors[0].url", "URL"},
		"itself":           {mirror("https://registry-1.docker.io"), at + ".mirrors", "itself"},
		"mirror twice":     {mirror("http://127.0.0.1:5000"), at + ".mirrors[1].url", "twice"},
		"TLS in plaintext": {func(w *Worker) { w.Registries.Allowed[0].Mirrors[1].CertificateAuthority = w.CACertificate }, at + ".mirrors[1].url", "no TLS"},
		"nobody":           {func(w *Worker) { w.Registries.Allowed[2].Mirrors = nil }, "registries.allowed[2].mirrorsOnly", "nobody"},
		"half a pair":      {func(w *Worker) { w.Registries.Allowed[1].ClientKey = "" }, "registries.allowed[1].clientKey", "together"},
		"relative key":     {func(w *Worker) { w.Registries.Allowed[1].ClientKey = "client.key" }, "registries.allowed[1].clientKey", "absolute"},
		"key in PEM":       {func(w *Worker) { w.Registries.TrustedCertificates += "-----BEGIN PRIVATE KEY-----\n" }, "registries.trustedCertificates", "private key"},
		"not PEM":          {func(w *Worker) { w.Registries.TrustedCertificates += "trust me" }, "registries.trustedCertificates", "not a certificate"},
		"not DER":          {func(w *Worker) { w.Registries.Allowed[1].CertificateAuthority = leaf }, "registries.allowed[1].certificateAuthority", "cannot be read"},
		"unlisted":         {func(w *Worker) { w.Registries.AllowUnlisted = true }, "registries.allowUnlisted", controlRegistries},
		"unlisted and endpoint": {func(w *Worker) {
			w.Registries.AllowUnlisted, w.Registries.Endpoint = true, "https://a.example"
			w.Exceptions = []Exception{accept(controlRegistries)}
		}, "registries.allowUnlisted", "contradicts"},
	} {
		t.Run(title, func(t *testing.T) {
			w := registryWorker(t)
			each.change(&w)
			refused(t, w.Validate(now), each.field, each.text)
		})
	}
	// The certificate of a server is no authority.
	directory := t.TempDir()
	newAuthority(t, directory+"/ca", "ca").issue(t, LeafCertificate{CommonName: "leaf", CertFile: directory + "/leaf.crt", KeyFile: directory + "/leaf.key"})
	contents, err := os.ReadFile(directory + "/leaf.crt")
	if err != nil {
		t.Fatal(err)
	}
	w := registryWorker(t)
	w.Registries.Allowed[1].CertificateAuthority = string(contents)
	refused(t, w.Validate(now), "registries.allowed[1].certificateAuthority", "authority")
}

// FuzzRegistries: what is accepted can be read back, and names whom it should.
func FuzzRegistries(f *testing.F) {
	f.Add("docker.io", "https://mirror.example.org/v2", "https://all.example.org", "/etc/client.crt", true)
	f.Add("10.0.0.1:5000", "http://127.0.0.1:5000", "", "", false)
	f.Add("_default", "https://a\"]\n[host.\"b", "http://[::1]", "/\n", true)
	base := worker(f)
	f.Fuzz(func(t *testing.T, name, mirror, endpoint, client string, only bool) {
		w := base
		w.Registries = Registries{Endpoint: endpoint, Allowed: []Registry{{Name: name, MirrorsOnly: only,
			Mirrors: []Mirror{{URL: mirror, OverridePath: only, RegistryTrust: RegistryTrust{ClientCertificate: client, ClientKey: client}}}}}}
		err := w.Validate(now)
		files := w.registryFiles()
		if err != nil {
			return
		}
		for _, file := range files {
			if path.Clean(file.Path) != file.Path || path.Dir(path.Dir(file.Path)) != w.Paths.RegistryHosts() {
				t.Fatalf("a file outside of its directory: %q", file.Path)
			}
			parsed := parseTOML(t, file.Contents)
			if parsed["server"] != nowhere {
				t.Fatalf("falls back to %v", parsed["server"])
			}
			hosts := parsed["host"].(map[string]any)
			if path.Base(path.Dir(file.Path)) == name {
				if _, there := hosts[mirror]; !there || len(hosts) > 2 {
					t.Fatalf("%q became %v", mirror, hosts)
				}
			}
		}
	})
}

// FuzzContainerd: what is accepted can be read back, and no locked key moves.
func FuzzContainerd(f *testing.F) {
	f.Add("debug.level", "warn", int64(3), true, "2")
	f.Add("max_concurrent_downloads", "x", int64(9), false, "1.6")
	f.Add("unset_seccomp_profile", "", int64(0), true, "1.7")
	base := worker(f)
	f.Fuzz(func(t *testing.T, key, text string, number int64, flag bool, version string) {
		for _, value := range []any{text, number, flag, []any{text}} {
			w := base
			w.ContainerdVersion, w.ExtraContainerd = ContainerdVersion(version), map[string]any{key: value}
			w = w.WithDefaults()
			if w.Validate(time.Time{}) != nil {
				continue
			}
			document := parseTOML(t, w.containerdFile().Contents)
			runtime := at(document, containerdTable(w.ContainerdVersion, partRuntime)).(map[string]any)
			if runtime["unset_seccomp_profile"] != "runtime/default" || runtime["enable_unprivileged_ports"] != false {
				t.Fatalf("%q=%v weakened %v", key, value, runtime)
			}
		}
	})
}
