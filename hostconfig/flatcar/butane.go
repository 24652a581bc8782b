package flatcar

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	base "github.com/coreos/butane/base/v0_5"
	"gopkg.in/yaml.v3"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Butane renders the readable document. It validates first, with the time that
// decides whether exceptions still hold: what does not validate is not rendered.
func (s Spec) Butane(now time.Time) ([]byte, error) {
	s = s.WithDefaults()
	files, err := s.check(now)
	if err != nil {
		return nil, err
	}
	document, err := s.document(files)
	if err != nil {
		return nil, err
	}
	return encode(document)
}

func pointer[T any](value T) *T { return &value }

// document builds Butane's own types. Those of 1.1.0 hold for 1.0.0 too: no
// field that only the newer one has is used.
func (s Spec) document(files []hostconfig.File) (base.Config, error) {
	document := base.Config{Variant: "flatcar", Version: string(s.ButaneVersion)}
	for _, argument := range s.kernelArguments() {
		document.KernelArguments.ShouldExist = append(document.KernelArguments.ShouldExist, base.KernelArgument(argument))
	}
	for _, argument := range removedArguments {
		document.KernelArguments.ShouldNotExist = append(document.KernelArguments.ShouldNotExist, base.KernelArgument(argument))
	}
	// No key and no shell: there is no login at all.
	document.Passwd.Users = []base.PasswdUser{{Name: "core", Shell: pointer("/sbin/nologin")}}
	if err := s.storage(&document.Storage, files); err != nil {
		return document, err
	}
	return document, s.units(&document.Systemd)
}

func (s Spec) storage(storage *base.Storage, files []hostconfig.File) error {
	for _, directory := range []string{statePath, manifestsPath, "/var/lib/kubelet/volume-plugins"} {
		storage.Directories = append(storage.Directories, base.Directory{Path: directory, Mode: pointer(0o700), User: rootUser(), Group: rootGroup()})
	}
	if disk := s.Node.DataDisk; disk != nil && disk.Path == s.Node.Paths.EtcdData() {
		// The root of a new file system is open to all (CIS 1.1.11).
		storage.Directories = append(storage.Directories, base.Directory{Path: disk.Path, Mode: pointer(0o700), User: rootUser(), Group: rootGroup()})
	}
	for i, file := range files {
		if i > 0 && files[i-1].Path == file.Path {
			return fmt.Errorf("two files are rendered for %s: give each its own path", file.Path)
		}
		storage.Files = append(storage.Files, butaneFile(file))
	}
	image := "/opt/extensions/kubernetes/" + s.imageName()
	storage.Files = append(storage.Files, fetchedFile(Fetched{Path: image, Mode: 0o644, Source: s.Kubernetes.Source, Hash: s.Kubernetes.Hash}))
	for _, fetched := range slices.Concat(s.Fetched, s.Parts.Fetched) {
		storage.Files = append(storage.Files, fetchedFile(fetched))
	}
	storage.Links = []base.Link{
		// Docker is not needed and is as good as root for its group:
		// https://www.flatcar.org/docs/latest/provisioning/sysext/#flatcar-release-extensions-official
		{Path: "/etc/extensions/docker-flatcar.raw", Target: pointer("/dev/null"), Hard: pointer(false), Overwrite: pointer(true)},
		{Path: "/etc/extensions/kubernetes.raw", Target: pointer(image), Hard: pointer(false), Overwrite: pointer(true)},
	}
	for _, extension := range s.Extensions {
		storage.Files = append(storage.Files, fetchedFile(Fetched{Path: extension.path(), Mode: 0o644, Source: extension.Source, Hash: extension.Hash}))
		storage.Links = append(storage.Links, base.Link{Path: "/etc/extensions/" + extension.Name + ".raw",
			Target: pointer(extension.path()), Hard: pointer(false), Overwrite: pointer(true)})
	}
	if s.Node.DataDisk != nil {
		storage.Luks = []base.Luks{{Name: volumeName, Device: pointer(s.Node.DataDisk.Device), Label: pointer(volumeName), WipeVolume: pointer(true)}}
		storage.Filesystems = []base.Filesystem{{
			Device: "/dev/mapper/" + volumeName, Path: pointer(s.Node.DataDisk.Path), Format: pointer("ext4"), Label: pointer("REDOUBT"),
			WipeFilesystem: pointer(true), WithMountUnit: pointer(true), MountOptions: []string{"nodev", "nosuid"},
		}}
	}
	return nil
}

// imageName is the name that systemd-sysext merges under.
func (s Spec) imageName() string {
	return "kubernetes-" + s.Node.KubernetesVersion + "-" + s.Kubernetes.Architecture + ".raw"
}

func rootUser() base.NodeUser   { return base.NodeUser{ID: pointer(0)} }
func rootGroup() base.NodeGroup { return base.NodeGroup{ID: pointer(0)} }

// butaneFile keeps owner and mode. Every file replaces what the image ships
// under its name: without that the first boot would fail.
func butaneFile(file hostconfig.File) base.File {
	rendered := base.File{
		Path: file.Path, Mode: pointer(int(file.Mode)), User: rootUser(), Group: rootGroup(), Overwrite: pointer(true),
		Contents: base.Resource{Inline: pointer(file.Contents)},
	}
	if file.Owner != "root" && file.Owner != "" {
		rendered.User, rendered.Group = base.NodeUser{Name: pointer(file.Owner)}, base.NodeGroup{Name: pointer(file.Owner)}
	}
	return rendered
}

// fetchedFile has no contents here: Ignition fetches and verifies them.
func fetchedFile(f Fetched) base.File {
	return base.File{
		Path: f.Path, Mode: pointer(int(f.Mode)), User: rootUser(), Group: rootGroup(), Overwrite: pointer(true),
		Contents: base.Resource{Source: pointer(f.Source), Verification: base.Verification{Hash: pointer(f.Hash)}},
	}
}

// path is where the image lies; a link names it to systemd-sysext.
func (e Extension) path() string { return "/opt/extensions/" + e.Name + "/" + e.Name + ".raw" }

func (s Spec) units(section *base.Systemd) error {
	for _, name := range s.maskedUnits() {
		section.Units = append(section.Units, base.Unit{Name: name, Enabled: pointer(false), Mask: pointer(true)})
	}
	for _, name := range []string{"auditd.service", "audit-rules.service", "systemd-timesyncd.service"} {
		section.Units = append(section.Units, base.Unit{Name: name, Enabled: pointer(true)})
	}
	section.Units = append(section.Units, base.Unit{Name: unitContainerd, Enabled: pointer(true),
		Dropins: []base.Dropin{{Name: "10-redoubt.conf", Contents: pointer(s.containerdDropIn())}}})
	for _, service := range append(s.Services(), s.Node.Units...) {
		contents, err := service.Render()
		if err != nil {
			return err
		}
		unit := base.Unit{Name: service.Name, Contents: pointer(contents)}
		if len(service.WantedBy)+len(service.RequiredBy) > 0 {
			unit.Enabled = pointer(true)
		}
		if service.Name == unitKubelet {
			unit.Dropins = []base.Dropin{{Name: "10-kubeadm.conf", Contents: pointer(emptyDropIn)}}
		}
		section.Units = append(section.Units, unit)
	}
	for _, mount := range s.Parts.Mounts {
		contents, err := mount.Render()
		if err != nil {
			return err
		}
		// Whoever needs the directory pulls it in.
		section.Units = append(section.Units, base.Unit{Name: mount.Name(), Contents: pointer(contents)})
	}
	for _, timer := range s.Timers() {
		contents, err := timer.Render()
		if err != nil {
			return err
		}
		section.Units = append(section.Units, base.Unit{Name: timer.Name, Contents: pointer(contents), Enabled: pointer(true)})
	}
	return nil
}

// encode writes the document without what is empty, and modes in octal.
func encode(document base.Config) ([]byte, error) {
	var node yaml.Node
	if err := node.Encode(document); err != nil {
		return nil, err
	}
	tidy(&node)
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}

// tidy leaves out null and empty values, and tells whether something remains.
func tidy(node *yaml.Node) bool {
	var kept []*yaml.Node
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if !tidy(value) {
				continue
			}
			if key.Value == "mode" {
				var mode int
				if value.Decode(&mode) == nil {
					value.Value = fmt.Sprintf("%#o", mode)
				}
			}
			kept = append(kept, key, value)
		}
	case yaml.SequenceNode:
		for _, value := range node.Content {
			if tidy(value) {
				kept = append(kept, value)
			}
		}
	default:
		return node.Tag != "!!null"
	}
	node.Content = kept
	return len(kept) > 0
}
