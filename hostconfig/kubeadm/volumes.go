package kubeadm

import (
	"cmp"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/redoubt-dev/redoubt/hostconfig"
)

// notPaths are flags whose value begins with a slash and names no file, and
// those that kubeadm mounts by itself.
var notPaths = []string{"authorization-always-allow-paths", "kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig", "etcd-prefix"}

// volumes gives what the component reads and kubeadm does not mount: every path
// among its arguments, and what its files refer to. The scheduler's pod has no
// certificates directory, the other two have.
func (s Spec) volumes(component string) []volume {
	paths := s.plane().Paths
	mounted := paths.PKI() + "/"
	if component == hostconfig.ComponentScheduler {
		mounted = "\x00"
	}
	byPath := map[string]volume{}
	add := func(name, hostPath string, kind corev1.HostPathType, readOnly bool) {
		if _, twice := byPath[hostPath]; !twice && !strings.HasPrefix(hostPath, mounted) {
			byPath[hostPath] = volume{Name: name, HostPath: hostPath, MountPath: hostPath, ReadOnly: readOnly, PathType: kind}
		}
	}
	for _, a := range s.arguments(component) {
		switch {
		case !path.IsAbs(a.Value) || slices.Contains(notPaths, a.Name):
		case a.Name == "audit-log-path":
			// The directory, because rotation makes files beside the log.
			add(a.Name, path.Dir(a.Value), corev1.HostPathDirectoryOrCreate, false)
		case a.Name == "encryption-provider-config":
			// The directory, because a file that is replaced would keep its old
			// contents inside a running pod.
			add(a.Name, path.Dir(a.Value), corev1.HostPathDirectory, true)
		default:
			add(a.Name, a.Value, corev1.HostPathFile, true)
		}
	}
	if component == hostconfig.ComponentAPIServer {
		add("event-rate-limit", paths.EventRateLimit(), corev1.HostPathFile, true) // admission.yaml refers to it
		if kms := s.plane().Encryption.KMS; kms != nil {
			// The directory: a plugin that is started anew makes a new socket.
			// Connecting to it writes.
			add("kms", path.Dir(strings.TrimPrefix(kms.Endpoint, "unix://")), corev1.HostPathDirectory, false)
		}
	}
	list := make([]volume, 0, len(byPath))
	for _, each := range byPath {
		list = append(list, each)
	}
	slices.SortFunc(list, func(a, b volume) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Files gives the files of the control plane that must exist before kubeadm
// starts: those that [hostconfig.ControlPlane.Files] renders and that the static
// pods read. Kubeconfigs are not among them, because kubeadm makes its own.
func (s Spec) Files() ([]hostconfig.File, error) {
	s = s.WithDefaults()
	all, err := s.plane().Files()
	if err != nil {
		return nil, err
	}
	volumes := s.volumes(hostconfig.ComponentAPIServer)
	return slices.DeleteFunc(all, func(file hostconfig.File) bool {
		return !slices.ContainsFunc(volumes, func(v volume) bool { return v.HostPath == file.Path })
	}), nil
}
