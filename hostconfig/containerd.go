package hostconfig

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// disabledContainerdPlugins are parts of containerd that a Kubernetes node does
// not use: snapshotters other than overlayfs, tracing exporters, the restart
// monitor and /opt manager of containerd's own client, and NRI, which lets a
// program on the host change any container. Names that a version does not know
// are ignored by it. The runtime of the first generation stays: the task service
// of 1.6 does not start without it.
var disabledContainerdPlugins = []string{
	"io.containerd.internal.v1.opt",
	"io.containerd.internal.v1.restart",
	"io.containerd.internal.v1.tracing",
	"io.containerd.nri.v1.nri",
	"io.containerd.snapshotter.v1.aufs",
	"io.containerd.snapshotter.v1.blockfile",
	"io.containerd.snapshotter.v1.btrfs",
	"io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.native",
	"io.containerd.snapshotter.v1.zfs",
	"io.containerd.tracing.processor.v1.otlp",
}

// ContainerdArgs gives containerd's arguments, without the program.
func (w Worker) ContainerdArgs() []string {
	return []string{"--config=" + w.Paths.ContainerdConfig()}
}

// containerdFile renders containerd's configuration, version 2, which 1.6 and
// 1.7 read. containerd drops unknown keys without a word: a test compares what
// the program read with what stands here.
func (w Worker) containerdFile() File {
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	line("version = 2")
	line("root = %q", w.Paths.ContainerdRoot())
	line("state = %q", w.Paths.ContainerdState())
	if !w.RestrictOOMScoreAdj {
		// The kernel ends containers before it ends what runs them.
		line("oom_score = -999")
	}
	line("disabled_plugins = [")
	for _, plugin := range disabledContainerdPlugins {
		line("  %q,", plugin)
	}
	line("]")
	line("\n# The socket is as good as root: containerd makes it with mode 0660 for these owners.")
	line("[grpc]\n  address = %q\n  uid = 0\n  gid = 0\n  tcp_address = \"\"", w.Paths.ContainerdSocket())
	line("\n[debug]\n  address = \"\"\n  level = \"info\"")
	line("\n[metrics]\n  address = \"\"")

	const cri = `plugins."io.containerd.grpc.v1.cri"`
	line("\n[%s]", cri)
	line("  sandbox_image = %q", w.SandboxImage)
	line("  disable_tcp_service = true")
	line("  stream_server_address = \"127.0.0.1\"")
	line("  stream_server_port = \"0\"")
	line("  stream_idle_timeout = \"5m0s\"")
	line("  # What names no profile gets the default one, not none.")
	line("  unset_seccomp_profile = \"runtime/default\"")
	line("  # A container gets no low port and no raw ICMP socket that its capabilities do not give it.")
	line("  enable_unprivileged_ports = false")
	line("  enable_unprivileged_icmp = false")
	line("  device_ownership_from_security_context = false")
	line("  tolerate_missing_hugetlb_controller = true")
	line("  restrict_oom_score_adj = %t", w.RestrictOOMScoreAdj)
	line("\n[%s.cni]\n  bin_dir = %q\n  conf_dir = %q\n  max_conf_num = 1", cri, w.Paths.CNIBin(), w.Paths.CNIConfig())
	line("\n[%s.containerd]", cri)
	line("  snapshotter = \"overlayfs\"\n  default_runtime_name = \"runc\"")
	line("\n[%s.containerd.runtimes.runc]", cri)
	line("  runtime_type = \"io.containerd.runc.v2\"")
	line("  # Even a privileged container sees only the devices that it names.")
	line("  privileged_without_host_devices = true")
	line("\n[%s.containerd.runtimes.runc.options]", cri)
	line("  SystemdCgroup = %t", w.CgroupDriver == "systemd")
	line("\n[%s.registry]\n  config_path = %q", cri, w.Paths.RegistryHosts())
	return File{Path: w.Paths.ContainerdConfig(), Mode: modePrivate, Owner: ownerRoot, Contents: b.String()}
}

// registryHostsFile sends every pull to the mirror. It names the mirror as the
// server too, so that no pull falls back to the registry of the image's name.
func (w Worker) registryHostsFile() File {
	return File{
		Path:  path.Join(w.Paths.RegistryHosts(), "_default", "hosts.toml"),
		Mode:  modePrivate,
		Owner: ownerRoot,
		Contents: fmt.Sprintf("server = %[1]q\n\n[host.%[1]q]\n  capabilities = [\"pull\", \"resolve\"]\n",
			w.RegistryEndpoint),
	}
}

// imagePattern is a registry, a path, and a tag or digest or both. An image
// without either would be whatever "latest" is.
var imagePattern = regexp.MustCompile(`^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

func (p *problems) image(field, value string) {
	last := value[strings.LastIndex(value, "/")+1:]
	if !imagePattern.MatchString(value) || !strings.ContainsAny(last, ":@") || strings.HasSuffix(value, ":latest") {
		p.add(field, quote(value)+" does not name one image", "write registry/name:tag or registry/name@sha256:digest")
	}
}

func (p *problems) registryEndpoint(field, value string) {
	if value == "" {
		return
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.ContainsAny(value, "\"\\\n") || u.Scheme != "http" && u.Scheme != "https" {
		p.add(field, quote(value)+" is not the URL of a registry", "write https://host or, on the node itself, http://127.0.0.1:port")
		return
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (err != nil || !address.IsLoopback()) {
		p.add(field, value+" carries images in plaintext (M26)", "use https, or an address of 127.0.0.0/8 with http")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			p.add(field, port+" is not a port", "write a port between 1 and 65535")
		}
	}
}
