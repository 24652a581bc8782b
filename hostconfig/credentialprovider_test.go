package hostconfig

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	criv1 "k8s.io/cri-api/pkg/apis/runtime/v1"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCredentialProviderRefusals(t *testing.T) {
	const at = "registries.credentialProviders[0]"
	glob := func(text string) func(*CredentialProvider) {
		return func(c *CredentialProvider) { c.MatchImages = []string{text} }
	}
	token := func(token ServiceAccountToken) func(*CredentialProvider) {
		return func(c *CredentialProvider) { c.ServiceAccountToken = &token }
	}
	for name, each := range map[string]struct {
		change      func(*CredentialProvider)
		field, text string
	}{
		"no name":            {func(c *CredentialProvider) { c.Name = "" }, ".name", "program"},
		"path":               {func(c *CredentialProvider) { c.Name = "../sh" }, ".name", "program"},
		"dots":               {func(c *CredentialProvider) { c.Name = ".." }, ".name", "program"},
		"flag":               {func(c *CredentialProvider) { c.Name = "-x" }, ".name", "program"},
		"no images":          {func(c *CredentialProvider) { c.MatchImages = nil }, ".matchImages", "empty"},
		"everything":         {glob("*"), ".matchImages[0]", "names no registry"},
		"every two parts":    {glob("*.*"), ".matchImages[0]", "somebody else"},
		"every domain":       {glob("*.com"), ".matchImages[0]", "somebody else"},
		"open end":           {glob("gcr.*"), ".matchImages[0]", "somebody else"},
		"scheme":             {glob("https://gcr.io"), ".matchImages[0]", "scheme"},
		"port glob":          {glob("gcr.io:*"), ".matchImages[0]", "port"},
		"path glob":          {glob("gcr.io/*"), ".matchImages[0]", "path"},
		"broken glob":        {glob("a[b.gcr.io"), ".matchImages[0]", "parsed"},
		"long cache":         {func(c *CredentialProvider) { c.CacheDuration = metav1.Duration{Duration: 13 * time.Hour} }, ".cacheDuration", "M34"},
		"negative cache":     {func(c *CredentialProvider) { c.CacheDuration = metav1.Duration{Duration: -time.Second} }, ".cacheDuration", "M34"},
		"stored secret":      {func(c *CredentialProvider) { c.Environment = map[string]string{"AWS_SECRET_ACCESS_KEY": "x"} }, `.environment["AWS_SECRET_ACCESS_KEY"]`, "M34"},
		"variable":           {func(c *CredentialProvider) { c.Environment = map[string]string{"a=b": "x"} }, `.environment["a=b"]`, "variable"},
		"no audience":        {token(ServiceAccountToken{}), ".serviceAccountToken.audience", "audience"},
		"required of nobody": {token(ServiceAccountToken{Audience: "a", Optional: true, RequiredAnnotations: []string{"a.example/b"}}), ".serviceAccountToken.optional", "contradicts"},
		"annotation":         {token(ServiceAccountToken{Audience: "a", RequiredAnnotations: []string{"a b"}}), ".serviceAccountToken.requiredAnnotations", "annotation"},
		"annotation twice":   {token(ServiceAccountToken{Audience: "a", RequiredAnnotations: []string{"a", "a"}}), ".serviceAccountToken.requiredAnnotations", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			w := worker(t)
			provider := ECRCredentialProvider()
			each.change(&provider)
			w.Registries.CredentialProviders = []CredentialProvider{provider}
			refused(t, w.Validate(now), at+each.field, each.text)
		})
	}
	w := worker(t)
	w.Registries.CredentialProviders = []CredentialProvider{ECRCredentialProvider(), ECRCredentialProvider()}
	refused(t, w.Validate(now), "registries.credentialProviders[1].name", "twice")
}

func TestCredentialProviderArgs(t *testing.T) {
	w := worker(t)
	if _, isSet := value(w.KubeletArgs(), "image-credential-provider-config"); isSet {
		t.Error("the kubelet is given a configuration that is not written")
	}
	w.Registries.CredentialProviders = []CredentialProvider{GCRCredentialProvider()}
	config, _ := value(w.KubeletArgs(), "image-credential-provider-config")
	programs, _ := value(w.KubeletArgs(), "image-credential-provider-bin-dir")
	if config != w.Paths.CredentialProviders() || programs != w.Paths.CredentialProviderBin() {
		t.Errorf("%s and %s", config, programs)
	}
}

// TestKubeletReadsCredentialProviders: the real kubelet judges the file before
// anything else that a host without containerd could not give it.
func TestKubeletReadsCredentialProviders(t *testing.T) {
	token := ECRCredentialProvider()
	token.Name, token.Environment = "with-token", map[string]string{"AWS_REGION": "eu-central-1"}
	token.ServiceAccountToken = &ServiceAccountToken{Audience: "sts.amazonaws.com", RequiredAnnotations: []string{"eks.amazonaws.com/role-arn"}}
	shared := token
	shared.Name, shared.ServiceAccountToken = "shared-token", &ServiceAccountToken{Audience: "a", CachePerServiceAccount: true, Optional: true}
	whole := CredentialProvider{Name: "plain", MatchImages: []string{"registry.example.org:5000/team", "*.a*b.example.org"}}
	w := worker(t)
	w.Registries.CredentialProviders = []CredentialProvider{ECRCredentialProvider(), GCRCredentialProvider(), token, shared, whole}
	accepted(t, w.Validate(now))
	if said := kubeletOnProviders(t, w, nil); said != "" {
		t.Errorf("the kubelet refuses what is rendered: %s", said)
	}
	// The same way to the kubelet shows what it refuses.
	for name, change := range map[string]func(string) string{
		"scheme in a glob": func(s string) string { return strings.Replace(s, "- gcr.io", "- https://%zz", 1) },
		"unknown version": func(s string) string {
			return strings.Replace(s, "credentialprovider.kubelet.k8s.io/v1", "credentialprovider.kubelet.k8s.io/v9", 1)
		},
		"no cache time": func(s string) string { return strings.Replace(s, "  defaultCacheDuration: 1m0s\n", "", 1) },
		"no audience": func(s string) string {
			return strings.Replace(s, "serviceAccountTokenAudience: a", `serviceAccountTokenAudience: ""`, 1)
		},
		"unknown field": func(s string) string { return strings.Replace(s, "matchImages:", "matchImage:", 1) },
	} {
		if said := kubeletOnProviders(t, w, change); said == "" {
			t.Errorf("%s: the kubelet does not mind", name)
		}
	}
}

// oldRuntime is a CRI runtime that knows its version and nothing else: a kubelet
// reads its providers after it has asked for that. It manages no container and
// no kernel setting before the runtime has told its status, which it never does.
type oldRuntime struct {
	criv1.UnimplementedRuntimeServiceServer
}

func (oldRuntime) Version(context.Context, *criv1.VersionRequest) (*criv1.VersionResponse, error) {
	return &criv1.VersionResponse{Version: "0.1.0", RuntimeName: "test", RuntimeVersion: "1.0.0", RuntimeApiVersion: "v1"}, nil
}

// oldImages holds no images.
type oldImages struct {
	criv1.UnimplementedImageServiceServer
}

func (oldImages) ImageFsInfo(context.Context, *criv1.ImageFsInfoRequest) (*criv1.ImageFsInfoResponse, error) {
	return &criv1.ImageFsInfoResponse{}, nil
}

// kubeletOnProviders starts the real kubelet and gives what it says against the
// providers, or nothing when it got past them.
func kubeletOnProviders(t *testing.T, w Worker, change func(string) string) string {
	t.Helper()
	kubelet := program(t, "kubelet")
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("the kubelet needs root and a network of its own: install util-linux")
	}
	w.Paths.Root = shortRoot(t)
	file, err := w.credentialProviderFile()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		changed := change(file.Contents)
		if changed == file.Contents {
			t.Fatal("the test changes nothing")
		}
		file.Contents = changed
	}
	writeFile(t, file.Path, []byte(file.Contents), os.FileMode(file.Mode))
	for _, provider := range w.Registries.CredentialProviders {
		writeFile(t, filepath.Join(w.Paths.CredentialProviderBin(), provider.Name), []byte("#!/bin/sh\n"), 0o755)
	}
	socket := w.Paths.Root + "/cri.sock"
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	criv1.RegisterRuntimeServiceServer(server, oldRuntime{})
	criv1.RegisterImageServiceServer(server, oldImages{})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	// Without a kubeconfig the kubelet serves no cluster. It gets no cgroup and no
	// rule of a firewall to manage.
	configuration := "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupsPerQOS: false\n" +
		"enforceNodeAllocatable: [none]\nmakeIPTablesUtilChains: false\nprotectKernelDefaults: true\nfailSwapOn: false\nfailCgroupV1: false\n" +
		"authentication: {webhook: {enabled: false}}\nauthorization: {mode: AlwaysAllow}\n" +
		"containerRuntimeEndpoint: unix://" + socket + "\n"
	writeFile(t, w.Paths.KubeletConfig(), []byte(configuration), 0o600)
	arguments := []string{"--net", "--mount", kubelet, "--config=" + w.Paths.KubeletConfig(), "--root-dir=" + w.Paths.KubeletDir(),
		"--cert-dir=" + w.Paths.KubeletPKI(), "--v=2"}
	for _, argument := range w.KubeletArgs() {
		if strings.HasPrefix(argument, "--image-credential-provider-") {
			arguments = append(arguments, argument)
		}
	}
	const against, past = "Failed to register CRI auth plugins", "Starting to listen"
	d := startPath(t, unshare, arguments)
	d.until(t, "a judgement of the providers", func() bool {
		return strings.Contains(d.output(), against) || strings.Contains(d.output(), past)
	})
	for _, line := range strings.Split(d.output(), "\n") {
		if strings.Contains(line, against) {
			return line
		}
	}
	return ""
}

// FuzzImageGlob: what is accepted is what the kubelet accepts, and names whose
// host it is.
func FuzzImageGlob(f *testing.F) {
	for _, seed := range append(ECRCredentialProvider().MatchImages, "registry.io:8080/path", "*", "a..b", "[x].io", "x.*", "localhost:5000", "é.io", "a.io/%zz") {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, glob string) {
		if imageGlob(glob) != "" {
			return
		}
		parsed, err := url.Parse("https://" + glob)
		if err != nil {
			t.Fatalf("%q: %v", glob, err)
		}
		parts := strings.Split(parsed.Hostname(), ".")
		for i, part := range parts {
			if _, err := path.Match(part, "x"); err != nil || part == "" {
				t.Fatalf("%q has the part %q", glob, part)
			}
			if strings.Contains(part, "*") && i >= len(parts)-2 {
				t.Fatalf("%q matches hosts of others", glob)
			}
		}
	})
}
