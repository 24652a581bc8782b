package hostconfig

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// ContainerdVersion is a line of containerd whose configuration has a form of
// its own. A form that containerd does not know is dropped key by key without a
// word: the field must say what the machine really runs.
type ContainerdVersion string

// Supported lines of containerd.
const (
	// Containerd16 is 1.6, which Debian 12 ships: version 2 of the configuration.
	Containerd16 ContainerdVersion = "1.6"
	// Containerd17 is 1.7: the same form with further keys.
	Containerd17 ContainerdVersion = "1.7"
	// Containerd2 is 2.0 and later, which Flatcar ships: version 3, in which images,
	// the runtime and the CRI server are plugins of their own.
	Containerd2 ContainerdVersion = "2"
)

// containerdVersions are in the order of their age.
var containerdVersions = []ContainerdVersion{Containerd16, Containerd17, Containerd2}

// knows tells whether the line has what an earlier or the same one brought.
func (v ContainerdVersion) knows(since ContainerdVersion) bool {
	return slices.Index(containerdVersions, v) >= slices.Index(containerdVersions, since)
}

// disabledContainerdPlugins are parts of containerd that a Kubernetes node does
// not use: snapshotters other than overlayfs, tracing exporters, the restart
// monitor and /opt manager of containerd's own client, and NRI, which lets a
// program on the host change any container. Names that a version does not know
// are ignored by it. The runtime of the first generation stays: the task service
// of 1.6 does not start without it.
var disabledContainerdPlugins = []string{
	"io.containerd.differ.v1.erofs",
	"io.containerd.internal.v1.opt",
	"io.containerd.internal.v1.restart",
	"io.containerd.internal.v1.tracing",
	"io.containerd.monitor.container.v1.restart",
	"io.containerd.mount-handler.v1.erofs",
	"io.containerd.nri.v1.nri",
	"io.containerd.snapshotter.v1.aufs",
	"io.containerd.snapshotter.v1.blockfile",
	"io.containerd.snapshotter.v1.btrfs",
	"io.containerd.snapshotter.v1.devmapper",
	"io.containerd.snapshotter.v1.erofs",
	"io.containerd.snapshotter.v1.native",
	"io.containerd.snapshotter.v1.zfs",
	"io.containerd.tracing.processor.v1.otlp",
}

// ContainerdArgs gives containerd's arguments, without the program.
func (w Worker) ContainerdArgs() []string {
	return []string{"--config=" + w.Paths.ContainerdConfig()}
}

// containerdPart is a table of the configuration, by what it decides. The forms
// place it differently.
type containerdPart int

const (
	partRoot     containerdPart = iota
	partGRPC                    // containerd's own socket
	partDebug                   // its debug socket and log
	partMetrics                 // its metrics
	partService                 // the CRI server and its streams
	partRuntime                 // containers
	partCNI                     // pod networks
	partRuntimes                // which handlers there are
	partImages                  // pulls
	partPinned                  // the sandbox image, which is never collected
	partRegistry                // where the registries' files are
	partUnpacked                // how images are unpacked
	partHandler                 // every handler
)

// containerdTable gives the path of a part. The parts of version 2 coincide.
func containerdTable(v ContainerdVersion, part containerdPart) []string {
	service, runtime, images := "io.containerd.grpc.v1.cri", "io.containerd.grpc.v1.cri", "io.containerd.grpc.v1.cri"
	unpacked, pinned := []string{"plugins", images, "containerd"}, []string{"plugins", images}
	if v.knows(Containerd2) {
		runtime, images = "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"
		unpacked, pinned = []string{"plugins", images}, []string{"plugins", images, "pinned_images"}
	}
	return map[containerdPart][]string{
		partRoot: nil, partGRPC: {"grpc"}, partDebug: {"debug"}, partMetrics: {"metrics"},
		partService:  {"plugins", service},
		partRuntime:  {"plugins", runtime},
		partCNI:      {"plugins", runtime, "cni"},
		partRuntimes: {"plugins", runtime, "containerd"},
		partHandler:  {"plugins", runtime, "containerd", "runtimes"},
		partImages:   {"plugins", images},
		partPinned:   pinned,
		partRegistry: {"plugins", images, "registry"},
		partUnpacked: unpacked,
	}[part]
}

// containerdFile renders containerd's configuration with what the user changed.
// containerd drops unknown keys without a word: tests compare what each version
// read with what stands here.
func (w Worker) containerdFile() File {
	var tables []tomlTable
	index := map[string]int{}
	add := func(at []string, line tomlLine) {
		name := strings.Join(at, "\x00")
		i, known := index[name]
		if !known {
			i = len(tables)
			index[name] = i
			tables = append(tables, tomlTable{path: at})
		}
		tables[i].lines = append(tables[i].lines, line)
	}
	version := 2
	if w.ContainerdVersion.knows(Containerd2) {
		version = 3
	}
	add(nil, tomlLine{"version", version, ""})
	merged, _ := w.mergeContainerd()
	for _, key := range containerdKeys {
		value, isSet := merged[key.name]
		if !isSet || !w.ContainerdVersion.knows(key.since) || key.part == partHandler {
			continue
		}
		name := path.Ext("." + key.name)[1:]
		if key.part == partPinned && w.ContainerdVersion.knows(Containerd2) {
			name = "sandbox"
		}
		add(containerdTable(w.ContainerdVersion, key.part), tomlLine{name, value, key.why})
	}
	for _, handler := range w.handlers() {
		at := append(slices.Clone(containerdTable(w.ContainerdVersion, partHandler)), handler.name)
		add(at, tomlLine{"runtime_type", handler.runtimeType, ""})
		for _, key := range containerdKeys {
			if value, isSet := merged[key.name]; isSet && key.part == partHandler && w.ContainerdVersion.knows(key.since) {
				add(at, tomlLine{key.name, value, key.why})
			}
		}
		for _, line := range handler.options {
			add(append(slices.Clone(at), "options"), line)
		}
	}
	return File{Path: w.Paths.ContainerdConfig(), Mode: modePrivate, Owner: ownerRoot, Contents: renderTOML(tables)}
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
