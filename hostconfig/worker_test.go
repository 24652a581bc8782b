package hostconfig

import (
	"path"
	"strings"
	"testing"

	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"

	"github.com/redoubt-dev/redoubt/hostconfig/internal/golden"
)

func TestWorkerValid(t *testing.T) {
	accepted(t, worker(t).Validate(now))
	bare := Worker{ClusterName: "local", Name: "worker-1", NodeIP: "10.80.0.11", APIServer: "https://10.80.0.10:6443",
		CACertificate: worker(t).CACertificate, PodCIDR: "10.81.1.0/24", ClusterPodCIDR: "10.81.0.0/16"}
	accepted(t, bare.Validate(now))
}

func TestWorkerRefusals(t *testing.T) {
	for name, each := range map[string]struct {
		change      func(*Worker)
		field, text string
	}{
		"no name":                {func(w *Worker) { w.Name = "" }, "name", "DNS label"},
		"no cluster":             {func(w *Worker) { w.ClusterName = "" }, "clusterName", "DNS label"},
		"loopback address":       {func(w *Worker) { w.NodeIP = "127.0.0.1" }, "nodeIP", "no address"},
		"address among pods":     {func(w *Worker) { w.NodeIP = "10.81.7.7" }, "nodeIP", "clusterPodCIDR"},
		"plaintext API":          {func(w *Worker) { w.APIServer = "http://10.80.0.10:6443" }, "apiServer", "https"},
		"no authority":           {func(w *Worker) { w.CACertificate = "none" }, "caCertificate", "no certificate"},
		"a private key":          {func(w *Worker) { w.CACertificate += "-----BEGIN EC PRIVATE KEY-----" }, "caCertificate", "private key"},
		"foreign pod range":      {func(w *Worker) { w.PodCIDR = "10.99.1.0/24" }, "podCIDR", "outside"},
		"pod range too wide":     {func(w *Worker) { w.PodCIDR = "10.80.0.0/15" }, "podCIDR", "outside"},
		"pod range too small":    {func(w *Worker) { w.PodCIDR = "10.81.1.0/30" }, "podCIDR", "no room"},
		"bad DNS address":        {func(w *Worker) { w.ClusterDNS = []string{"dns"} }, "clusterDNS[0]", "IPv4"},
		"bad domain":             {func(w *Worker) { w.ClusterDomain = "-" }, "clusterDomain", "DNS name"},
		"relative resolver":      {func(w *Worker) { w.ResolvConf = "resolv.conf" }, "resolvConf", "absolute"},
		"bad cgroup":             {func(w *Worker) { w.CgroupRoot = "redoubt/../.." }, "cgroupRoot", "cgroup path"},
		"climbing cgroup":        {func(w *Worker) { w.CgroupRoot = "/redoubt/../x" }, "cgroupRoot", "cgroup path"},
		"cgroup driver":          {func(w *Worker) { w.CgroupDriver = "none" }, "cgroupDriver", "not a driver"},
		"reserved label":         {func(w *Worker) { w.Labels = map[string]string{"node-restriction.kubernetes.io/x": "y"} }, `labels["node-restriction.kubernetes.io/x"]`, "NodeRestriction"},
		"role label":             {func(w *Worker) { w.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""} }, `labels["node-role.kubernetes.io/control-plane"]`, "NodeRestriction"},
		"label of k8s.io":        {func(w *Worker) { w.Labels = map[string]string{"x.k8s.io/a": ""} }, `labels["x.k8s.io/a"]`, "NodeRestriction"},
		"two labels in one":      {func(w *Worker) { w.Labels = map[string]string{"a": "b,node-role.kubernetes.io/x=y"} }, `labels["a"]`, "not a label"},
		"bad taint":              {func(w *Worker) { w.Taints = []string{"a=b"} }, "taints[0]", "not a taint"},
		"unknown effect":         {func(w *Worker) { w.Taints = []string{"a=b:Never"} }, "taints[0]", "not a taint"},
		"image without tag":      {func(w *Worker) { w.SandboxImage = "redoubt.local/pause" }, "sandboxImage", "one image"},
		"image latest":           {func(w *Worker) { w.SandboxImage = "redoubt.local/pause:latest" }, "sandboxImage", "one image"},
		"image with a line":      {func(w *Worker) { w.SandboxImage = "a.b/c:1\n[plugins]" }, "sandboxImage", "one image"},
		"plaintext registry":     {func(w *Worker) { w.Registries.Endpoint = "http://10.80.0.10:5000" }, "registries.endpoint", "plaintext"},
		"plaintext by name":      {func(w *Worker) { w.Registries.Endpoint = "http://localhost:5000" }, "registries.endpoint", "plaintext"},
		"registry with password": {func(w *Worker) { w.Registries.Endpoint = "https://u:p@registry.example.org" }, "registries.endpoint", "URL"},
		"registry port":          {func(w *Worker) { w.Registries.Endpoint = "https://registry.example.org:99999" }, "registries.endpoint", "URL"},
		"bad port":               {func(w *Worker) { w.Ports.Kubelet = 70000 }, "ports.kubelet", "not a port"},
		"expired exception": {func(w *Worker) {
			w.Exceptions = []Exception{{Control: "M16", Reason: "accepted for long", Expires: "2020-01-01"}}
		}, "exceptions[0].expires", "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			w := worker(t)
			each.change(&w)
			refused(t, w.Validate(now), each.field, each.text)
		})
	}
}

func TestWorkerGolden(t *testing.T) {
	v1 := worker(t)
	v1.CgroupV1, v1.RestrictOOMScoreAdj, v1.Swap, v1.CgroupRoot = true, true, true, "/redoubt/local/worker-1"
	systemd := worker(t)
	systemd.CgroupDriver, systemd.SharedDisk, systemd.Registries.Endpoint, systemd.SandboxImage, systemd.ResolvConf = "systemd", false, "", SandboxImage(DefaultKubernetesVersion), "/run/systemd/resolve/resolv.conf"
	for name, w := range map[string]Worker{"local": worker(t), "restricted-machine": v1, "systemd": systemd} {
		files, err := w.Files()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.Contains(file.Contents, "PRIVATE KEY") || file.Secret {
				t.Errorf("%s holds a secret", file.Path)
			}
			if file.Owner != "root" {
				t.Errorf("%s belongs to %q", file.Path, file.Owner)
			}
			want := uint32(0o600)
			if file.Path == w.Paths.ClusterCA() || file.Path == w.Paths.Sysctl() || path.Dir(file.Path) == w.Paths.RegistryAuthorities() {
				want = 0o644
			}
			if file.Mode != want {
				t.Errorf("%s has mode %o", file.Path, file.Mode)
			}
			base := path.Base(file.Path)
			if base == "hosts.toml" {
				base = path.Base(path.Dir(file.Path)) + "-" + base
			}
			if path.Ext(file.Path) != ".crt" {
				golden.Compare(t, "worker/"+name+"/"+base, file.Contents)
			}
		}
		golden.Compare(t, "worker/"+name+"/kubelet.args", strings.Join(w.KubeletArgs(), "\n")+"\n")
	}
}

// TestWorkerGoldenOfMinors has what differs between minors: what the kubelet
// reads, and the sandbox image.
func TestWorkerGoldenOfMinors(t *testing.T) {
	perMinor(t, func(t *testing.T, version string) {
		w := worker(t)
		w.KubernetesVersion, w.SandboxImage = version, ""
		accepted(t, w.Validate(now))
		files, err := w.Files()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			switch file.Path {
			case w.Paths.KubeletConfig():
				golden.Compare(t, "worker/"+minor(version)+"/config.yaml", file.Contents)
			case w.Paths.ContainerdConfig():
				m, _ := FindMinor(version)
				found = strings.Contains(file.Contents, m.SandboxImage)
			}
		}
		if !found {
			t.Errorf("containerd does not name the sandbox image of %s", version)
		}
		golden.Compare(t, "worker/"+minor(version)+"/kubelet.args", strings.Join(w.KubeletArgs(), "\n")+"\n")
	})
}

// TestAuthorityOfTheCaller: without a certificate the caller writes the file.
func TestAuthorityOfTheCaller(t *testing.T) {
	w := worker(t)
	w.CACertificate = ""
	accepted(t, w.Validate(now))
	files, err := w.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file.Path == w.Paths.ClusterCA() {
			t.Errorf("an empty authority is written: %+v", file)
		}
	}
}

func TestKubeletArgs(t *testing.T) {
	arguments := worker(t).KubeletArgs()
	for flag, want := range map[string]string{
		"config": "/var/lib/kubelet/config.yaml", "kubeconfig": "/var/lib/kubelet/kubeconfig",
		"bootstrap-kubeconfig": "/var/lib/kubelet/bootstrap-kubeconfig", "cert-dir": "/var/lib/kubelet/pki",
		"node-ip": "10.80.0.11", "node-labels": "example.org/pool=general,node.kubernetes.io/pool=general",
	} {
		if got, _ := value(arguments, flag); got != want {
			t.Errorf("--%s=%s, want %s", flag, got, want)
		}
	}
	if _, isSet := value(arguments, "hostname-override"); isSet {
		t.Error("the node's name is overridden (CIS 4.2.7)")
	}
}

func TestBootstrapKubeconfig(t *testing.T) {
	file, err := worker(t).BootstrapKubeconfig("abcdef.0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	if !file.Secret || file.Mode != 0o600 {
		t.Errorf("not protected: %+v", file)
	}
	var configuration clientcmdv1.Config
	decode(t, file.Contents, &configuration)
	if configuration.AuthInfos[0].AuthInfo.Token != "abcdef.0123456789abcdef" || configuration.Clusters[0].Cluster.InsecureSkipTLSVerify {
		t.Errorf("%+v", configuration)
	}
	for _, token := range []string{"", "abcdef", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdef\n", "abcdef.0123456789abcde"} {
		file, err := worker(t).BootstrapKubeconfig(token)
		refused(t, err, "token", "bootstrap token")
		if file.Contents != "" || token != "" && strings.Contains(err.Error(), token) {
			t.Error("a refused token was rendered or shown")
		}
	}
}

func FuzzValidateWorker(f *testing.F) {
	f.Add("worker-1", "10.80.0.11", "10.81.1.0/24", "a=b:NoSchedule", "k", "v", "redoubt.local/pause:1", "http://127.0.0.1:5000", "/redoubt")
	f.Add("", "::1", "0.0.0.0/0", ":", "kubernetes.io/x", ",", "a\"b/c:1", "http://[::1]:x", "/..")
	f.Fuzz(func(t *testing.T, name, address, pods, taint, label, text, image, registry, cgroup string) {
		w := worker(t)
		w.Name, w.NodeIP, w.PodCIDR, w.Taints, w.Labels = name, address, pods, []string{taint}, map[string]string{label: text}
		w.SandboxImage, w.Registries.Endpoint, w.CgroupRoot = image, registry, cgroup
		err := w.Validate(now)
		files, filesErr := w.Files()
		if err != nil {
			return
		}
		if filesErr != nil {
			t.Fatalf("accepted, but not rendered: %v", filesErr)
		}
		for _, argument := range w.KubeletArgs() {
			if strings.ContainsAny(argument, "\n\x00") {
				t.Fatalf("an argument breaks the line: %q", argument)
			}
		}
		for _, file := range files {
			if strings.HasSuffix(file.Path, ".toml") {
				parseTOML(t, file.Contents)
			}
		}
	})
}
