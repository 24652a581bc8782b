package boot

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// extension holds the programs of the system extension image of Kubernetes.
var extensionPrograms = []string{"kubelet", "kubeadm", "kubectl"}

// cniPlugins are those that the bridge network uses.
var cniPlugins = []string{"bridge", "host-local", "loopback", "portmap", "firewall"}

// Extension makes the system extension image of Kubernetes out of the programs in
// bin, in the form that the community's image has, and gives its hash as
// Ignition verifies it. Name is that of the image, without ".raw".
func Extension(ctx context.Context, bin, name, target string) (hash string, err error) {
	files := map[string]string{}
	for _, program := range extensionPrograms {
		files["usr/bin/"+program] = filepath.Join(bin, program)
	}
	for _, plugin := range cniPlugins {
		files["usr/libexec/cni/"+plugin] = filepath.Join("/usr/lib/cni", plugin)
	}
	return extension(ctx, files, target, name, "kubernetes")
}

// gVisorExtension makes the one of gVisor, with its runtime and containerd's shim.
func gVisorExtension(ctx context.Context, bin, target string) (hash string, err error) {
	files := map[string]string{}
	for _, program := range []string{"runsc", "containerd-shim-runsc-v1"} {
		files["usr/bin/"+program] = filepath.Join(bin, program)
	}
	return extension(ctx, files, target, "gvisor")
}

// extension makes an image of files, by their paths in it. Names are those under
// which a machine may know the image.
func extension(ctx context.Context, files map[string]string, target string, names ...string) (hash string, err error) {
	tree, err := os.MkdirTemp(filepath.Dir(target), "extension-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tree)
	for to, from := range files {
		if err := place(from, filepath.Join(tree, to)); err != nil {
			return "", fmt.Errorf("%w: make tools-all builds programs, and the plugins are Debian's containernetworking-plugins", err)
		}
	}
	for _, each := range names {
		if err := writeFile(filepath.Join(tree, "usr/lib/extension-release.d/extension-release."+each), "ID=flatcar\nSYSEXT_LEVEL=1.0\n", 0o644); err != nil {
			return "", err
		}
	}
	_ = os.Remove(target)
	if err := writeFile(target, "", 0o644); err != nil {
		return "", err
	}
	if err := os.Truncate(target, 400<<20); err != nil {
		return "", err
	}
	output, err := exec.CommandContext(ctx, "mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0", "-d", tree, target).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("mkfs.ext4: %w: %s", err, output)
	}
	// What is not used would be fetched and hashed by every machine.
	if output, err := exec.CommandContext(ctx, "resize2fs", "-M", target).CombinedOutput(); err != nil {
		return "", fmt.Errorf("resize2fs: %w: %s", err, output)
	}
	return hashOf(target)
}

func hashOf(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	digest := sha512.New()
	if _, err := io.Copy(digest, file); err != nil {
		return "", err
	}
	return "sha512-" + hex.EncodeToString(digest.Sum(nil)), nil
}

// image makes what stands for Flatcar's /usr.
func (r *Rehearsal) image(context.Context) error {
	bin := func(name string) string { return filepath.Join(r.Bin, name) }
	programs := map[string]string{
		"bin/containerd": bin("containerd-2"), "bin/ctr": bin("ctr-2"), "bin/containerd-shim-runc-v2": bin("containerd-shim-runc-v2-2"),
		"bin/runc": "/usr/sbin/runc",
	}
	if err := makeUsr(r.path("usr"), programs); err != nil {
		return err
	}
	// kube-proxy mounts it.
	if err := os.MkdirAll(r.path("usr/lib/modules"), 0o755); err != nil {
		return err
	}
	alternatives, err := os.ReadDir("/etc/alternatives")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range alternatives {
		if target, err := os.Readlink("/etc/alternatives/" + entry.Name()); err == nil {
			if err := link(target, r.path("usr/libexec/rehearsal/alternatives", entry.Name())); err != nil {
				return err
			}
		}
	}
	for name, contents := range map[string]string{
		"share/selinux/config":                 "SELINUX=disabled\nSELINUXTYPE=mcs\n",
		"share/audit/rules.d/99-default.rules": "-D\n",
		// The kernel's messages are the host's.
		"lib/systemd/journald.conf.d/rehearsal.conf": "[Journal]\nReadKMsg=no\nAudit=no\nStorage=persistent\n",
		"share/flatcar/motd":                         "Flatcar Container Linux\n",
	} {
		if err := writeFile(r.path("usr", name), contents, 0o644); err != nil {
			return err
		}
	}
	return writeFile(r.path("usr/lib/os-release"), "NAME=Flatcar\nID=flatcar\nVERSION_ID=4230.2.0\nSYSEXT_LEVEL=1.0\nPRETTY_NAME=\"Flatcar Container Linux\"\n", 0o644)
}
