package boot

import (
	"errors"
	"os"
	"path/filepath"
)

// seed makes a root as a Flatcar image ships it on the machine's own disk, before
// the first boot: /usr is not there, it is read-only and the same for all.
func seed(root string, authorities []byte) error {
	files := map[string]string{
		"etc/passwd":                        "root:x:0:0:root:/root:/bin/bash\ncore:x:500:500:Admin:/home/core:/bin/bash\nmessagebus:x:101:101::/:/sbin/nologin\nnobody:x:65534:65534::/:/sbin/nologin\n",
		"etc/group":                         "root:x:0:\ntty:x:5:\ndisk:x:6:\nutmp:x:43:\nadm:x:4:\nsystemd-journal:x:248:\nmessagebus:x:101:\ncore:x:500:\nnogroup:x:65534:\n",
		"etc/flatcar/update.conf":           "GROUP=stable\n",
		"etc/containerd/config.toml":        "version = 2\n",
		"etc/hosts":                         "127.0.0.1 localhost\n",
		"etc/nsswitch.conf":                 "passwd: files\ngroup: files\nhosts: files dns\n",
		"etc/ssl/certs/ca-certificates.crt": string(authorities),
		"home/core/.bashrc":                 "",
	}
	for name, contents := range files {
		if err := writeFile(filepath.Join(root, name), contents, 0o644); err != nil {
			return err
		}
	}
	for _, name := range []string{"etc/shadow", "etc/gshadow"} {
		if err := writeFile(filepath.Join(root, name), map[string]string{
			"etc/shadow": "root:*:15887:0:::::\ncore:*:15887:0:::::\n", "etc/gshadow": "root:*::\ncore:!::\n"}[name], 0o640); err != nil {
			return err
		}
	}
	var errs []error
	for _, name := range []string{"usr", "proc", "sys", "dev", "run", "tmp", "mnt", "root", "opt", "srv", "var/log/journal", "var/tmp", "etc/systemd/system"} {
		errs = append(errs, os.MkdirAll(filepath.Join(root, name), 0o755))
	}
	for name, target := range map[string]string{
		"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64",
		"etc/os-release":                     "../usr/lib/os-release",
		"etc/motd":                           "../usr/share/flatcar/motd",
		"etc/selinux/config":                 "../../usr/share/selinux/config",
		"etc/audit/rules.d/99-default.rules": "../../../usr/share/audit/rules.d/99-default.rules",
		"etc/extensions/docker-flatcar.raw":  "/usr/share/flatcar/sysext/docker-flatcar.raw",
		"etc/systemd/system/default.target":  "/usr/lib/systemd/system/multi-user.target",
		"etc/alternatives":                   "/usr/libexec/rehearsal/alternatives",
		"etc/resolv.conf":                    "../run/systemd/resolve/stub-resolv.conf",
		"var/run":                            "/run",
		"var/lock":                           "/run/lock",
	} {
		errs = append(errs, link(target, filepath.Join(root, name)))
	}
	return errors.Join(errs...)
}
