package boot

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// Image is a container image that is made out of programs of this host.
type Image struct {
	// Name is the full name, with registry and tag.
	Name string
	// Programs are put into the image; the first is what it runs. Paths in the
	// image are those that Kubernetes' own images have: /usr/local/bin/NAME for
	// the control plane, /NAME for what has no path here.
	Programs map[string]string
	// Entrypoint is the command, if any: kubeadm's manifests name theirs.
	Entrypoint []string
}

// build makes the image, one uncompressed layer. It runs as root where the pod
// does not say otherwise, as the images of Kubernetes' release do.
func (i Image) build() (v1.Image, error) {
	var contents bytes.Buffer
	writer := tar.NewWriter(&contents)
	targets := []string{}
	for target := range i.Programs {
		targets = append(targets, target)
	}
	slices.Sort(targets)
	for _, target := range targets {
		source, err := filepath.EvalSymlinks(i.Programs[target])
		if err != nil {
			return nil, err
		}
		file, err := os.Open(source)
		if err != nil {
			return nil, err
		}
		info, err := file.Stat()
		if err == nil {
			err = writer.WriteHeader(&tar.Header{Name: strings.TrimPrefix(target, "/"), Mode: 0o755, Size: info.Size(), ModTime: time.Unix(0, 0), Typeflag: tar.TypeReg})
		}
		if err == nil {
			_, err = io.Copy(writer, file)
		}
		file.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(contents.Bytes())), nil },
		tarball.WithCompressionLevel(1))
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", "amd64"
	file.Config.Entrypoint = i.Entrypoint
	return mutate.ConfigFile(image, file)
}

// MakeImages makes images, in a directory that a registry serves (see package
// images) and in a directory that a machine's containerd starts with.
func MakeImages(ctx context.Context, bin, target string, all []Image) error {
	for _, image := range all {
		tag, err := name.NewTag(image.Name)
		if err != nil {
			return err
		}
		built, err := image.build()
		if err != nil {
			return fmt.Errorf("%s: %w", image.Name, err)
		}
		index, err := layout.Write(filepath.Join(target, "registry", tag.RegistryStr(), tag.RepositoryStr()), empty.Index)
		if err != nil {
			return err
		}
		if err := index.AppendImage(built, layout.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}),
			layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag.TagStr(), "io.containerd.image.name": tag.Name()})); err != nil {
			return err
		}
	}
	return preload(ctx, bin, target, all)
}

// preload lets a containerd import and unpack the images once. Machines start with
// a copy of its directory, of which the large files are shared.
func preload(ctx context.Context, bin, target string, all []Image) error {
	root, state := filepath.Join(target, "containerd"), filepath.Join(target, "state")
	configuration := fmt.Sprintf("version = 3\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		root, state, filepath.Join(state, "sock"))
	if err := writeFile(filepath.Join(target, "config.toml"), configuration, 0o600); err != nil {
		return err
	}
	daemon := exec.CommandContext(ctx, "unshare", "--mount", "--net", filepath.Join(bin, "containerd-2"), "--config", filepath.Join(target, "config.toml"))
	var log bytes.Buffer
	daemon.Stdout, daemon.Stderr = &log, &log
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		return err
	}
	defer func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		_ = daemon.Wait()
		_ = os.RemoveAll(state)
	}()
	ctr := func(arguments ...string) error {
		output, err := exec.CommandContext(ctx, filepath.Join(bin, "ctr-2"), append([]string{"--address", filepath.Join(state, "sock"), "--namespace", "k8s.io"}, arguments...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ctr %v: %w: %s", arguments, err, output)
		}
		return nil
	}
	for range 200 {
		if ctr("version") == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, image := range all {
		tag, err := name.NewTag(image.Name)
		if err != nil {
			return err
		}
		archive := filepath.Join(target, "image.tar")
		output, err := exec.CommandContext(ctx, "tar", "-C", filepath.Join(target, "registry", tag.RegistryStr(), tag.RepositoryStr()), "-cf", archive, ".").CombinedOutput()
		if err != nil {
			return fmt.Errorf("tar: %w: %s", err, output)
		}
		if err := errors.Join(ctr("images", "import", archive), os.Remove(archive)); err != nil {
			return fmt.Errorf("%w: %s", err, last(log.String(), 1000))
		}
		_ = ctr("images", "label", tag.Name(), "io.cri-containerd.image=managed")
	}
	return nil
}

// helloImage answers whoever asks: what pods of the rehearsal run.
const helloImage = "registry.k8s.io/hello:1.0"

// byDigest names an image of the registry by its digest, which is what policies want.
func (r *Rehearsal) byDigest(image string) (string, error) {
	tag, err := name.NewTag(image)
	if err != nil {
		return "", err
	}
	index, err := layout.ImageIndexFromPath(filepath.Join(r.Images, "registry", tag.RegistryStr(), tag.RepositoryStr()))
	if err != nil {
		return "", err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return "", err
	}
	for _, each := range manifest.Manifests {
		if each.Annotations["org.opencontainers.image.ref.name"] == tag.TagStr() {
			return tag.Name() + "@" + each.Digest.String(), nil
		}
	}
	return "", fmt.Errorf("there is no image %s", image)
}

// ReleaseImages are the images of Kubernetes' release as kubeadm asks for them,
// made from the programs in bin. Pause is a program that only waits.
func ReleaseImages(ctx context.Context, bin, pause string) ([]Image, error) {
	output, err := exec.CommandContext(ctx, filepath.Join(bin, "kubeadm"), "config", "images", "list", "--kubernetes-version", hostconfig.DefaultKubernetesVersion).Output()
	if err != nil {
		return nil, fmt.Errorf("kubeadm config images list: %w", err)
	}
	var all []Image
	for _, tag := range strings.Fields(string(output)) {
		parsed, err := name.NewTag(tag)
		if err != nil {
			return nil, err
		}
		program := path.Base(parsed.RepositoryStr())
		image := Image{Name: tag, Programs: map[string]string{"/usr/local/bin/" + program: filepath.Join(bin, program)}}
		switch program {
		case "pause":
			image = Image{Name: tag, Programs: map[string]string{"/pause": pause}, Entrypoint: []string{"/pause"}}
		case "coredns":
			image = Image{Name: tag, Programs: map[string]string{"/coredns": filepath.Join(bin, program)}, Entrypoint: []string{"/coredns"}}
		case "kube-proxy":
			if err := addDynamic(ctx, image.Programs, "/usr/sbin/nft"); err != nil {
				return nil, err
			}
		}
		all = append(all, image)
	}
	return all, nil
}

// addDynamic adds a program of this host with the libraries that it is linked to.
func addDynamic(ctx context.Context, programs map[string]string, program string) error {
	output, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return fmt.Errorf("ldd %s: %w", program, err)
	}
	programs[program] = program
	for _, field := range strings.Fields(string(output)) {
		if strings.HasPrefix(field, "/") {
			programs[field] = field
		}
	}
	return nil
}

// preloaded gives a machine what MakeImages made, as if it had pulled it before.
// Layers are shared with other machines, by links: nothing writes to them. What
// containerd writes is the machine's own.
func (m *running) preloaded() error {
	if m.r.Images == "" {
		return nil
	}
	target := m.root("var/lib/containerd")
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	script := `cp -al "$1" "$2"; find "$2" -name '*.db' -exec cp -a {} {}.own \; -exec mv {}.own {} \;`
	output, err := exec.Command("sh", "-euc", script, "sh", filepath.Join(m.r.Images, "containerd"), target).CombinedOutput()
	if err != nil {
		return fmt.Errorf("images: %w: %s", err, output)
	}
	return nil
}
